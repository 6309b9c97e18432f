"""How frames are turned before they are read: one place for every camera's flips and rotation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .camera import CameraOptions


@dataclass(frozen=True)
class Orientation:
    """Two flips, then perhaps a quarter turn: any flips and rotation come to that.

    Attributes:
        hflip: Whether left and right are swapped.
        vflip: Whether top and bottom are.
        quarter_turn: Whether the frame is then turned by 90 degrees, clockwise.
    """

    hflip: bool
    vflip: bool
    quarter_turn: bool

    def after(self, hflip: bool, vflip: bool) -> "Orientation":
        """What is left to do with frames that a camera has flipped so."""
        return Orientation(self.hflip != hflip, self.vflip != vflip, self.quarter_turn)

    def describe(self, width: int, height: int) -> str:
        """The size of a frame once it is turned, e.g. `480x640`."""
        return f"{height}x{width}" if self.quarter_turn else f"{width}x{height}"

    def turn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn uint8 [height, width] or [height, width, 3]; the very same array where nothing is to be done."""
        if self.hflip or self.vflip:
            pixels = cv.flip(pixels, 0 if not self.hflip else 1 if not self.vflip else -1)
        return cv.rotate(pixels, cv.ROTATE_90_CLOCKWISE) if self.quarter_turn else pixels


def choose_orientation(options: CameraOptions) -> Orientation:
    """The flips of the options, then their rotation; half a turn is both flips."""
    half_turn = options.rotation >= 180
    return Orientation(options.hflip != half_turn, options.vflip != half_turn, options.rotation in {90, 270})
