"""The surfaces that digits are written on: coloured, ruled or squared paper, a board, a page on a table, a card."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Canvas:
    """A part of the writing surface, seen from straight above.

    Attributes:
        pixels: Reflectance of red, green and blue, [0, 1], float32 [height, width, 3]. Painted on in place.
        origin_mm: Position of the top left corner, (x, y), mm.
        px_per_mm: Pixels per millimetre.
    """

    pixels: NDArray[np.float32]
    origin_mm: tuple[float, float]
    px_per_mm: float

    def to_pixels(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert points in mm [N, 2] to points in pixels [N, 2]."""
        return (points_mm - self.origin_mm) * self.px_per_mm


@dataclass(frozen=True)
class Rectangle:
    """A rectangle on the writing surface, mm."""

    left: float
    top: float
    right: float
    bottom: float

    def corners(self) -> NDArray[np.float64]:
        """Return the four corners, float64 [4, 2], mm."""
        return np.array(
            [[self.left, self.top], [self.right, self.top], [self.right, self.bottom], [self.left, self.bottom]]
        )

    def mask(self, canvas: Canvas) -> NDArray[np.float32]:
        """Draw 1 inside and 0 outside, with a soft edge of a pixel: float32 [height, width]."""
        height, width = canvas.pixels.shape[:2]
        corners = canvas.to_pixels(np.array([[self.left, self.top], [self.right, self.bottom]]))
        across, down = np.arange(width)[None, :], np.arange(height)[:, None]
        inside_x = np.clip(np.minimum(across - corners[0, 0], corners[1, 0] - across) + 0.5, 0, 1)
        inside_y = np.clip(np.minimum(down - corners[0, 1], corners[1, 1] - down) + 0.5, 0, 1)
        return (inside_x * inside_y).astype(np.float32)


@dataclass(frozen=True)
class Paper:
    """A writing surface.

    Attributes:
        colours: Possible colours, reflectance in [0, 1].
        mottle: Standard deviation of slow changes of shade.
        grain: Standard deviation of fine changes of shade.
        pattern: Paints the print on it.
    """

    colours: tuple[Colour, ...]
    mottle: float = 0.004
    grain: float = 0.01
    pattern: Callable[[Canvas, np.random.Generator], None] | None = None


