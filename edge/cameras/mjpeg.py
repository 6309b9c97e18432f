"""A network camera that sends an endless stream of JPEG pictures over HTTP, as many webcams, phones and printers do."""

import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.network import time_limits
from .camera import CameraError, CameraFrame, CameraOptions, Pace, make_owned_frame
from .damage import DamageCounter
from .http_stream import CONNECTIONS, HttpStream, parse_stream
from .jpeg_stream import JpegSplitter, decode_gray, decode_rgb
from .orientation import choose_orientation

# Longest time in seconds spent on reading data that have already arrived, to find the newest picture in them.
LONGEST_DRAINING_S = 0.02


class JpegFrame(NamedTuple):
    """A whole JPEG, its brightness, uint8 [height, width], and the arrival time of its last byte (monotonic)."""

    jpeg: bytes
    gray: NDArray[np.uint8]
    captured_s: float


class MjpegCamera:
    """A camera that returns the newest picture of a stream; older ones are dropped undecoded."""

    waits = False
    sizes_differ = False

    def __init__(self, url: str, options: CameraOptions) -> None:
        """Connect, and wait for the first picture.

        Args:
            url: Address, with user and password if the camera needs them.
            options: Requested settings; `fps` is the most pictures per second to take, the stream's size is fixed.

        Raises:
            CameraUnsupportedError: It needs another password, or is not a stream.
            CameraError: It does not respond, or sends no pictures.
        """
        address = parse_stream(url, CONNECTIONS)
        self._shown = address.shown
        self._limit_s = time_limits.frame_limit_s(options.fps)
        self._damage = DamageCounter(self._shown)
        self._orientation = choose_orientation(options)
        self._pace = Pace(options.fps or 0)
        self._splitter = JpegSplitter()
        self._shape: tuple[int, ...] | None = None
        deadline_s = time.monotonic() + time_limits.OPEN_S
        self._stream = HttpStream(address, deadline_s)
        try:
            first = self._read_picture(deadline_s)
        except BaseException:
            self.close()
            raise
        self._first: JpegFrame | None = first
        self._shape = first.gray.shape
        self.description = f"{self._shown}, {self._orientation.describe(*reversed(first.gray.shape))} MJPEG"

    def grab(self) -> CameraFrame | None:
        """Return the newest picture, or wait for the next one.

        Raises:
            CameraError: No picture came in time, the stream ended, or its pictures have another size now.
        """
        # Only whole pictures count, not bytes received.
        deadline_s = time.monotonic() + self._limit_s
        self._pace.wait()
        picture, self._first = self._first or self._read_picture(deadline_s), None
        if self._shape is not None and picture.gray.shape != self._shape:
            before, now = (f"{width}x{height}" for height, width in (self._shape, picture.gray.shape))
            raise CameraError(f"{self._shown}: the picture size changed from {before} to {now}.")
        return make_owned_frame(
            self._orientation.turn(picture.gray), picture.captured_s, partial(self._read_rgb, picture.jpeg)
        )

    @property
    def damaged(self) -> int:
        """Number of damaged pictures that were left out, see `Camera`."""
        return self._damage.count

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _read_picture(self, deadline_s: float) -> JpegFrame:
        """Read the newest picture that can be decoded."""
        damaged = 0
        while jpeg := self._read_newest(deadline_s):
            captured_s = time.monotonic()
            try:
                gray = decode_gray(jpeg)
            except CameraError as error:
                raise CameraError(f"{self._shown}: sends {error}") from error
            if gray is not None:
                return JpegFrame(jpeg, gray, captured_s)
            damaged += 1
            self._damage.add()
        raise CameraError(f"{self._shown}: {self._describe_silence(damaged)}")

    def _describe_silence(self, damaged: int) -> str:
        what = f"{damaged} pictures arrived, all damaged," if damaged else "no complete JPEG picture arrived"
        if self._shape is None:
            return f"{what} within {time_limits.OPEN_S:g} s of opening it."
        slower = f"{1 / (2 * self._limit_s):.1g}"
        return (
            f"{what} within {self._limit_s:g} s. If the camera is this slow, set its frames per second: with "
            f"--fps {slower} the limit is {time_limits.frame_limit_s(float(slower)):g} s."
        )

    def _read_newest(self, deadline_s: float) -> bytes | None:
        """Read all that has arrived and return the last picture; None if there is none in time."""
        pictures: list[bytes] = []
        while not pictures:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            pictures = self._feed(left_s)
        drained_s = time.monotonic() + LONGEST_DRAINING_S
        # If the stream ends or fails here, the next call will find the same.
        with suppress(CameraError):
            while time.monotonic() < drained_s and self._stream.has_more():
                pictures = self._feed(max(deadline_s - time.monotonic(), LONGEST_DRAINING_S)) or pictures
        return pictures[-1]

    def _feed(self, timeout_s: float) -> list[bytes]:
        chunk = self._stream.read(timeout_s)
        try:
            return self._splitter.feed(chunk)
        except CameraError as error:
            raise CameraError(f"{self._shown}: sends {error}") from error

    def _read_rgb(self, jpeg: bytes) -> NDArray[np.uint8]:
        rgb = decode_rgb(jpeg)
        if rgb is None:
            raise CameraError(f"{self._shown}: the colours of a picture are damaged.")
        return self._orientation.turn(rgb)
