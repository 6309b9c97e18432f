"""Digits in ink on even paper, with the truth known to the pixel: for tests of what finds, cuts and frames them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_mnist.benchmarks.scenes.pages import STROKES, round_corners
from edge_mnist.edge.reading.ink.shapes import Box, Shape, outline_shapes, unite_shapes

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Writing:
    """Ink, uint8 [height, width] with 255 = ink, and the box of each digit, row by row."""

    ink: Gray
    boxes: tuple[Box, ...]


def draw_digit(digit: str, height: int = 64, width: int = 6) -> Gray:
    """One digit without wobble, uint8 cropped to its ink; `width` is of the stroke, both in pixels."""
    size = np.array([0.5 if digit == "1" else 0.6, 1.0]) * (height - width)
    ink = np.zeros((height + 4 * width, height + 4 * width), np.uint8)
    for stroke in STROKES[digit]:
        path = np.round((2 * width + round_corners(np.array(stroke)) * size) * 16).astype(np.int32)
        cv2.polylines(ink, [path], isClosed=False, color=255, thickness=width, lineType=cv2.LINE_AA, shift=4)
    return crop(ink)


def write(*rows: str, height: int = 64, width: int = 6, gap: int = 24, margin: int = 60) -> Writing:
    """Rows of digits, `gap` pixels between neighbours and `margin` around all of them."""
    drawn = [[draw_digit(digit, height, width) for digit in row] for row in rows]
    across = max(sum(digit.shape[1] + gap for digit in row) - gap for row in drawn)
    ink = np.zeros((2 * margin + int(1.6 * height) * (len(rows) - 1) + height + width, 2 * margin + across), np.uint8)
    boxes = []
    for i, row in enumerate(drawn):
        x, y = margin, margin + i * int(1.6 * height)
        for digit in row:
            window = ink[y : y + digit.shape[0], x : x + digit.shape[1]]
            np.maximum(window, digit, out=window)
            boxes.append(Box(x, y, digit.shape[1], digit.shape[0]))
            x += digit.shape[1] + gap
    return Writing(ink, tuple(boxes))


def on_paper(ink: Gray, paper: float = 220, darkest: float = 60, grain: float = 2.0) -> Gray:
    """A frame in even light: where ink is 0 the paper's level, where it is 255 the other, and a camera's noise."""
    level = paper + (darkest - paper) * ink.astype(np.float64) / 255
    noise = np.random.default_rng(0).normal(0, grain, ink.shape)
    return np.clip(level + noise, 0, 255).round().astype(np.uint8)


def crop(ink: Gray) -> Gray:
    """To the box around all ink that is at least half as dark as ink can be."""
    x, y, width, height = cv2.boundingRect(cv2.compare(ink, 127, cv2.CMP_GT))
    return ink[y : y + height, x : x + width]


def shape_of(ink: Gray) -> Shape:
    """All ink of a canvas as one shape."""
    return unite_shapes(outline_shapes(cv2.compare(ink, 127, cv2.CMP_GT), 1))
