"""Raw frames of webcams: where the brightness is in each format, and how to convert it to RGB."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .camera import CameraError
from .jpeg_stream import decode_gray, decode_rgb

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class RawFrame:
    """An undecoded frame.

    Attributes:
        content: Bytes of the frame, uint8 [bytes].
        width: Frame width in pixels.
        height: Frame height in pixels.
    """

    content: Pixels
    width: int
    height: int

    def rows(self, count: int, row_bytes: int) -> Pixels:
        """Return the bytes as rows, uint8 [count, stride]; drivers may pad each.

        Raises:
            CameraError: They do not divide into this many rows, or rows are shorter than `row_bytes`.
        """
        stride, rest = divmod(self.content.size, count)
        if rest or stride < row_bytes:
            raise CameraError(
                f"a frame of {self.content.size} bytes, expected {count} rows of at least {row_bytes} for "
                f"{self.width}x{self.height} pixels: it is incomplete, or the camera changed its format."
            )
        return self.content.reshape(count, stride)


@dataclass(frozen=True)
class WebcamFormat:
    """Functions that read frames of a format.

    Attributes:
        read_gray: Function that returns uint8 [height, width], a view if possible; None if the frame is damaged. Raises
            CameraError if its length is wrong.
        read_rgb: Function that returns uint8 [height, width, 3]; None and CameraError as for `read_gray`.
    """

    read_gray: Callable[[RawFrame], Pixels | None]
    read_rgb: Callable[[RawFrame], Pixels | None]


def _packed(luma_at: int, to_rgb: int) -> WebcamFormat:
    """Make a format of two bytes per pixel, one of them brightness."""

    def pairs(frame: RawFrame) -> Pixels:
        rows = frame.rows(frame.height, 2 * frame.width)
        return rows[:, : 2 * frame.width].reshape(frame.height, frame.width, 2)

    return WebcamFormat(
        lambda frame: cv.extractChannel(pairs(frame), luma_at), lambda frame: cv.cvtColor(pairs(frame), to_rgb)
    )


def _planar(to_rgb: int) -> WebcamFormat:
    """Make a format of a plane of brightness, then colours at half the size."""

    def rows(frame: RawFrame) -> Pixels:
        return frame.rows(frame.height * 3 // 2, frame.width)

    return WebcamFormat(
        lambda frame: rows(frame)[: frame.height, : frame.width],
        lambda frame: cv.cvtColor(rows(frame), to_rgb)[:, : frame.width],
    )


def _gray(frame: RawFrame) -> Pixels:
    return frame.rows(frame.height, frame.width)[:, : frame.width]


JPEG = WebcamFormat(
    lambda frame: decode_gray(frame.content.tobytes()), lambda frame: decode_rgb(frame.content.tobytes())
)
# By the four letters of V4L2's names.
FORMATS = {
    "MJPG": JPEG,
    "JPEG": JPEG,
    "YUYV": _packed(0, cv.COLOR_YUV2RGB_YUYV),
    "UYVY": _packed(1, cv.COLOR_YUV2RGB_UYVY),
    "NV12": _planar(cv.COLOR_YUV2RGB_NV12),
    "YU12": _planar(cv.COLOR_YUV2RGB_I420),
    "YV12": _planar(cv.COLOR_YUV2RGB_YV12),
    "GREY": WebcamFormat(_gray, lambda frame: cv.cvtColor(_gray(frame), cv.COLOR_GRAY2RGB)),
}


def prefer_formats(width: int, height: int) -> tuple[str, str]:
    """Choose which formats to request from a webcam, best first.

    Up to 640x480 USB 2 carries uncompressed frames at full rate, so none need be decoded; larger ones are slow.
    """
    return ("YUYV", "MJPG") if width * height <= 640 * 480 else ("MJPG", "YUYV")
