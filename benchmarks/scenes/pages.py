"""Pages of handwriting-like digits that the project draws itself, to try the reader on with the truth known.

They contain no real handwriting and no photograph, so they can be shipped and shown.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...edge.common.files import atomic_file

# The strokes of each digit as corner points in a unit box, x to the right, y down; corners are rounded when drawn.
STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "0": (
        (
            (0.5, 0.0), (0.1, 0.1), (0.0, 0.5), (0.1, 0.9), (0.5, 1.0),
            (0.9, 0.9), (1.0, 0.5), (0.9, 0.1), (0.5, 0.0),
        ),
    ),
    "1": (((0.3, 0.2), (0.55, 0.0), (0.5, 1.0)),),
    "2": (((0.05, 0.25), (0.2, 0.0), (0.8, 0.0), (0.9, 0.4), (0.3, 0.8), (0.0, 1.0), (0.0, 1.0), (1.0, 0.95)),),
    "3": (
        ((0.1, 0.1), (0.5, -0.05), (0.95, 0.15), (0.8, 0.45), (0.4, 0.47)),
        ((0.4, 0.47), (0.9, 0.5), (1.0, 0.85), (0.5, 1.05), (0.0, 0.9)),
    ),
    "4": (
        ((0.6, 0.0), (0.0, 0.65), (0.0, 0.65), (0.0, 0.65), (1.0, 0.62)),
        ((0.75, 0.3), (0.7, 1.0)),
    ),
    "5": (
        ((0.15, 0.05), (0.1, 0.48), (0.1, 0.48), (0.6, 0.35), (1.0, 0.65), (0.8, 1.0), (0.0, 0.95)),
        ((0.15, 0.05), (0.9, 0.0)),
    ),
    "6": (((0.8, 0.0), (0.3, 0.2), (0.0, 0.7), (0.3, 1.05), (0.9, 0.95), (0.9, 0.55), (0.4, 0.5), (0.05, 0.75)),),
    "7": (((0.0, 0.05), (0.95, 0.0), (0.95, 0.0), (0.95, 0.0), (0.4, 1.0)),),
    "8": (
        (
            (0.5, 0.48), (0.05, 0.3), (0.2, 0.0), (0.8, 0.0), (0.9, 0.3), (0.5, 0.48),
            (0.0, 0.7), (0.1, 1.0), (0.9, 1.0), (1.0, 0.7), (0.5, 0.48),
        ),
    ),
    "9": (((0.9, 0.35), (0.5, 0.55), (0.05, 0.4), (0.2, 0.0), (0.8, -0.02), (0.95, 0.3), (0.85, 0.6), (0.75, 1.0)),),
}  # fmt: skip


@dataclass(frozen=True)
class PagePen:
    """The pen of a page.

    Attributes:
        height_px: Height of a digit, in pixels.
        width_px: Width of the stroke, in pixels.
        wobble: Standard deviation of each corner point, as a share of the digit's box.
    """

    height_px: int = 64
    width_px: int = 5
    wobble: float = 0.03


def draw_page(rows: tuple[str, ...], seed: int, pen: PagePen | None = None) -> NDArray[np.uint8]:
    """Draw rows of digits in dark ink on unevenly lit, grainy paper.

    Args:
        rows: Strings of digits.
        seed: Seed of the hand and the paper.
        pen: The pen to write with; None for the default.

    Returns:
        The page, uint8 [height, width], gray.

    Raises:
        ValueError: There are no rows, or a row holds other characters than digits.
    """
    pen = pen or PagePen()
    if not rows or not all(row.isdecimal() and row.isascii() for row in rows):
        raise ValueError(f"expected rows of digits, got {rows!r}.")
    random = np.random.default_rng(seed)
    pitch = (1.1 * pen.height_px, 1.7 * pen.height_px)
    margin = pen.height_px
    width = int(2 * margin + pitch[0] * max(map(len, rows)))
    height = int(2 * margin + pitch[1] * len(rows) - 0.7 * pen.height_px)
    ink = np.zeros((height, width), np.uint8)
    for i, row in enumerate(rows):
        for j, digit in enumerate(row):
            corner = np.array([margin + j * pitch[0], margin + i * pitch[1]]) + random.normal(0, 2, 2)
            draw_digit(ink, digit, corner, pen, random)
    return _photograph(ink, random)


def draw_digit(
    ink: NDArray[np.uint8], digit: str, corner: NDArray[np.float64], pen: PagePen, random: np.random.Generator
) -> None:
    """Draw one digit, with random slant and size, with its box's corner at (x, y)."""
    size = np.array([0.6 if digit != "1" else 0.5, 1.0]) * pen.height_px * random.uniform(0.9, 1.1, 2)
    slant = random.normal(0, 0.08)
    for stroke in STROKES[digit]:
        points = np.array(stroke) + random.normal(0, pen.wobble, (len(stroke), 2))
        points[:, 0] += slant * (0.5 - points[:, 1])
        # OpenCV takes sixteenths of a pixel, which makes the strokes smooth.
        path = np.round((corner + round_corners(points) * size) * 16).astype(np.int32)
        cv2.polylines(ink, [path], isClosed=False, color=255, thickness=pen.width_px, lineType=cv2.LINE_AA, shift=4)


def round_corners(points: NDArray[np.float64], passes: int = 3) -> NDArray[np.float64]:
    """Round the corners of an open path [N, 2] by Chaikin's corner cutting; the ends do not move.

    Source: G. M. Chaikin, "An algorithm for high-speed curve generation", Computer Graphics and Image
    Processing 3 (1974).
    """
    for _ in range(passes):
        first, last = points[:1], points[-1:]
        near, far = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        points = np.concatenate([first, np.stack([near, far], axis=1).reshape(-1, 2), last])
    return points


def _photograph(ink: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Put ink on paper and light on both: a gradient, a soft shadow from one corner, a lens's blur, grain."""
    height, width = ink.shape
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    light = 215 + 18 * across * random.uniform(-1, 1) + 18 * down * random.uniform(-1, 1)
    shadow = 1 - 0.3 / (1 + np.exp(-12 * (across + down - 1.0)))
    reflectance = 1 - 0.75 * cv2.GaussianBlur(ink, (0, 0), 0.9).astype(np.float64) / 255
    frame = light * shadow * reflectance + random.normal(0, 2.5, ink.shape)
    return np.clip(frame, 0, 255).round().astype(np.uint8)


def write_page(path: Path, rows: tuple[str, ...], seed: int) -> None:
    """Draw a page and save it as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.init()
    if path.suffix.lower() not in Image.EXTENSION:
        raise ValueError(f"{path}: is not the name of a picture")
    with atomic_file(path) as file:
        Image.fromarray(draw_page(rows, seed)).save(file, Image.EXTENSION[path.suffix.lower()])
