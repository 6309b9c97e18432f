"""Pens and their strokes, whose width and pressure vary, in ink that covers more or less."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .handwriting import Path, resample
from .surfaces import Canvas, smooth_noise

# Strokes are drawn at least this many pixels wide, and then scaled down, so that thin ones keep their width.
DRAWN_WIDTH_PX = 8
MOST_ENLARGEMENT = 6
# Size of the spots that ink leaves out on rough paper.
GRAIN_MM = 0.12


@dataclass(frozen=True)
class Pen:
    """A pen and its ink.

    Attributes:
        width_mm: Thinnest and thickest stroke.
        colours: Possible colours of the ink, reflectance of red, green and blue in [0, 1].
        cover: Least and most of the paper's light that a firm stroke replaces, in [0, 1].
        pressure_spread: Largest local lightening and thinning of a stroke, as a share.
        grain: Share of the ink that the paper's roughness keeps off, in [0, 1].
        fade: Largest share of a stroke's ink that is lost along its way.
    """

    width_mm: tuple[float, float]
    colours: tuple[tuple[float, float, float], ...]
    cover: tuple[float, float]
    pressure_spread: float
    grain: float
    fade: float = 0.0


BLUES = ((0.10, 0.14, 0.45), (0.14, 0.20, 0.58), (0.06, 0.08, 0.34))
BLACKS = ((0.07, 0.07, 0.08), (0.12, 0.12, 0.14))
CHALKS = ((0.93, 0.93, 0.90), (0.95, 0.93, 0.70), (0.90, 0.92, 0.95))

BALL_BLUE = Pen((0.4, 0.65), BLUES, (0.7, 0.92), 0.25, 0.2)
BALL_BLACK = Pen((0.4, 0.65), BLACKS, (0.7, 0.92), 0.25, 0.2)
PENCIL = Pen((0.35, 0.55), ((0.25, 0.25, 0.27), (0.32, 0.32, 0.33)), (0.6, 0.85), 0.4, 0.55)
FELT = Pen((0.7, 1.2), (*BLACKS, BLUES[2]), (0.88, 0.97), 0.1, 0.05)
MARKER = Pen((1.6, 3.0), (*BLACKS, BLUES[1], (0.55, 0.10, 0.10), (0.08, 0.35, 0.16)), (0.85, 0.97), 0.06, 0.08)
CHALK = Pen((0.7, 1.1), CHALKS, (0.75, 0.95), 0.3, 0.55)
LIGHT_PEN = Pen((0.6, 1.0), ((0.95, 0.95, 0.93), (0.90, 0.86, 0.62)), (0.85, 0.95), 0.15, 0.15)
FADING = Pen((0.4, 0.7), (*BLUES, *BLACKS, (0.25, 0.25, 0.27)), (0.75, 0.95), 0.3, 0.25, 0.85)
LINE_GRAYS = ((0.12, 0.12, 0.12), (0.35, 0.35, 0.38), (0.55, 0.55, 0.55), (0.25, 0.35, 0.60), (0.70, 0.35, 0.30))
CABLE = Pen((2.5, 5.0), ((0.05, 0.05, 0.06), (0.80, 0.80, 0.80), (0.35, 0.35, 0.36)), (0.95, 1.0), 0.0, 0.0)
# The lines of a printing press, thin and thick.
PRESS = Pen((0.15, 0.5), LINE_GRAYS, (0.7, 0.95), 0.0, 0.05)
PRESS_BOLD = Pen((0.5, 1.2), BLACKS, (0.85, 0.95), 0.0, 0.05)


@dataclass(frozen=True)
class Layer:
    """Strokes of one pen: paths, each float64 [N, 2], mm, never wider than `widest_mm`."""

    pen: Pen
    paths: tuple[Path, ...]
    widest_mm: float


def paint_layer(canvas: Canvas, layer: Layer, random: np.random.Generator) -> None:
    """Paint a pen's strokes on the paper, in one of the pen's colours and widths."""
    if not layer.paths:
        return
    pen = layer.pen
    colour = np.array(pen.colours[random.integers(len(pen.colours))], np.float32)
    cover = random.uniform(*pen.cover)
    width_px = min(random.uniform(*pen.width_mm), layer.widest_mm) * canvas.px_per_mm
    paths = [canvas.to_pixels(path) for path in layer.paths]
    y, x = _part(np.concatenate(paths), width_px, canvas.pixels.shape)
    part = canvas.pixels[y, x]
    ink = np.zeros(part.shape[:2], np.float32)
    for path in paths:
        _draw_path(ink, path - (x.start, y.start), width_px, pen, random)
    if pen.grain:
        roughness = smooth_noise(ink.shape, GRAIN_MM * canvas.px_per_mm, random)
        ink *= 1 - pen.grain * np.clip(0.5 + 0.8 * roughness, 0, 1)
    ink *= cover
    part += ink[:, :, None] * (colour - part)


def _part(points: Path, width_px: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of a picture in which a stroke along the points [N, 2] may lie."""
    margin = int(width_px) + 3
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + margin, (shape[1], shape[0]))
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    return slice(y0, max(y0, y1)), slice(x0, max(x0, x1))


def _draw_path(ink: NDArray[np.float32], path: Path, width_px: float, pen: Pen, random: np.random.Generator) -> None:
    """Draw one stroke into its part of `ink`, [0, 1], keeping the darker of old and new."""
    y, x = _part(path, width_px, ink.shape)
    part = ink[y, x]
    if part.size == 0:
        return
    enlargement = int(np.clip(np.ceil(DRAWN_WIDTH_PX / width_px), 1, MOST_ENLARGEMENT))
    height, width = part.shape
    patch = np.zeros((height * enlargement, width * enlargement), np.uint8)
    _draw_segments(patch, (path - (x.start, y.start)) * enlargement, width_px * enlargement, pen, random)
    small = cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA)
    np.maximum(part, small.astype(np.float32) / 255, out=part)


def _draw_segments(
    patch: NDArray[np.uint8], path: Path, width_px: float, pen: Pen, random: np.random.Generator
) -> None:
    """Draw a path as short lines, thinner and lighter where the pressure is lower."""
    points = resample(path, step=max(2.0, 0.4 * width_px))
    pressure = 1 - pen.pressure_spread * _drift(len(points), random)
    if pen.fade:
        pressure *= 1 - pen.fade * _fall(len(points), random)
    lightest = 0.4 * (1 - pen.fade)
    # OpenCV takes sixteenths of a pixel.
    ends = np.round(points * 16).astype(int)
    for start, end, firmness in zip(ends[:-1], ends[1:], pressure, strict=False):
        thickness = max(1, round(width_px * (0.5 + 0.5 * firmness)))
        shade = int(255 * (lightest + (1 - lightest) * firmness))
        cv2.line(patch, start.tolist(), end.tolist(), shade, thickness, cv2.LINE_AA, 4)


def _drift(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a slow random curve in [0, 1], float64 [count]: a few knots and straight lines between them."""
    return np.interp(np.linspace(0, 1, count), np.linspace(0, 1, 6), random.uniform(0, 1, 6))


def _fall(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw how far a stroke has faded, float64 [count], [0, 1]: towards its end, or at a place on its way."""
    along, where = np.linspace(0, 1, count), random.uniform(0.3, 0.7)
    if random.random() < 0.5:
        return np.clip((along - 0.2) / 0.8, 0, 1)
    return np.clip(1 - np.abs(along - where) / 0.3, 0, 1)
