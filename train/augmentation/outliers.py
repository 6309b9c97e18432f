"""Non-digit images, drawn for each epoch, so that the model learns to reject them.

A network that has seen only digits classifies everything as a digit. The images drawn here are glyphs of many
scripts, invented characters, scribbles, lines, blots, silhouettes and textures, and spoiled digits: lying on their
side, mirrored, glued together, white on black. None of them comes from a set of pictures that is used for measurements.

Three in ten are digits and labelled so: printed ones, so that print alone does not mark a letter; training digits
written larger with another pen and framed again, so that the reader's framing does not mark a digit; and 1s with an
upstroke, some with a foot, which are common in Europe and rare in MNIST.

For them, the loss has an eleventh class, whose logit is fixed at 0. The network keeps its ten outputs, and
logsumexp(logits) becomes the log odds of there being a digit at all; see `edge/runtimes/abstention.py`.

Sources: outlier exposure after Hendrycks, Mazeika and Dietterich, "Deep anomaly detection with outlier exposure" (ICLR
2019); the score is the free energy of Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection" (NeurIPS
2020).
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...edge.bundle.contract import IMAGE_SHAPE, NUM_CLASSES
from ...edge.common.opencv import cv
from ...edge.data.images import Images
from ...edge.reading.framing import SIDE, frame_digit
from .pens import CANVAS, Ink, Random, blank_canvas, choose, crop_ink, draw_path, fill_image, place_ink, smooth_curve

NOT_A_DIGIT = NUM_CLASSES
PRINTED_SHARE = 0.1
REFRAMED_SHARE = 0.15
UPSTROKE_SHARE = 0.05
# The text faces shipped with matplotlib: serif, sans serif and monospaced, bold and slanted.
FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-*.ttf",
    "DejaVuSansMono*.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-*.ttf",
    "STIXGeneral*.ttf",
)
# Framed like a digit, these look like one to most readers. Characters that Unicode calls numbers are left out, too.
LOOKALIKES = frozenset("OoQDIl|!SsZzBbGgqyCOΟοОоЗзбЧчƐ∂δθΘΦσ°ºø∅○◯Øµ")  # noqa: RUF001 - looking alike is the point


@dataclass(frozen=True)
class DrawnImages:
    """Images that are added to the training digits: uint8 [N, 28, 28, 1], and labels uint8 [N], 10 = not a digit."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def draw_extras(train: Images, count: int, random: Random) -> DrawnImages:
    """Draw non-digit shapes and some digits that MNIST lacks.

    Args:
        train: Training digits, which the spoiled digits are made from.
        count: Number of images to draw.
        random: Random generator; equal generators give equal images.
    """
    pixels, labels = np.empty((count, *IMAGE_SHAPE), np.uint8), np.full(count, NOT_A_DIGIT, np.uint8)
    kinds = random.choice(len(KINDS), count, p=np.array([share for share, _ in KINDS]) / sum(s for s, _ in KINDS))
    for i, kind in enumerate(kinds):
        draw = random.random()
        if draw < PRINTED_SHARE:
            labels[i] = random.integers(NUM_CLASSES)
            pixels[i] = frame_digit(_glyph(str(labels[i]), choose(text_faces(), random)))
        elif draw < PRINTED_SHARE + REFRAMED_SHARE:
            chosen = random.integers(len(train))
            labels[i] = train.labels[chosen]
            pixels[i] = _rewrite(train.pixels[chosen, ..., 0], random)
        elif draw < PRINTED_SHARE + REFRAMED_SHARE + UPSTROKE_SHARE:
            labels[i] = 1
            pixels[i] = _one_with_upstroke(random)
        else:
            pixels[i] = KINDS[kind][1](train, random)
    return DrawnImages(pixels, labels)


# --- glyphs ---


@cache
def text_faces() -> tuple[ImageFont.FreeTypeFont, ...]:
    """Load the text faces, at canvas size."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    paths = [path for pattern in FONTS for path in sorted(folder.glob(pattern))]
    return tuple(ImageFont.truetype(str(path), CANVAS * 3 // 4) for path in paths)


@cache
def _characters(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the Latin letters of a face, and its other visible characters that are not numbers."""
    drawn = [chr(code) for code in FT2Font(path).get_charmap() if unicodedata.category(chr(code))[0] in "LSP"]
    latin = tuple(character for character in drawn if character.isascii() and character.isalpha())
    return latin, tuple(sorted(set(drawn) - set(latin)))


