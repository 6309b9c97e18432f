"""Webcams through V4L2: OpenCV returns frames undecoded, so that only their brightness is decoded."""

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cv2.utils import logging
from numpy.typing import NDArray

from ..common.network.time_limits import frame_limit_s
from .camera import CameraError, CameraFrame, CameraOptions, CameraUnsupportedError, make_owned_frame, sane_timestamp
from .damage import DamageCounter
from .orientation import choose_orientation
from .v4l2 import query_name
from .webcam_formats import FORMATS, RawFrame, prefer_formats

# OpenCV reads this once, when the first device opens, as whole seconds; its default is 10 s.
TIMEOUT_VARIABLE = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"
# One is read while the other is being filled. With a single one most webcams would lose every other frame, because
# they begin a frame before the one before is released.
BUFFERS = 2
# Some webcams begin with frames that are cut off; this many in a row mean that it is broken.
MOST_DAMAGED = 10
# Source: linux/v4l2-controls.h, V4L2_EXPOSURE_MANUAL; exposure is in units of 100 microseconds.
EXPOSURE_MANUAL, EXPOSURE_UNIT_US = 1, 100

OpenCapture = Callable[[str, int], Any]


class WebcamCamera:
    """A device such as /dev/video0. Its frames may have another size than requested; its description names the size."""

    waits = False
    sizes_differ = False

    def __init__(
        self,
        path: Path,
        options: CameraOptions,
        open_capture: OpenCapture = cv2.VideoCapture,
        query: Callable[[Path], str] = query_name,
    ) -> None:
        """Open the device, configure it, and take a frame to check that it works.

        Args:
            path: Path of the device.
            options: Requested settings. A gain or a focus distance is refused: webcams have no unit for them.
            open_capture: Function that opens a device; another in tests.
            query: Function that returns a device's name; another in tests.

        Raises:
            CameraUnsupportedError: It is not a camera, or does not have a requested option.
            CameraError: It is not connected now, another program uses it, or it returns no frames.
        """
        _refuse_unitless(path, options)
        name = query(path)
        self._path = path
        self._damage = DamageCounter(str(path))
        self._orientation = choose_orientation(options)
        self._first: CameraFrame | None = None
        self._limit_s = math.ceil(frame_limit_s(options.fps, options.exposure_us))
        self._capture = _open(path, open_capture, self._limit_s)
        try:
            self._set_up(options)
            self._first = self.grab()
        except BaseException:
            self.close()
            raise
        size, fps = self._orientation.describe(self._width, self._height), self._capture.get(cv2.CAP_PROP_FPS)
        self.description = f"{path} ({name}), {size} {self._format}" + (f", {fps:g} fps" if fps > 0 else "")

    def grab(self) -> CameraFrame | None:
        """Return the next frame; damaged ones are left out.

        Raises:
            CameraError: No frame came in time, see `time_limits.py`, or only damaged ones, or one of another size.
        """
        first, self._first = self._first, None
        if first is not None:
            return first
        for _ in range(MOST_DAMAGED):
            raw, captured_s = self._read()
            gray = FORMATS[self._format].read_gray(raw)
            if gray is not None:
                return self._make_frame(raw, gray, captured_s)
            self._damage.add()
        raise CameraError(f"{self._path}: {MOST_DAMAGED} frames in a row were damaged. Try another cable or port.")

    @property
    def damaged(self) -> int:
        """Number of damaged frames that were left out, see `Camera`."""
        return self._damage.count

    def close(self) -> None:
        """Close the device."""
        self._first = None
        self._capture.release()

    def _set_up(self, options: CameraOptions) -> None:
        capture = self._capture
        capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        for format_name in prefer_formats(options.width, options.height):
            if capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*format_name)):
                break
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height)
        if options.fps:
            capture.set(cv2.CAP_PROP_FPS, options.fps)
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        self._set_controls(options)
        self._width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self._height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self._format = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")
        if self._format not in FORMATS:
            raise CameraUnsupportedError(
                f"{self._path}: delivers frames in the format {self._format!r}, expected one of {', '.join(FORMATS)}."
            )

    def _set_controls(self, options: CameraOptions) -> None:
        capture, requested = self._capture, []
        if options.exposure_us is not None:
            requested.append(("manual exposure", cv2.CAP_PROP_AUTO_EXPOSURE, EXPOSURE_MANUAL))
            requested.append(("this exposure", cv2.CAP_PROP_EXPOSURE, round(options.exposure_us / EXPOSURE_UNIT_US)))
        if options.focus == "auto":
            requested.append(("continuous autofocus", cv2.CAP_PROP_AUTOFOCUS, 1))
        for what, key, value in requested:
            # Drivers may accept a value and set the nearest that they support.
            if not capture.set(key, value) or capture.get(key) != value:
                raise CameraUnsupportedError(
                    f"{self._path}: has no {what}. `v4l2-ctl -d {self._path} -l` lists its controls."
                )

    def _read(self) -> tuple[RawFrame, float]:
        if not self._capture.grab():
            raise CameraError(
                f"{self._path}: no frame within {self._limit_s} s. It hangs, is unplugged, or another program uses it."
            )
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        came, content = self._capture.retrieve()
        width, height = (int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if (width, height) != (self._width, self._height):
            raise CameraError(
                f"{self._path}: the frame size changed from {self._width}x{self._height} to {width}x{height}."
            )
        if not came:
            raise CameraError(f"{self._path}: a frame was announced but did not arrive. Try another cable or port.")
        return RawFrame(content.reshape(-1), self._width, self._height), sane_timestamp(stamp_s)

    def _make_frame(self, raw: RawFrame, gray: NDArray[np.uint8], captured_s: float) -> CameraFrame:
        if gray.shape != (self._height, self._width):
            raise CameraError(
                f"{self._path}: a frame of {gray.shape[1]}x{gray.shape[0]}, expected {self._width}x{self._height}."
            )
        return make_owned_frame(self._orientation.turn(gray), captured_s, partial(self._read_rgb, raw))

    def _read_rgb(self, raw: RawFrame) -> NDArray[np.uint8]:
        rgb = FORMATS[self._format].read_rgb(raw)
        if rgb is None:
            raise CameraError(f"{self._path}: the colours of a frame are damaged.")
        return self._orientation.turn(rgb)


def _open(path: Path, open_capture: OpenCapture, limit_s: int) -> Any:
    os.environ.setdefault(TIMEOUT_VARIABLE, str(limit_s))
    # OpenCV would print where in its own code it failed.
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        capture = open_capture(str(path), cv2.CAP_V4L2)
    finally:
        logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise CameraError(
            f"{path}: cannot start capturing. Most likely another program uses it: `fuser -v {path}` shows which."
        )
    return capture


def _refuse_unitless(path: Path, options: CameraOptions) -> None:
    for what, value in (("gain", options.gain), ("focus", None if options.focus == "auto" else options.focus)):
        if value is not None:
            raise CameraUnsupportedError(
                f"{path}: a webcam's {what} has no standard unit. Set it with v4l2-ctl first; `v4l2-ctl -d {path} "
                "-l` lists the controls."
            )
