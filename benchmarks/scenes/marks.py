"""Print and filled shapes on a surface: labels, digits of a typeface, dark insets, housings, black margins."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .surfaces import Canvas, Colour, smooth_noise

# Marks are drawn this much larger and then scaled down.
ENLARGEMENT = 3
# Height of a capital letter and of a digit in Pillow's own typeface, as a share of the font's size.
CAPITAL = 0.7
# The size at which lengths of text are measured, pixels.
MEASURED_PX = 100


@dataclass(frozen=True)
class Patch:
    """A filled polygon.

    Attributes:
        corners: float64 [N, 2], mm.
        colour: Reflectance of red, green and blue, [0, 1].
        grain: Standard deviation of fine changes of shade.
        cover: Share of the light below that is replaced, [0, 1].
        soft_mm: Width of a soft edge; 0 for a crisp one.
    """

    corners: NDArray[np.float64]
    colour: Colour
    grain: float = 0.02
    cover: float = 1.0
    soft_mm: float = 0.0

    def extent(self) -> NDArray[np.float64]:
        """Return the corners, float64 [N, 2], mm."""
        return self.corners


@dataclass(frozen=True)
class Print:
    """Printed text on one line.

    Attributes:
        text: ASCII characters.
        place: Left end of the baseline, (x, y), mm.
        height_mm: Height of a capital letter and of a digit.
        colour: Reflectance of red, green and blue, [0, 1].
        cover: Share of the paper's light that the ink replaces, [0, 1].
        bold: Extra width of the strokes, in heights.
    """

    text: str
    place: tuple[float, float]
    height_mm: float
    colour: Colour = (0.1, 0.1, 0.1)
    cover: float = 0.85
    bold: float = 0.0

    def extent(self) -> NDArray[np.float64]:
        """Return the corners of the text's box, float64 [2, 2], mm."""
        (x, y), width = self.place, measure_text(self.text, self.height_mm)
        return np.array([[x, y - self.height_mm], [x + width, y + 0.25 * self.height_mm]])


Mark = Patch | Print


def measure_text(text: str, height_mm: float) -> float:
    """Measure the width of printed text, mm."""
    return _load_font(MEASURED_PX).getlength(text) / (MEASURED_PX * CAPITAL) * height_mm


def box_patch(left: float, top: float, right: float, bottom: float, colour: Colour, grain: float = 0.02) -> Patch:
    """Make an upright rectangle, mm."""
    return Patch(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), colour, grain)


def paint_mark(canvas: Canvas, mark: Mark, random: np.random.Generator) -> None:
    """Paint a mark on the canvas."""
    reach = 3 + 3 * (mark.soft_mm if isinstance(mark, Patch) else mark.height_mm) * canvas.px_per_mm
    points = canvas.to_pixels(mark.extent())
    height, width = canvas.pixels.shape[:2]
    low = np.clip(np.floor(points.min(axis=0) - reach), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + reach), 0, (width, height)).astype(int)
    if np.any(high <= low):
        return
    part = canvas.pixels[low[1] : high[1], low[0] : high[0]]
    if isinstance(mark, Patch):
        cover = _cover_patch(mark, part.shape[:2], points - low, canvas.px_per_mm)
        shade = np.ones(part.shape[:2], np.float32)
        if mark.grain:
            shade += mark.grain * smooth_noise(part.shape, 0.15 * canvas.px_per_mm, random)
    else:
        cover = _cover_print(mark, part.shape[:2], canvas.to_pixels(np.array([mark.place]))[0] - low, canvas.px_per_mm)
        shade = np.ones(part.shape[:2], np.float32)
    cover = mark.cover * cover
    part += cover[:, :, None] * (np.array(mark.colour, np.float32) * shade[:, :, None] - part)


def _cover_patch(
    patch: Patch, shape: tuple[int, ...], corners: NDArray[np.float64], px_per_mm: float
) -> NDArray[np.float32]:
    """Draw 1 inside the patch and 0 outside, float32 of this shape."""
    inside = np.zeros(shape, np.uint8)
    # OpenCV takes sixteenths of a pixel.
    cv2.fillPoly(inside, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    cover = np.asarray(inside / np.float32(255), np.float32)
    soft = patch.soft_mm * px_per_mm
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), soft), np.float32) if soft > 0.3 else cover


def _cover_print(
    text: Print, shape: tuple[int, ...], place: NDArray[np.float64], px_per_mm: float
) -> NDArray[np.float32]:
    """Draw 1 in the letters and 0 elsewhere, float32 of this shape."""
    size = ENLARGEMENT * text.height_mm * px_per_mm
    large = Image.new("L", (ENLARGEMENT * shape[1], ENLARGEMENT * shape[0]))
    x, y = np.round(ENLARGEMENT * place).astype(int).tolist()
    font, stroke = _load_font(max(6, round(size / CAPITAL))), round(text.bold * size / 2)
    ImageDraw.Draw(large).text((x, y), text.text, 255, font, "ls", stroke_width=stroke)
    small = cv2.resize(np.asarray(large), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small / np.float32(255), np.float32)


@lru_cache(maxsize=64)
def _load_font(size: int) -> ImageFont.FreeTypeFont:
    """Load the typeface that comes with Pillow, so that every machine draws the same."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("expected Pillow with FreeType, which its wheels have. Install Pillow from PyPI.")
    return font
