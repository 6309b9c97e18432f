"""Check arrays that callers of the API pass, and explain in one sentence how to convert others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_gray(frame: Any) -> NDArray[np.uint8]:
    """Check a gray frame, uint8 [height, width], of any layout in memory.

    Returns:
        The same pixels, contiguous; only copied if they are not.

    Raises:
        ValueError: It is something else; the message says how to convert it.
    """
    if isinstance(frame, np.ndarray) and frame.ndim == 2 and frame.dtype == np.uint8 and frame.size:
        return np.ascontiguousarray(frame)
    raise ValueError(f"expected a gray frame, uint8 [height, width], got {_describe(frame)}. {_advise(frame)}")


def check_picture(frame: Any) -> None:
    """Refuse an array that is not a picture to draw on.

    Raises:
        ValueError: It is neither gray nor RGB.
    """
    is_array = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and bool(frame.size)
    if is_array and (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        return
    raise ValueError(
        f"expected a picture, uint8 [height, width] or [height, width, 3] in RGB, got {_describe(frame)}. "
        f"{_advise(frame)}"
    )


def check_images(images: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that is not a batch of images for a classifier.

    Raises:
        ValueError: It is not uint8 [N, 28, 28, 1].
    """
    if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == shape:
        return
    raise ValueError(
        f"expected images, uint8 [N, 28, 28, 1] with 0 = paper and 255 = ink, got {_describe(images)}. "
        "edge_mnist.edge.reading.framing.frame_digits makes them from ink."
    )


def check_ink(ink: Any) -> None:
    """Refuse an array that is not ink to frame.

    Raises:
        ValueError: It is not uint8 [height, width].
    """
    if isinstance(ink, np.ndarray) and ink.ndim == 2 and ink.dtype == np.uint8:
        return
    raise ValueError(f"expected ink, uint8 [height, width] with 0 = paper, got {_describe(ink)}. {_advise(ink)}")


def _describe(value: Any) -> str:
    """Describe a value: type and shape of an array, else its class."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return "None" if value is None else f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _advise(value: Any) -> str:
    """Advise how to convert a value."""
    if value is None:
        return "cv2.imread returns None if it cannot read a file; edge_mnist.edge.media.pictures.read_gray reports why."
    if isinstance(value, (str, bytes)) or hasattr(value, "__fspath__"):
        return "Read a file with edge_mnist.edge.media.pictures.read_gray(path)."
    if isinstance(value, np.ndarray):
        return _advise_on_array(value)
    return "Convert a Pillow picture: numpy.asarray(picture.convert('L'))."


def _advise_on_array(array: NDArray[Any]) -> str:
    if not array.size:
        return "It has no pixels."
    if array.ndim == 3 and array.shape[0] > 1 and array.shape[-1] in {3, 4}:
        return "Convert colour to gray: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for OpenCV's order of colours."
    if array.ndim != 2:
        return "Pass one picture, e.g. numpy.squeeze(frame) if the other dimensions are 1."
    if array.dtype == np.bool_:
        return "Convert it to uint8: frame.astype(numpy.uint8) * 255."
    return "Convert it to uint8: (255 * frame).round().astype(numpy.uint8) if its values are from 0 to 1."
