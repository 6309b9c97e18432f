"""A sighting drawn on its picture, for video, stills and windows."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..annotate import annotate
from ..live.events import Sighting
from ..opencv import cv
from ..reader import Digit, Reading
from ..shapes import Box

# Light on a dark edge: seen on paper and on blackboards.
CORNER_COLOURS = ((40, 40, 40), (255, 210, 0))
# Of the shorter side of the box.
CORNER_SHARE = 0.3


def draw_sighting(sighting: Sighting) -> NDArray[np.uint8] | None:
    """Draw the digits that are followed, smoothed.

    Stable ones, which are announced, have a frame and a tag with the digit, as in `annotate`. Those that are still
    looked at have only yellow corners.

    Returns:
        uint8 [height, width, 3], RGB, of the picture's size; pictures smaller than 320 pixels are enlarged by a whole
        factor. None if the sighting came without a picture.
    """
    if sighting.picture is None:
        return None
    picture, scale = sighting.picture, _scale(sighting, sighting.picture)
    unstable = [track for track in sighting.tracks if not track.stable]
    if unstable:
        # Others draw on the same picture.
        picture = picture.copy()
        for track in unstable:
            _draw_corners(picture, _scale_box(track.digit.box, scale))
    stable = tuple(_scale_digit(track.digit, scale) for track in sighting.tracks if track.stable)
    return annotate(picture, Reading(rows=(), digits=stable, timing_ms={}))


def _scale(sighting: Sighting, picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Pixels of the picture for each pixel of the frame, across and down."""
    return picture.shape[1] / sighting.frame_size[0], picture.shape[0] / sighting.frame_size[1]


def _scale_digit(digit: Digit, scale: tuple[float, float]) -> Digit:
    return replace(digit, box=_scale_box(digit.box, scale))


def _scale_box(box: Box, scale: tuple[float, float]) -> Box:
    x, y = round(box.x * scale[0]), round(box.y * scale[1])
    return Box(x, y, max(1, round(box.right * scale[0]) - x), max(1, round(box.bottom * scale[1]) - y))


def _draw_corners(picture: NDArray[np.uint8], box: Box) -> None:
    """An angle at each corner of the box."""
    line = max(1, max(picture.shape) // 400)
    length = max(3, round(CORNER_SHARE * min(box.width, box.height)))
    for colour, thickness in zip(CORNER_COLOURS, (3 * line, line), strict=True):
        for x, inwards in ((box.x - 2 * line, length), (box.right + 2 * line, -length)):
            for y, down in ((box.y - 2 * line, length), (box.bottom + 2 * line, -length)):
                cv.line(picture, (x, y), (x + inwards, y), colour, thickness)
                cv.line(picture, (x, y), (x, y + down), colour, thickness)
