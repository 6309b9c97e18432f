"""Read video files one frame at a time, by OpenCV and its FFmpeg, and collect what these complain about."""

import io
import math
import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError
from ..common.files import open_file
from ..common.kinds import PROBE_BYTES, UNKNOWN, identify_kind
from ..common.native_log import native_log_to, open_memory_file, show_native_log
from .jpeg_video import JpegVideo, choose_capture
from .pictures import MOST_MEGAPIXELS, PictureError, too_large

# The same for `run`, `live` and folders. A file of another name is a video if its first bytes are; see `kinds.py`.
SUFFIXES = frozenset({
    ".264", ".265", ".3gp", ".avi", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mjpeg",
    ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
# FFmpeg goes by a file's content, not by its name, and knows playlists that make it open other files or the network.
DEMUXERS = (
    "3g2,3gp,asf,avi,flv,h264,hevc,ivf,jpeg_pipe,m4a,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,ogg,webm,"
    "yuv4mpegpipe"
)
OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
OPTIONS = f"protocol_whitelist;file|format_whitelist;{DEMUXERS}"

# How FFmpeg and OpenCV begin a line: the decoder's name and its address in memory, or the kind and time. One message
# has neither (libavformat/utils.c).
COMPLAINT = re.compile(
    rb"(?:\[\s*\w[^\]]*@ ?[^\]]*\] ?(?:global \S+ \w+ )?|(?=Truncating packet of size \d))(.*)", re.DOTALL
)
CLOCK_TOLERANCE_S = 0.002
# Raw streams state absurd lengths; this is a year at 30 frames a second.
LONGEST_VIDEO_FRAMES = 1_000_000_000


@dataclass(frozen=True)
class Spacing:
    """Selection of frames: the first, and each that is `frames` after the last one and in another stretch of time.

    Stretches have a fixed length in seconds and begin with the video, so that delays do not add up.

    Raises:
        ValueError: Less than one frame, or a time that is negative or not a number.
    """

    frames: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.seconds < math.inf:
            raise ValueError(f"expected at least 1 frame and 0 seconds, got {self.frames} and {self.seconds}.")


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: Number of the frame, from 0; frames that are not read count, too.
        time_s: Seconds since the beginning.
        share: Share of the video that has been read with it, in [0, 1]; 0 if the video does not state its length.
        pixels: Colour pixels, uint8 [height, width, 3], blue first.
    """

    index: int
    time_s: float
    share: float
    pixels: NDArray[np.uint8]


# More messages than this, in bytes, are not kept in memory.
MOST_HELD_BYTES = 1 << 20


class Complaints:
    """Messages of FFmpeg and OpenCV on standard error about a video; other output there is passed on.

    Attributes:
        first: The first message; empty for a video without damage.
    """

    def __init__(self) -> None:
        self.first = ""
        self._held = open_memory_file()
        self._sorted_bytes = 0

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Collect the messages that they write within the block."""
        if self._sorted_bytes > MOST_HELD_BYTES:
            self._held.close()
            self._held, self._sorted_bytes = open_memory_file(), 0
        try:
            with native_log_to(self._held):
                yield
        finally:
            self._sort()

    def close(self) -> None:
        """Stop collecting."""
        self._held.close()

    def __del__(self) -> None:
        # For a camera that was not closed: the file is memory, and is freed with it.
        self.close()

    def _sort(self) -> None:
        """Sort what is new. The file is never rewound: another thread may be about to write to it."""
        file = self._held.fileno()
        if not (count := os.fstat(file).st_size - self._sorted_bytes):
            return
        new = os.pread(file, count, self._sorted_bytes)
        self._sorted_bytes += len(new)
        for line in io.BytesIO(new):
            if complaint := COMPLAINT.match(line):
                self.first = self.first or complaint[1].decode(errors="replace").strip()
            else:
                show_native_log(line)


def read_video(path: Path, spacing: Spacing) -> Iterator[VideoFrame]:
    """Decode a video frame by frame; at most one frame is held.

    Raises:
        PictureError: Before the first frame: missing, too large, or not a video. After the last: some were damaged
            or missing.
    """
    with closing(Complaints()) as complaints:
        capture = open_video(path, complaints)
        try:
            count = yield from _decode(capture, spacing, complaints)
            check_whole(path, count, capture, complaints)
        except cv2.error as error:
            raise PictureError(f"{path}: cannot be decoded further ({error.err}).") from error
        finally:
            capture.release()


def open_video(path: Path, complaints: Complaints) -> cv2.VideoCapture:
    """Open a video file, and no other file that its content may name.

    Args:
        path: Path of the file.
        complaints: Collector of the messages while it is opened.

    Raises:
        PictureError: Missing, too large, not a video, or of a name that OpenCV cannot take.
    """
    # OpenCV would only report that a missing file cannot be opened, as for any other error.
    try:
        with open_file(path) as file:
            beginning = file.read(PROBE_BYTES)
    except EdgeMnistError as error:
        raise PictureError(str(error)) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}).") from error
    if not beginning:
        raise PictureError(f"{path}: the file is empty.")
    kind = identify_kind(beginning)
    # An absolute path cannot be taken for a URL or an option.
    name = os.fspath(path.absolute())
    # OpenCV would end the process.
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise PictureError(f"{path}: its name is not UTF-8, which OpenCV expects. Rename it.") from error
    # One thread: FFmpeg's messages arrive while we collect them, not later from another thread. In this order no two
    # threads change the environment at a time.
    with complaints.listen(), _only_files():
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        if kind is UNKNOWN or kind.holds == "video":
            raise PictureError(f"{path}: not a video that FFmpeg can decode, or a damaged one.")
        raise PictureError(f"{path}: {kind.name}, not a video. {kind.advice}".rstrip())
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if size > MOST_MEGAPIXELS * 1_000_000:
        capture.release()
        raise too_large(str(path))
    return choose_capture(capture, MOST_MEGAPIXELS * 1_000_000)


