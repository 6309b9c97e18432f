"""Frames that are not a camera's memory, so that nothing is to be given back."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .camera import CameraFrame


def own_frame(gray: NDArray[np.uint8], captured_s: float, read_rgb: Callable[[], NDArray[np.uint8]]) -> CameraFrame:
    """A frame whose pixels are its own, as long as somebody has it; see `CameraFrame`."""
    return CameraFrame(gray, captured_s, read_rgb, release=_keep)


def _keep() -> None:
    """Garbage collection does it."""