def smooth_noise(shape: tuple[int, ...], size_px: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Make noise of standard deviation about 1 whose spots are `size_px` wide: float32 [height, width]."""
    height, width = shape[:2]
    step = max(1.0, size_px)
    coarse = random.standard_normal((int(height / step) + 2, int(width / step) + 2), np.float32)
    if step == 1:
        return coarse[:height, :width]
    noise = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    # Interpolation averages neighbours, which reduces the deviation.
    noise *= 1.2
    return noise


def paint_paper(canvas: Canvas, paper: Paper, random: np.random.Generator) -> None:
    """Cover the canvas with a paper and the print on it."""
    shape = canvas.pixels.shape
    colour = np.array(paper.colours[random.integers(len(paper.colours))], np.float32)
    canvas.pixels[:] = colour * random.uniform(0.97, 1.0)
    shade = np.ones(shape[:2], np.float32)
    for deviation, size_px in (
        (paper.mottle, max(shape) / 6),
        (paper.mottle, 2.5 * canvas.px_per_mm),
        (paper.grain, 0.15 * canvas.px_per_mm),
    ):
        shade += deviation * smooth_noise(shape, size_px, random)
    canvas.pixels[:] *= shade[:, :, None]
    if paper.pattern:
        paper.pattern(canvas, random)


def paint_table(canvas: Canvas, page: Rectangle, random: np.random.Generator) -> None:
    """Lay the page on a table: what lies outside of it becomes dark and streaky, with the page's shadow."""
    shape = canvas.pixels.shape
    tables = ((0.16, 0.10, 0.06), (0.10, 0.10, 0.11), (0.30, 0.19, 0.11), (0.05, 0.06, 0.10))
    table = np.array(tables[random.integers(len(tables))], np.float32)
    streaks = cv2.blur(smooth_noise(shape, 2, random), (max(3, shape[1] // 8), 1))
    spots = smooth_noise(shape, 1.2 * canvas.px_per_mm, random)
    inside = page.mask(canvas)
    shadow = cv2.GaussianBlur(inside, (0, 0), max(1.0, 1.5 * canvas.px_per_mm))
    shade = (1 + 0.5 * streaks + 0.06 * spots) * (1 - 0.5 * shadow)
    outside = table * np.clip(shade, 0.2, 2)[:, :, None]
    canvas.pixels[:] = inside[:, :, None] * canvas.pixels + (1 - inside[:, :, None]) * outside


def paint_card(canvas: Canvas, card: Rectangle, random: np.random.Generator) -> None:
    """Lay a dark card on the page."""
    cards = ((0.10, 0.11, 0.13), (0.08, 0.12, 0.22), (0.16, 0.08, 0.08))
    colour = np.array(cards[random.integers(len(cards))], np.float32)
    inside = card.mask(canvas)[:, :, None]
    shade = 1 + 0.06 * smooth_noise(canvas.pixels.shape, 0.3 * canvas.px_per_mm, random)
    canvas.pixels[:] = inside * colour * shade[:, :, None] + (1 - inside) * canvas.pixels


def print_lines(canvas: Canvas, random: np.random.Generator) -> None:
    """Print writing lines, 8 mm apart, and often a margin line."""
    height, width = canvas.pixels.shape[:2]
    ruling = _print_ruling(height, canvas.origin_mm[1] - 0.4, 8.0, canvas.px_per_mm, random.uniform(0.15, 0.3))
    _tint(canvas, np.broadcast_to(ruling[:, None], (height, width)), _draw_line_colour(random))
    if random.random() < 0.6:
        margin = _print_ruling(width, canvas.origin_mm[0] + random.uniform(6, 12), 1e4, canvas.px_per_mm, 0.3)
        _tint(canvas, np.broadcast_to(margin[None, :], (height, width)), np.array([0.85, 0.45, 0.45], np.float32))


def print_squares(canvas: Canvas, random: np.random.Generator) -> None:
    """Print squares of 5 mm."""
    height, width = canvas.pixels.shape[:2]
    line_mm = random.uniform(0.12, 0.22)
    down = _print_ruling(height, canvas.origin_mm[1] - 0.4, 5.0, canvas.px_per_mm, line_mm)
    across = _print_ruling(width, canvas.origin_mm[0] + random.uniform(0, 5), 5.0, canvas.px_per_mm, line_mm)
    squares = random.uniform(0.5, 1.0) * np.maximum(down[:, None], across[None, :])
    _tint(canvas, squares, _draw_line_colour(random))


def paint_chalk_dust(canvas: Canvas, random: np.random.Generator) -> None:
    """Paint the dust of a wiped board: broad, soft strokes."""
    shape = canvas.pixels.shape
    dust = cv2.GaussianBlur(smooth_noise(shape, 8 * canvas.px_per_mm, random), (0, 0), 2 * canvas.px_per_mm)
    streaks = cv2.blur(smooth_noise(shape, 1.5, random), (1, max(3, int(12 * canvas.px_per_mm))))
    canvas.pixels[:] += np.clip(0.025 + 0.02 * dust + 0.05 * streaks, 0, 0.12)[:, :, None]


def paint_wood(canvas: Canvas, random: np.random.Generator) -> None:
    """Paint the grain of a board, along its length."""
    shape = canvas.pixels.shape
    streaks = cv2.blur(smooth_noise(shape, 1.5, random), (max(3, shape[1] // 8), 1))
    rings = cv2.blur(smooth_noise(shape, 5 * canvas.px_per_mm, random), (max(3, shape[1] // 3), 1))
    canvas.pixels[:] *= np.clip(1 + 0.5 * streaks + 0.2 * rings, 0.4, 1.4)[:, :, None]


def lay_fibres(canvas: Canvas, random: np.random.Generator) -> None:
    """Lay short fibres, darker and lighter than the paper, as in wrapping paper."""
    height, width = canvas.pixels.shape[:2]
    fibres = np.zeros((height, width), np.float32)
    length = 1.2 * canvas.px_per_mm
    for _ in range(min(3000, int(height * width / (length * length * 6)))):
        start, way = random.uniform(0, (width, height)), random.normal(0, 0.6, 2) * length
        ends = np.round(np.stack([start, start + way])).astype(int).tolist()
        cv2.line(fibres, ends[0], ends[1], float(random.normal(0, 0.05)), 1, cv2.LINE_AA)
    canvas.pixels[:] *= 1 + fibres[:, :, None]


def _draw_line_colour(random: np.random.Generator) -> NDArray[np.float32]:
    colours = ((0.55, 0.68, 0.88), (0.62, 0.64, 0.68), (0.70, 0.62, 0.75), (0.60, 0.78, 0.74))
    return np.array(colours[random.integers(len(colours))], np.float32)


def _print_ruling(count: int, start_mm: float, pitch_mm: float, px_per_mm: float, line_mm: float) -> NDArray:
    """Compute the share of each pixel under lines at multiples of the pitch: float64 [count], [0, 1]."""
    pitch, half = pitch_mm * px_per_mm, 0.5 * line_mm * px_per_mm
    place = np.arange(count) + start_mm * px_per_mm
    distance = np.abs((place + pitch / 2) % pitch - pitch / 2)
    return np.clip(half + 0.5 - distance, 0, min(1.0, 2 * half))


def _tint(canvas: Canvas, cover: NDArray, colour: NDArray[np.float32]) -> None:
    cover = cover.astype(np.float32)[:, :, None]
    canvas.pixels[:] *= 1 - cover * (1 - colour)


WHITE = Paper(((0.93, 0.93, 0.92), (0.90, 0.91, 0.93), (0.95, 0.94, 0.91)))
YELLOWISH = Paper(((0.92, 0.86, 0.70), (0.88, 0.82, 0.68)), mottle=0.007, grain=0.015)
BROWN = Paper(((0.66, 0.50, 0.34), (0.58, 0.44, 0.31), (0.72, 0.58, 0.42)), 0.01, 0.03, lay_fibres)
RULED = Paper(WHITE.colours, pattern=print_lines)
SQUARED = Paper(WHITE.colours, pattern=print_squares)
BLACKBOARD = Paper(((0.10, 0.11, 0.11), (0.08, 0.16, 0.12), (0.07, 0.08, 0.09)), 0.04, 0.03, paint_chalk_dust)
WOOD = Paper(((0.42, 0.28, 0.17), (0.62, 0.47, 0.30), (0.25, 0.16, 0.11)), 0.01, 0.02, paint_wood)
PAINTED = Paper(((0.75, 0.74, 0.70), (0.55, 0.60, 0.62), (0.30, 0.31, 0.33), (0.82, 0.78, 0.66)), 0.02, 0.02)