def _letter(_train: Images, random: Random) -> Ink:
    face = choose(text_faces(), random)
    character = choose(choose(_characters(str(face.path)), random), random)
    ink = _glyph(character, face)
    return fill_image(ink, random) if character in LOOKALIKES else place_ink(ink, random)


def _glyph(character: str, face: ImageFont.FreeTypeFont) -> Ink:
    image = Image.new("L", (2 * CANVAS, 2 * CANVAS))
    ImageDraw.Draw(image).text((CANVAS, CANVAS), character, fill=255, font=face, anchor="mm")
    return crop_ink(np.asarray(image))


# --- pens ---


def _invented_character(_train: Images, random: Random) -> Ink:
    """Draw two to five strokes, like a letter of an unknown alphabet."""
    ink, width = blank_canvas(), int(random.integers(4, 15))
    for _ in range(random.integers(2, 6)):
        points = random.uniform(8, CANVAS - 8, (random.integers(2, 5), 2))
        draw_path(ink, smooth_curve(points) if random.random() < 0.6 else points, width)
    if random.random() < 0.3:
        centre, radius = random.integers(20, CANVAS - 20, 2).tolist(), int(random.integers(6, 30))
        cv.circle(ink, centre, radius, 255, width, cv.LINE_AA)
    return place_ink(ink, random)


def _scribble(_train: Images, random: Random) -> Ink:
    ink = blank_canvas()
    points = random.uniform(6, CANVAS - 6, (random.integers(7, 20), 2))
    draw_path(ink, smooth_curve(points), int(random.integers(3, 14)))
    return place_ink(ink, random)


def _line(_train: Images, random: Random) -> Ink:
    """Draw a dash, a rule, crossing rules or an edge of the paper, never a single upright line, which would be a 1."""
    ink, width = blank_canvas(), int(random.integers(2, 16))
    middle = CANVAS / 2 + random.uniform(-20, 20, 2)
    tilts = {"dash": [0], "crossing": [0, 90], "corner": [35, 145], "rules": [0, 0]}
    for tilt in choose(tuple(tilts.values()), random):
        angle = np.radians(tilt + random.uniform(-20, 20))
        reach = np.array([np.cos(angle), np.sin(angle)]) * random.uniform(15, 80)
        shift = random.uniform(-25, 25, 2)
        draw_path(ink, np.array([middle + shift - reach, middle + shift + reach]), width)
    return place_ink(ink, random)


# --- surfaces ---


def _blot(_train: Images, random: Random) -> Ink:
    """Draw a smudge, a dot or a silhouette: a filled outline, sometimes with a pattern on it."""
    corners = int(random.integers(3, 12))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners)) if random.random() < 0.5 else np.linspace(0, 6.28, corners)
    radii = random.uniform(random.uniform(0.3, 1), 1, corners) * CANVAS / 2
    outline = CANVAS / 2 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    ink = blank_canvas()
    cv.fillPoly(ink, [np.round(smooth_curve(outline) if random.random() < 0.5 else outline).astype(np.int32)], 255)
    if random.random() < 0.5:
        ink = (ink * (0.4 + 0.6 * _noise(random))).astype(np.uint8)
    return place_ink(ink, random)


def _texture(_train: Images, random: Random) -> Ink:
    """Draw cloth, grain, stripes, or a shadow over the whole image."""
    pattern = choose((_noise, _stripes), random)(random)
    if random.random() < 0.4:
        pattern = (pattern > random.uniform(0.3, 0.7)).astype(np.float64)
    low, high = np.sort(random.uniform(0, 255, 2))
    small = cv.resize(low + pattern * (high - low), (SIDE, SIDE), interpolation=cv.INTER_AREA)
    return small.round().astype(np.uint8)[..., None]


def _noise(random: Random) -> NDArray[np.float64]:
    """Draw smooth noise in [0, 1], with a grain from one pixel to the whole image."""
    cells = int(random.integers(2, 29))
    noise = cv.resize(random.random((cells, cells)), (CANVAS, CANVAS), interpolation=cv.INTER_CUBIC)
    return np.clip(noise, 0, 1)


