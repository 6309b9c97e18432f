"""Flip and rotate frames before they are read: one place for all cameras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .camera import CameraOptions


@dataclass(frozen=True)
class Orientation:
    """Two flips, then perhaps a quarter turn: any flips and rotation can be expressed in this way.

    Attributes:
        hflip: Whether left and right are swapped.
        vflip: Whether top and bottom are swapped.
        quarter_turn: Whether the frame is then turned by 90 degrees, clockwise.
    """

    hflip: bool
    vflip: bool
    quarter_turn: bool

    def after(self, hflip: bool, vflip: bool) -> "Orientation":
        """Return what remains to do with frames that a camera has already flipped."""
        return Orientation(self.hflip != hflip, self.vflip != vflip, self.quarter_turn)

    def describe(self, width: int, height: int) -> str:
        """Describe the size of a frame after turning, e.g. `480x640`."""
        return f"{height}x{width}" if self.quarter_turn else f"{width}x{height}"

    def turn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn uint8 [height, width] or [height, width, 3]; return the same array if there is nothing to do."""
        if self.hflip or self.vflip:
            pixels = cv.flip(pixels, 0 if not self.hflip else 1 if not self.vflip else -1)
        return cv.rotate(pixels, cv.ROTATE_90_CLOCKWISE) if self.quarter_turn else pixels


def choose_orientation(options: CameraOptions) -> Orientation:
    """Combine the flips of the options with their rotation; half a turn is both flips."""
    half_turn = options.rotation >= 180
    return Orientation(options.hflip != half_turn, options.vflip != half_turn, options.rotation in {90, 270})
