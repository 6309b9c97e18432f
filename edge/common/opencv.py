"""OpenCV without its type annotations, and the scaling of gray pictures, exactly as the web page does it.

OpenCV's annotations declare that every operation may return any type of number, where it returns the type of its input;
each use would need a cast. So OpenCV is not type-checked in files about pixels; their own results are annotated.
"""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

cv: Any = cv2
Gray = NDArray[np.uint8]
Pixel = TypeVar("Pixel", np.uint8, np.float32)


def resize(image: NDArray[Pixel], scale: float) -> NDArray[Pixel]:
    """Scale an image [height, width] of any type: halve it while possible, then interpolate.

    Halving averages four pixels, which OpenCV does several times as fast as averaging over fractions of pixels.
    """
    if scale == 1:
        return image
    height, width = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    while image.shape[0] >= max(2, 2 * height) and image.shape[1] >= max(2, 2 * width):
        image = halve(image)
    if image.shape == (height, width):
        return image
    return cv.resize(image, (width, height), interpolation=cv.INTER_LINEAR)


def halve(image: NDArray[Pixel]) -> NDArray[Pixel]:
    """Halve an image, each pixel the mean of four; an odd row or column at the end is left out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return cv.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv.INTER_AREA)


def enlarge(small: Gray, gray: Gray) -> Gray:
    """Enlarge a small map to the size of the frame."""
    return cv.resize(small, gray.shape[::-1], interpolation=cv.INTER_LINEAR)