def _stripes(random: Random) -> NDArray[np.float64]:
    angle, waves, phase = random.uniform(0, np.pi), random.uniform(1, 12), random.uniform(0, 6.28)
    down, across = np.mgrid[:CANVAS, :CANVAS] / CANVAS
    return 0.5 + 0.5 * np.sin(2 * np.pi * waves * (np.cos(angle) * across + np.sin(angle) * down) + phase)


# --- digits and spoiled digits ---


def _one_with_upstroke(random: Random) -> Ink:
    """Draw a stem with a stroke from its top down to the left, too steep for the bar of a 7; maybe a foot."""
    ink, width = blank_canvas(), int(random.integers(4, 16))
    top, bottom = np.array([60.0, 14.0]), np.array([60 + random.uniform(-14, 10), 98.0])
    angle = np.radians(random.uniform(28, 65))
    start = top + random.uniform(14, 42) * np.array([-np.cos(angle), np.sin(angle)])
    bend = (start + top) / 2 + random.uniform(-3, 3, 2)
    draw_path(ink, np.concatenate([smooth_curve(np.stack([start, bend, top])), bottom[None]]), width)
    if random.random() < 0.3:
        left, right = random.uniform(8, 24, 2)
        draw_path(ink, np.array([bottom - [left, 0], bottom + np.array([right, random.uniform(-4, 4)])]), width)
    return frame_digit(crop_ink(ink))


def _rewrite(digit: Ink, random: Random) -> Ink:
    """Rewrite the digit [28, 28] up to eight times as large, with another pen, framed as the reader does."""
    scale = random.uniform(1, 8)
    ink = cv.resize(crop_ink(digit), None, fx=scale, fy=scale, interpolation=cv.INTER_LINEAR)
    change = int(scale * random.uniform(0, 1.2))
    pen = cv.getStructuringElement(cv.MORPH_ELLIPSE, (change + 1, change + 1))
    if random.random() < 0.5:
        return frame_digit(cv.dilate(cv.copyMakeBorder(ink, *4 * [change], cv.BORDER_CONSTANT), pen))
    thin = cv.erode(ink, pen)
    return frame_digit(crop_ink(thin if thin.sum() > 0.4 * ink.sum() else ink))


def _spoiled_digit(train: Images, random: Random) -> Ink:
    return choose((_lying, _mirrored, _glued, _overlaid, _inverted), random)(train, random)


def _lying(train: Images, random: Random) -> Ink:
    """Draw a digit on its side: any but a 0."""
    return np.ascontiguousarray(np.rot90(_pick(train, range(1, 10), random), random.choice([1, 3])))


def _mirrored(train: Images, random: Random) -> Ink:
    """Mirror a digit, or turn it upside down, unless it becomes another digit."""
    digit = _pick(train, (3, 4, 7), random)
    return np.ascontiguousarray(digit[:, ::-1] if random.random() < 0.5 else digit[::-1, ::-1])


def _glued(train: Images, random: Random) -> Ink:
    """Draw two digits that touch, or a digit and part of the next one, framed as one."""
    left, right = (crop_ink(_pick(train, range(10), random)[..., 0]) for _ in range(2))
    ink = np.zeros((SIDE, left.shape[1] + right.shape[1]), np.uint8)
    overlap = int(random.integers(0, 4))
    for digit, x in ((left, 0), (right, max(0, left.shape[1] - overlap))):
        y = int(random.integers(0, SIDE - digit.shape[0] + 1))
        window = ink[y : y + digit.shape[0], x : x + digit.shape[1]]
        np.maximum(window, digit, out=window)
    return frame_digit(crop_ink(ink))


def _overlaid(train: Images, random: Random) -> Ink:
    return np.maximum(_pick(train, range(10), random), np.roll(_pick(train, range(10), random), 3, axis=(0, 1)))


def _inverted(train: Images, random: Random) -> Ink:
    return 255 - _pick(train, range(10), random)


def _pick(train: Images, digits: range | tuple[int, ...], random: Random) -> Ink:
    """Pick a training image of one of these digits, uint8 [28, 28, 1]."""
    while True:
        i = random.integers(len(train))
        if train.labels[i] in digits:
            return train.pixels[i]


# The share of each kind, and the function that draws it: uint8 [28, 28, 1] each.
KINDS: tuple[tuple[float, Callable[[Images, Random], Ink]], ...] = (
    (0.42, _letter),
    (0.16, _invented_character),
    (0.06, _scribble),
    (0.06, _line),
    (0.10, _blot),
    (0.08, _texture),
    (0.12, _spoiled_digit),
)
