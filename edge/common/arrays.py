"""Check arrays that callers of the API pass, and explain in one sentence how to convert others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

# What `check_gray` says and what its callers say for other kinds of pictures.
GRAY = "a gray frame, uint8 [height, width]"


def check_gray(frame: Any) -> NDArray[np.uint8]:
    """Check a gray frame, uint8 [height, width], of any layout in memory.

    Returns:
        The same pixels, contiguous; only copied if they are not.

    Raises:
        ArgumentError: It is something else; the message says how to convert it.
    """
    if isinstance(frame, np.ndarray) and frame.ndim == 2 and frame.dtype == np.uint8 and frame.size:
        return np.ascontiguousarray(frame)
    raise refuse(GRAY, frame)


def check_picture(frame: Any) -> None:
    """Refuse an array that is not a picture to draw on.

    Raises:
        ArgumentError: It is neither gray nor RGB.
    """
    is_array = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and bool(frame.size)
    if is_array and (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        return
    raise refuse("a picture, uint8 [height, width] or [height, width, 3] in RGB", frame)


def check_images(images: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that is not a batch of images for a classifier.

    Raises:
        ArgumentError: It is not uint8 [N, 28, 28, 1].
    """
    if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == shape:
        return
    raise ArgumentError(
        f"expected images, uint8 [N, 28, 28, 1] with 0 = paper and 255 = ink, got {describe(images)}. "
        "edge_mnist.edge.reading.framing.frame_digits makes them from ink."
    )


def check_ink(ink: Any) -> None:
    """Refuse an array that is not ink to frame.

    Raises:
        ArgumentError: It is not uint8 [height, width].
    """
    if isinstance(ink, np.ndarray) and ink.ndim == 2 and ink.dtype == np.uint8:
        return
    raise refuse("ink, uint8 [height, width] with 0 = paper", ink)


def refuse(expected: str, value: Any) -> ArgumentError:
    """Make the error for a value that is not what was expected, with advice on how to convert it."""
    return ArgumentError(f"expected {expected}, got {describe(value)}. {_advise(value)}")


def describe(value: Any) -> str:
    """Describe a value: type and shape of an array, else its class."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return "None" if value is None else f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _advise(value: Any) -> str:
    """Advise how to convert a value."""
    if value is None:
        return "cv2.imread returns None if it cannot read a file; edge_mnist.read_gray(path) says why."
    if isinstance(value, (str, bytes)) or hasattr(value, "__fspath__"):
        return "Read a file with edge_mnist.read_gray(path)."
    if isinstance(value, np.ndarray):
        return _advise_on_array(value)
    return "Convert a Pillow picture: numpy.asarray(picture.convert('L'))."


def _advise_on_array(array: NDArray[Any]) -> str:
    is_colour = array.ndim == 3 and array.shape[0] > 1 and array.shape[-1] in {3, 4}
    if not array.size:
        return "It has no pixels."
    if array.ndim != 2 and not is_colour:
        return "Pass one picture, e.g. numpy.squeeze(frame) if the other dimensions are 1."
    if array.dtype == np.bool_:
        return "Convert it to uint8: frame.astype(numpy.uint8) * 255."
    if array.dtype == np.uint16:
        return "Convert it to uint8: (frame / 257).round().astype(numpy.uint8) if its values are from 0 to 65535."
    if array.dtype != np.uint8:
        return "Convert it to uint8: (255 * frame).round().astype(numpy.uint8) if its values are from 0 to 1."
    return "Convert colour to gray: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for OpenCV's order of colours."