def _decode(capture: cv2.VideoCapture, spacing: Spacing, complaints: Complaints) -> Generator[VideoFrame, None, int]:
    """Yield the frames that are due; return how many could be decoded."""
    announced = _announced_count(capture)
    frames_per_second = capture.get(cv2.CAP_PROP_FPS)
    index, due_index, due_s = 0, 0, 0.0
    while grab(capture, complaints):
        # Streams without timestamps, and some last frames, report 0.
        time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 or index / max(frames_per_second, 1)
        # Timestamps are rounded to the container's clock.
        if isinstance(capture, JpegVideo) and capture.is_damaged:
            index += 1
            continue
        if index >= due_index and time_s >= due_s - CLOCK_TOLERANCE_S:
            due_index, due_s = index + spacing.frames, _next_due_s(time_s, spacing.seconds)
            share = min(1.0, (index + 1) / announced) if announced else 0.0
            yield VideoFrame(index, round(time_s, 3), share, _retrieve(capture))
        index += 1
    return index - (capture.damaged if isinstance(capture, JpegVideo) else 0)


def _next_due_s(time_s: float, every_s: float) -> float:
    """Return when the next stretch begins, in seconds; see `Spacing`."""
    return every_s * (math.floor((time_s + CLOCK_TOLERANCE_S) / every_s) + 1) if every_s else time_s


def grab(capture: cv2.VideoCapture, complaints: Complaints) -> bool:
    """Decode the next frame; return False at the end."""
    with complaints.listen():
        return capture.grab()


def _retrieve(capture: cv2.VideoCapture) -> NDArray[np.uint8]:
    _, pixels = capture.retrieve()
    # Grabbed means decoded; this only copies and changes the order of colours.
    return cast("NDArray[np.uint8]", pixels)


def _announced_count(capture: cv2.VideoCapture) -> int:
    """Return the number of frames according to the container or FFmpeg's estimate; 0 if neither knows."""
    announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(announced) if 0 < announced < LONGEST_VIDEO_FRAMES else 0


def _check_jpegs(path: Path, capture: cv2.VideoCapture | JpegVideo) -> None:
    """Raise an error with the number of frames of a JPEG video that were left out, if any."""
    if isinstance(capture, JpegVideo) and capture.damaged:
        frames = "frame is damaged and was" if capture.damaged == 1 else "frames are damaged and were"
        raise PictureError(f"{path}: {capture.damaged} {frames} left out (the first: {capture.damage}).")


def check_whole(path: Path, count: int, capture: cv2.VideoCapture, complaints: Complaints) -> None:
    """Refuse a video with missing or damaged frames.

    A lower count alone proves nothing: it is often an estimate, and phones cut videos by marking frames as hidden.
    An AVI file counts its frames and cannot hide any. For the rest, FFmpeg has no messages about files without damage.

    Args:
        path: Path of the video.
        count: Number of frames that could be decoded.
        capture: The video's capture at its end.
        complaints: Messages about everything that was decoded.

    Raises:
        PictureError: Frames are missing or damaged.
    """
    announced = _announced_count(capture)
    if count == 0:
        raise PictureError(f"{path}: no frame can be decoded; the video is damaged.")
    if count < announced and (complaints.first or path.suffix.lower() == ".avi"):
        raise PictureError(
            f"{path}: {count} of about {announced} frames could be decoded; the video is truncated or damaged."
        )
    if complaints.first:
        raise PictureError(f"{path}: damaged, some of the {count} frames may be wrong (FFmpeg: {complaints.first}).")
    _check_jpegs(path, capture)


@contextmanager
def _only_files() -> Iterator[None]:
    """Make FFmpeg open this file and no other; OpenCV takes such options from the environment only."""
    before = os.environ.get(OPTIONS_VARIABLE)
    os.environ[OPTIONS_VARIABLE] = OPTIONS
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS_VARIABLE]
        else:
            os.environ[OPTIONS_VARIABLE] = before
