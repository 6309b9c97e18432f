"""The buffers of a Raspberry Pi's camera: brightness as a view, colour as a copy, each given back exactly once."""

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
    """How a stream's pixels lie in its buffers.

    Attributes:
        pixels: Their format's name, e.g. `YUV420`.
        width: Of a frame, pixels.
        height: The same.
        stride: From one row to the next, bytes.
    """

    pixels: str
    width: int
    height: int
    stride: int


def read_layout(stream: Mapping[str, Any]) -> BufferLayout:
    """A stream as picamera2 describes it after libcamera had its way."""
    (width, height), stride = stream["size"], stream["stride"]
    return BufferLayout(str(stream["format"]), width, height, stride)


def view_luma(buffer: NDArray[np.uint8], layout: BufferLayout) -> NDArray[np.uint8]:
    """The plane of brightness in a buffer, in place: uint8 [height, width], rows `stride` bytes apart.

    Raises:
        CameraError: The buffer is too short for it.
    """
    length = layout.stride * layout.height
    if buffer.nbytes < length:
        raise CameraError(
            f"a buffer of {buffer.nbytes} bytes, expected at least {length} for {layout.height} rows of "
            f"{layout.stride}. The camera was set up anew by somebody else; open it again."
        )
    return buffer.reshape(-1)[:length].reshape(layout.height, layout.stride)[:, : layout.width]


# By format, what makes RGB of picamera2's array. Its names are of numbers, whose first byte comes last in memory: of
# BGR888 red comes first, of RGB888 blue.
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
    """The main stream of a request in colour, uint8 [height, width, 3], a copy."""
    rgb = TO_RGB[layout.pixels](request.make_array("main"))
    # Of planar formats picamera2 leaves the padding at the end of rows.
    return np.ascontiguousarray(rgb[:, : layout.width])


class HeldRequest:
    """A request and the mapping of its buffer, given back once, by whoever comes first: the reader, or `close`."""

    def __init__(self, request: Any, mapping: Any) -> None:
        """Map the buffer; `array` is what is in it, uint8 [bytes]."""
        self._request = request
        self._mapping = mapping
        # So that nobody reads colours of a buffer that another thread gives back.
        self._lock = threading.Lock()
        self.array: NDArray[np.uint8] = mapping.__enter__().array

    def read_rgb(self, layout: BufferLayout) -> NDArray[np.uint8]:
        """See `copy_rgb`.

        Raises:
            CameraError: It was given back.
        """
        with self._lock:
            if self._request is None:
                raise CameraError("the frame was given back to the camera; its colours are gone.")
            return copy_rgb(self._request, layout)

    def release(self) -> None:
        """Give it back, if it is not."""
        with self._lock:
            request, self._request = self._request, None
            if request is None:
                return
            del self.array
            try:
                # An allocator that maps a buffer anew for each use cannot undo that as long as somebody has the pixels;
                # then it is undone with them.
                with suppress(BufferError):
                    self._mapping.__exit__(None, None, None)
            finally:
                request.release()
