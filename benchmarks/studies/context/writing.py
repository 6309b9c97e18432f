"""Ink of single digits, signs and words: MNIST's digits, the project's own handwriting, and fonts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ....edge.data.images import Images
from ...errors import BenchmarkError
from ...scenes.handwriting import Hand, Strokes, draw_hand, write_shape

Gray = NDArray[np.uint8]
# Draws a digit of about this height in pixels: its ink, uint8 [height, width] with 255 = ink, and the digit.
DrawDigit = Callable[[float, np.random.Generator], tuple[Gray, int]]

FONT_SUFFIXES = {".otf", ".ttf"}
# Segments are no letters, hairlines vanish at small sizes, and an italic is much like its upright.
LEFT_OUT = ("DSEG", "Italic", "Hairline", "Thin")
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwz"
LETTERS = (2, 8)
CAPITALIZED, UPPERCASE = 0.25, 0.08
# Of MNIST, handwriting and fonts.
STYLES = (0.45, 0.3, 0.25)
# The hand's pen, in heights of a digit, and the share of digits in the shape that the hand prefers.
PEN, PREFERRED = (0.03, 0.16), 0.9
# Ink of MNIST above the level is cropped; after enlarging, the stroke's edge is made sharp again around another level.
MNIST_INK, MNIST_EDGE, SHARPENING = 60, 90, 4
SMALLEST_MNIST, NARROWEST_MNIST = 8, 3
# The share of MNIST's digits that get a thinner stroke, by this share of the height, if they are high enough.
THINNED, THINNING, LOWEST_THINNED = 0.55, 0.03, 22
# A font's size for digits of height 1.
FONT_SIZE = 1.35
# Blank pixels around drawn ink; around a hand's in addition to the pen.
TEXT_BLANK, MNIST_BLANK, HAND_BLANK = 2, 3, 2
# Of both sides together, in heights of a digit; a hand's in widths of the pen.
BLANK, BLANK_OF_PEN = 0.06, 1.2
# OpenCV takes sixteenths of a pixel.
SUBPIXELS, SUBPIXEL_BITS = 16, 4


@dataclass(frozen=True)
class DigitStyle:
    """The way in which all digits of a frame are written.

    Attributes:
        draw: Draws a random digit.
        blank: Blank ink on both sides of a digit together, in heights, by which neighbours may be closer.
        font: The font of printed digits; None if they are not printed.
    """

    draw: DrawDigit
    blank: float
    font: "Typeface | None" = None


@dataclass(frozen=True)
class Typeface:
    """A font file, or the font that comes with Pillow if there is no path."""

    path: Path | None = None

    def draw(self, text: str, size: int) -> Gray | None:
        """Draw text, uint8 [height, width] with 255 = ink, two pixels larger than it on each side; None if it is blank.

        Raises:
            BenchmarkError: The file is not a font that can be drawn.
        """
        try:
            font = ImageFont.truetype(self.path, size) if self.path else ImageFont.load_default(size)
            left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
            if right <= left or bottom <= top:
                return None
            image = Image.new("L", (right - left + 2 * TEXT_BLANK, bottom - top + 2 * TEXT_BLANK))
            ImageDraw.Draw(image).text((TEXT_BLANK - left, TEXT_BLANK - top), text, 255, font=font)
        except OSError as error:
            raise BenchmarkError(
                f"{self.path}: cannot be drawn as a font ({error}). Remove it from the folder."
            ) from error
        return np.asarray(image)


def find_typefaces(folder: Path | None) -> tuple[Typeface, ...]:
    """Find the fonts of a folder and its subfolders, or the one that comes with Pillow if there is no folder."""
    if folder is None:
        return (Typeface(),)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FONT_SUFFIXES)
    return tuple(
        Typeface(path) for path in paths if not any(word in str(path.relative_to(folder)) for word in LEFT_OUT)
    )


def make_word(random: np.random.Generator) -> str:
    """Make up a word of 2 to 8 letters, vowels and consonants in turns after the first letter."""
    count = int(random.integers(LETTERS[0], LETTERS[1] + 1))
    word = "".join(str(random.choice(list(CONSONANTS if i % 2 else VOWELS + CONSONANTS))) for i in range(count))
    if random.random() < CAPITALIZED:
        word = word.capitalize()
    return word.upper() if random.random() < UPPERCASE else word


def choose_style(digits: Images, typefaces: tuple[Typeface, ...], random: np.random.Generator) -> DigitStyle:
    """Choose how the digits of a frame are written."""
    kind = random.choice(3, p=STYLES)
    if kind == 0:
        return DigitStyle(lambda height, random: draw_mnist(digits, height, random), BLANK)
    if kind == 1:
        hand, pen = draw_hand(random), float(random.uniform(*PEN))
        return DigitStyle(lambda height, random: write_digit(hand, pen, height, random), BLANK_OF_PEN * pen)
    typeface = typefaces[random.integers(len(typefaces))]
    return DigitStyle(lambda height, random: print_digit(typeface, height, random), BLANK, typeface)


def print_digit(typeface: Typeface, height: float, random: np.random.Generator) -> tuple[Gray, int]:
    """Print a random digit."""
    digit = int(random.integers(10))
    ink = typeface.draw(str(digit), int(FONT_SIZE * height))
    return (np.zeros((1, 1), np.uint8) if ink is None else ink), digit


def draw_mnist(digits: Images, height: float, random: np.random.Generator) -> tuple[Gray, int]:
    """Enlarge a random image of MNIST to this height; more than half of them get a thinner stroke."""
    place = int(random.integers(len(digits)))
    image = digits.pixels[place][..., 0]
    x, y, width, rows = cv2.boundingRect((image > MNIST_INK).astype(np.uint8))
    high = max(SMALLEST_MNIST, int(height))
    wide = max(NARROWEST_MNIST, round(width * high / rows))
    ink = cv2.resize(image[y : y + rows, x : x + width], (wide, high), interpolation=cv2.INTER_CUBIC)
    ink = cv2.GaussianBlur(np.pad(ink, MNIST_BLANK), (0, 0), max(0.5, high / 60))
    ink = np.clip(SHARPENING * (ink.astype(np.float32) - MNIST_EDGE), 0, 255).astype(np.uint8)
    if random.random() < THINNED and high > LOWEST_THINNED:
        pen = max(2, 2 * int(THINNING * high) - 1)
        ink = cv2.erode(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen)))
    return ink.astype(np.uint8, copy=False), int(digits.labels[place])


def write_digit(hand: Hand, pen: float, height: float, random: np.random.Generator) -> tuple[Gray, int]:
    """Write a random digit in this hand, with a pen of this width in heights."""
    digit = int(random.integers(10))
    shapes = hand.shapes[str(digit)]
    place = hand.preferred[str(digit)] if random.random() < PREFERRED else int(random.integers(len(shapes)))
    strokes = write_shape(shapes[place], hand, random)
    return draw_strokes(strokes, 0.95 * height, max(1, round(pen * height))), digit


def draw_strokes(strokes: Strokes, height: float, pen: int) -> Gray:
    """Draw strokes of height 1 in this height, with a pen of this width in pixels: uint8 with 255 = ink."""
    points = np.concatenate(strokes)
    low, blank = points.min(axis=0), pen + HAND_BLANK
    width, rows = (height * (points.max(axis=0) - low)).astype(int) + 2 * blank + 1
    ink = np.zeros((rows, width), np.uint8)
    for stroke in strokes:
        path = np.round(SUBPIXELS * (height * (stroke - low) + blank)).astype(np.int32)
        cv2.polylines(ink, [path], isClosed=False, color=255, thickness=pen, lineType=cv2.LINE_AA, shift=SUBPIXEL_BITS)
    return ink
