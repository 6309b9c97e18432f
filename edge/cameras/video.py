"""A video file as a camera: played at its own speed, or read at full speed."""

import time
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..common.network.time_limits import LONGEST_PERIOD_S
from ..common.opencv import cv
from ..media.jpeg_video import JpegVideo
from ..media.pictures import PictureError
from ..media.videos import Complaints, check_whole, grab, open_video
from .camera import CameraFileError, CameraFrame, CameraOptions, CameraUnsupportedError, Pace, make_owned_frame
from .damage import DamageCounter
from .orientation import choose_orientation

# A faster rate means a container without a clock, which states e.g. 90,000.
FASTEST_FPS = 1000


class VideoCamera:
    """A camera that plays a video file; gray is computed from its colours as `edge-mnist run` does.

    OpenCV could also return the brightness as it is stored, and save a third of a millisecond at 640x480. But then dark
    and light depend on the video's range (16 to 235, or 0 to 255), and OpenCV warns on standard error at every frame.
    """

    sizes_differ = False

    def __init__(self, path: Path, options: CameraOptions) -> None:
        """Open the file.

        Raises:
            CameraUnsupportedError: Missing, too large, not a video, or one that does not state its frame rate.
        """
        self._path = path
        self._damage = DamageCounter(str(path))
        self._loop = options.loop
        self._orientation = choose_orientation(options)
        self._complaints = Complaints()
        try:
            self._capture = open_video(path, self._complaints)
        except PictureError as error:
            self._complaints.close()
            raise CameraUnsupportedError(str(error)) from error
        try:
            fps = self._choose_fps(options.fps)
        except CameraUnsupportedError:
            self.close()
            raise
        self.waits = fps == 0
        self._pace = Pace(fps)
        # Since the file was opened: number of frames, and when the last one is shown, in milliseconds.
        self._count = 0
        self._time_ms = 0.0
        self._has_own_times = options.fps is None
        self.description = f"{path}, {self._describe()}, {f'{fps:g} fps' if fps else 'as fast as possible'}"

    def grab(self) -> CameraFrame | None:
        """Return the next frame when it is due; None at the end.

        Raises:
            CameraFileError: It is damaged, cut off, or gone when it starts over.
        """
        if not self._advance():
            return None
        # Grabbed means decoded; this only copies and changes the order of colours.
        _, pixels = self._capture.retrieve()
        bgr = cast("NDArray[np.uint8]", pixels)
        gray = self._orientation.turn(cv.cvtColor(bgr, cv.COLOR_BGR2GRAY))
        self._pace.wait(self._measure_period_s())
        return make_owned_frame(gray, time.monotonic(), partial(self._colour, bgr))

    @property
    def damaged(self) -> int:
        """Number of damaged frames that were left out, see `Camera`."""
        return self._damage.count

    def close(self) -> None:
        """Close the file."""
        self._capture.release()
        self._complaints.close()

    def _choose_fps(self, asked: float | None) -> float:
        fps = self._capture.get(cv2.CAP_PROP_FPS) if asked is None else asked
        if asked is None and not 0 < fps <= FASTEST_FPS:
            raise CameraUnsupportedError(
                f"{self._path}: its header has no usable frame rate ({fps:g} frames per second). Set the frames "
                "per second (--fps); 0 plays as fast as possible."
            )
        return fps

    def _describe(self) -> str:
        width, height, codec = (
            int(self._capture.get(key))
            for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FOURCC)
        )
        letters = codec.to_bytes(4, "little", signed=codec < 0).decode("ascii", "replace").rstrip("\0")
        return f"{self._orientation.describe(width, height)} {letters}"

    def _advance(self) -> bool:
        """Decode the next frame, or the first again after the last; return False at the end."""
        try:
            while grab(self._capture, self._complaints):
                if isinstance(self._capture, JpegVideo) and self._capture.is_damaged:
                    self._damage.add(self._capture.damage)
                    continue
                self._count += 1
                return True
            check_whole(self._path, self._count, self._capture, self._complaints)
            if not self._loop:
                return False
            # Seeking would be no quicker, and misses frames of streams that have no index.
            self._capture.release()
            self._capture = open_video(self._path, self._complaints)
        except cv2.error as error:
            raise CameraFileError(f"{self._path}: cannot be decoded further ({error.err}).") from error
        except PictureError as error:
            raise CameraFileError(str(error)) from error
        self._count, self._time_ms = 0, 0.0
        return self._advance()

    def _measure_period_s(self) -> float | None:
        """Measure the time since the frame before, by the file's own times, in seconds; None if it has none."""
        period_s = (self._capture.get(cv2.CAP_PROP_POS_MSEC) - self._time_ms) / 1000
        # Streams without times, and some last frames, report 0.
        if period_s <= 0 or not self._has_own_times:
            return None
        self._time_ms += 1000 * period_s
        return min(period_s, LONGEST_PERIOD_S)

    def _colour(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._orientation.turn(cv.cvtColor(bgr, cv.COLOR_BGR2RGB))
