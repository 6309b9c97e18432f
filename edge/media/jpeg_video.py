"""Videos of JPEG pictures (Motion JPEG): FFmpeg finds the frames, and each is decoded as strictly as a picture.

FFmpeg's own decoder fills gaps, and decodes a frame of any size before the size can be checked.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .jpeg import DamagedJpegError, decode_jpeg

END = b"\xff\xd9"
CODEC = cv2.VideoWriter.fourcc(*"MJPG")


class JpegVideo:
    """An open cv2.VideoCapture of a JPEG video, with the same methods.

    Attributes:
        is_damaged: Whether the frame that was grabbed last has no pixels.
        damaged: Number of frames without pixels so far.
        damage: What was wrong with the first of them.
    """

    def __init__(self, capture: cv2.VideoCapture, most_pixels: int) -> None:
        """Make the capture return undecoded frames."""
        capture.set(cv2.CAP_PROP_FORMAT, -1)
        self.is_damaged = False
        self.damaged = 0
        self.damage = ""
        self._capture = capture
        self._most_pixels = most_pixels
        self._size = tuple(int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self._bgr: NDArray[np.uint8] | None = None

    def grab(self) -> bool:
        """Find and decode the next frame; return False at the end."""
        self._bgr = None
        if not self._capture.grab():
            return False
        found, jpeg = self._capture.retrieve()
        self.is_damaged = not found or not self._decode(jpeg.tobytes())
        self.damaged += self.is_damaged
        return True

    def retrieve(self) -> tuple[bool, NDArray[np.uint8] | None]:
        """Return the frame, uint8 [height, width, 3], blue first."""
        return self._bgr is not None, self._bgr

    def get(self, key: int) -> float:
        """Return a property of the capture."""
        return self._capture.get(key)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the capture is open."""
        return self._capture.isOpened()

    def release(self) -> None:
        """Close the capture."""
        self._capture.release()

    def _decode(self, jpeg: bytes) -> bool:
        # Some cameras omit the end marker.
        if not jpeg.rstrip(b"\0").endswith(END):
            jpeg += END
        try:
            pixels = decode_jpeg(jpeg, "RGB", self._most_pixels)
        except (DamagedJpegError, ValueError) as error:
            self.damage = self.damage or str(error).strip()
            return False
        self._bgr = cv.cvtColor(pixels, cv.COLOR_RGB2BGR)
        # OpenCV resizes the frames of any video in this way.
        if pixels.shape[1::-1] != self._size:
            self._bgr = cv.resize(self._bgr, self._size, interpolation=cv.INTER_AREA)
        return True


def choose_capture(capture: cv2.VideoCapture, most_pixels: int) -> Any:
    """Return the capture itself, or a JpegVideo if its frames are JPEG."""
    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == CODEC
    return JpegVideo(capture, most_pixels) if is_jpeg else capture
