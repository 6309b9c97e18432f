"""Buffers of a Raspberry Pi's camera: brightness as a view, colour as a copy, each released exactly once."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import cv
from ..camera import CameraError

# Formats whose buffers begin with the plane of brightness.
LUMA_FIRST = frozenset({"NV12", "NV21", "YUV420", "YVU420"})


@dataclass(frozen=True)
class BufferLayout:
    """The layout of a stream's pixels in its buffers.

    Attributes:
        pixels: Name of the pixel format, e.g. `YUV420`.
        width: Frame width in pixels.
        height: Frame height in pixels.
        stride: Bytes from one row to the next.
    """

    pixels: str
    width: int
    height: int
    stride: int


def read_layout(stream: Mapping[str, Any]) -> BufferLayout:
    """Read the layout of a stream as picamera2 describes it after libcamera has changed it."""
    (width, height), stride = stream["size"], stream["stride"]
    return BufferLayout(str(stream["format"]), width, height, stride)


def view_luma(buffer: NDArray[np.uint8], layout: BufferLayout) -> NDArray[np.uint8]:
    """Return a view of the brightness plane of a buffer: uint8 [height, width], rows `stride` bytes apart.

    Raises:
        CameraError: The buffer is too short for the layout.
    """
    length = layout.stride * layout.height
    if buffer.nbytes < length:
        raise CameraError(
            f"a buffer of {buffer.nbytes} bytes, expected at least {length} for {layout.height} rows of "
            f"{layout.stride}. Another program changed the camera's settings; open it again."
        )
    return buffer.reshape(-1)[:length].reshape(layout.height, layout.stride)[:, : layout.width]


# Conversion of picamera2's array to RGB, by format. Format names are of numbers, whose first byte comes last in
# memory: red comes first in BGR888, blue in RGB888.
TO_RGB: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "BGR888": lambda array: array,
    "RGB888": lambda array: array[..., ::-1],
    "XBGR8888": lambda array: array[..., :3],
    "XRGB8888": lambda array: array[..., 2::-1],
    "YUV420": lambda array: cv.cvtColor(array, cv.COLOR_YUV2RGB_I420),
    "YVU420": lambda array: cv.cvtColor(array, cv.COLOR_YUV2RGB_YV12),
    "NV12": lambda array: cv.cvtColor(array, cv.COLOR_YUV2RGB_NV12),
    "NV21": lambda array: cv.cvtColor(array, cv.COLOR_YUV2RGB_NV21),
}


def copy_rgb(request: Any, layout: BufferLayout) -> NDArray[np.uint8]:
    """Copy the main stream of a request in colour, uint8 [height, width, 3]."""
    rgb = TO_RGB[layout.pixels](request.make_array("main"))
    # picamera2 keeps the padding at the end of rows of planar formats.
    return np.ascontiguousarray(rgb[:, : layout.width])


class HeldRequest:
    """A request and the mapping of its buffer, released once, by the reader or by `close`."""

    def __init__(self, request: Any, mapping: Any) -> None:
        """Map the buffer; `array` is its content, uint8 [bytes]."""
        self._request = request
        self._mapping = mapping
        # So that no colours are read from a buffer that another thread releases.
        self._lock = threading.Lock()
        self.array: NDArray[np.uint8] = mapping.__enter__().array

    def read_rgb(self, layout: BufferLayout) -> NDArray[np.uint8]:
        """Copy the main stream in colour, see `copy_rgb`.

        Raises:
            CameraError: It was released before.
        """
        with self._lock:
            if self._request is None:
                raise CameraError("the frame was returned to the camera; its colours are no longer available.")
            return copy_rgb(self._request, layout)

    def release(self) -> None:
        """Release the request, unless it is released already."""
        with self._lock:
            request, self._request = self._request, None
            if request is None:
                return
            del self.array
            try:
                # An allocator that maps a buffer again for each use cannot undo that while its pixels are referenced;
                # the mapping is then freed with them.
                with suppress(BufferError):
                    self._mapping.__exit__(None, None, None)
            finally:
                request.release()
