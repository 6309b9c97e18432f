"""Make a gray frame of what programs have: a path, a picture file's bytes, an array, or a Pillow picture."""

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..common.arrays import refuse
from ..common.errors import ArgumentError
from ..common.opencv import cv
from .conversion import convert_pixels, crop_image, turn_upright
from .pictures import PictureError, read_gray

Order = Literal["RGB", "BGR"]
Picture = Path | str | bytes | NDArray[np.uint8] | Image.Image
EXPECTED = (
    "a picture: a path, the bytes of a file, a Pillow picture, or uint8 [height, width], [height, width, 3] or "
    "[height, width, 4]"
)
_TO_RGB = {3: cv.COLOR_BGR2RGB, 4: cv.COLOR_BGRA2RGBA}


def make_gray(picture: Picture, order: Order = "RGB") -> NDArray[np.uint8]:
    """Make a gray frame of a picture; arrays and Pillow pictures in colour become gray as files do.

    Args:
        picture: Path of a file, or the content of one; a Pillow picture of any mode; or an array, uint8
            [height, width], [height, width, 1], [height, width, 3] or, with transparency, [height, width, 4].
        order: Order of the colours in an array: `BGR` for what OpenCV reads. The other kinds state their own order.

    Returns:
        uint8 [height, width], contiguous.

    Raises:
        ArgumentError: It is something else, or there is no such order.
        PictureError: The file or the Pillow picture cannot be read.
    """
    if order not in get_args(Order):
        raise ArgumentError(f"expected order 'RGB' or 'BGR', got {order!r}.")
    if isinstance(picture, np.ndarray):
        return _convert_array(picture, order)
    if isinstance(picture, Image.Image):
        return _convert_image(picture)
    if isinstance(picture, Path | str | bytes):
        return read_gray(picture, "the picture" if isinstance(picture, bytes) else None)
    raise refuse(EXPECTED, picture)


def _convert_array(array: NDArray[Any], order: Order) -> NDArray[np.uint8]:
    if array.dtype == np.uint8 and array.size:
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[..., 0]
        if array.ndim == 2:
            return np.ascontiguousarray(array)
        if array.ndim == 3 and array.shape[2] in _TO_RGB:
            pixels = cv.cvtColor(array, _TO_RGB[array.shape[2]]) if order == "BGR" else np.ascontiguousarray(array)
            return convert_pixels(crop_image(Image.fromarray(pixels)), "L")
    raise refuse(EXPECTED, array)


def _convert_image(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return turn_upright(convert_pixels(crop_image(image), "L"), image)
    except Exception as error:
        # A file that is decoded only now; Pillow raises any exception.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise PictureError(f"the Pillow picture cannot be decoded ({reason}). Open it again.") from error
