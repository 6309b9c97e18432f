"""Video files: one frame at a time, by OpenCV and the FFmpeg in it; what it complains about is listened to."""

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
from ..common.kinds import PROBE_BYTES, UNKNOWN, identify
from ..common.native_log import native_log_to, open_memory_file, show_native_log
from .jpeg_video import JpegVideo, choose_capture
from .pictures import MOST_MEGAPIXELS, PictureError, too_large

# Of `run`, `live` and folders alike. A file of another name is a video if its first bytes are one's; see `kinds.py`.
SUFFIXES = frozenset({
    ".264", ".265", ".3gp", ".avi", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mjpeg",
    ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
# FFmpeg goes by what is in a file, not by its name, and knows playlists that make it open other files or the network.
DEMUXERS = (
    "3g2,3gp,asf,avi,flv,h264,hevc,ivf,jpeg_pipe,m4a,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,ogg,webm,"
    "yuv4mpegpipe"
)
OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
OPTIONS = f"protocol_whitelist;file|format_whitelist;{DEMUXERS}"

# How FFmpeg and OpenCV begin a line: the decoder's name and its address in memory, or what it is and when. One has none
# of these (libavformat/utils.c).
COMPLAINT = re.compile(
    rb"(?:\[\s*\w[^\]]*@ ?[^\]]*\] ?(?:global \S+ \w+ )?|(?=Truncating packet of size \d))(.*)", re.DOTALL
)
CLOCK_TOLERANCE_S = 0.002
# Raw streams announce nonsense; this is a year at 30 frames a second.
LONGEST_VIDEO_FRAMES = 1_000_000_000


@dataclass(frozen=True)
class Spacing:
    """Which frames are read: the first, and each that is so many frames after the last one and in another stretch.

    Stretches are so many seconds long and begin with the video, so that being late does not add up.

    Raises:
        ValueError: Less than one frame, or a time that is negative or no number.
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
        index: Its number, from 0, counting those that are not read, too.
        time_s: Since the beginning.
        share: How much of the video has been read with it, in [0, 1]; 0 where the video does not say how long it is.
        pixels: uint8 [height, width, 3], blue first.
    """

    index: int
    time_s: float
    share: float
    pixels: NDArray[np.uint8]


class Complaints:
    """What FFmpeg and OpenCV write to standard error about a video; what others write there meanwhile is passed on.

    Attributes:
        first: The first of them; empty for a video that is whole.
    """

    def __init__(self) -> None:
        self.first = ""
        self._held = open_memory_file()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Hold back what they write within the block."""
        try:
            with native_log_to(self._held):
                yield
        finally:
            if os.fstat(self._held.fileno()).st_size:
                self._sort()

    def close(self) -> None:
        """Listen no more."""
        self._held.close()

    def __del__(self) -> None:
        # Of a camera that nobody closed: the file is memory, and goes with it.
        self.close()

    def _sort(self) -> None:
        self._held.seek(0)
        for line in self._held.readlines():
            if complaint := COMPLAINT.match(line):
                self.first = self.first or complaint[1].decode(errors="replace").strip()
            else:
                show_native_log(line)
        self._held.seek(0)
        self._held.truncate()


def read_video(path: Path, spacing: Spacing) -> Iterator[VideoFrame]:
    """Decode a video frame by frame; never more than one is held.

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
            raise PictureError(f"{path}: cannot be decoded on ({error.err}).") from error
        finally:
            capture.release()


def open_video(path: Path, complaints: Complaints) -> cv2.VideoCapture:
    """Open a video file, and no other by it, whatever the file says.

    Args:
        path: The file.
        complaints: Listens meanwhile.

    Raises:
        PictureError: Missing, too large, not a video, or of a name that OpenCV cannot take.
    """
    # OpenCV would say of a missing file, as of anything else, that it cannot be opened.
    try:
        with open_file(path) as file:
            beginning = file.read(PROBE_BYTES)
    except EdgeMnistError as error:
        raise PictureError(str(error)) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}).") from error
    if not beginning:
        raise PictureError(f"{path}: the file is empty.")
    kind = identify(beginning)
    # An absolute path cannot be taken for a URL or an option.
    name = os.fspath(path.absolute())
    # OpenCV would end the process.
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise PictureError(f"{path}: its name is not UTF-8, which OpenCV expects. Rename it.") from error
    # One thread: what FFmpeg complains about comes while we listen, not later from another thread. In this order no two
    # threads change the environment at a time.
    with complaints.listen(), _only_files():
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        if kind is UNKNOWN or kind.holds == "video":
            raise PictureError(f"{path}: not a video that FFmpeg can decode, or a damaged one.")
        raise PictureError(f"{path}: {kind.name}, not a video. {kind.cure}".rstrip())
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if size > MOST_MEGAPIXELS * 1_000_000:
        capture.release()
        raise too_large(str(path))
    return choose_capture(capture, MOST_MEGAPIXELS * 1_000_000)


def _decode(capture: cv2.VideoCapture, spacing: Spacing, complaints: Complaints) -> Generator[VideoFrame, None, int]:
    """Give the frames that are due; return how many could be decoded."""
    announced = _announced_count(capture)
    frames_per_second = capture.get(cv2.CAP_PROP_FPS)
    index, due_index, due_s = 0, 0, 0.0
    while grab(capture, complaints):
        # Streams without timestamps, and some last frames, say 0.
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
    """When the next stretch begins, see `Spacing`."""
    return every_s * (math.floor((time_s + CLOCK_TOLERANCE_S) / every_s) + 1) if every_s else time_s


def grab(capture: cv2.VideoCapture, complaints: Complaints) -> bool:
    """Decode the next frame; False where none follows."""
    with complaints.listen():
        return capture.grab()


def _retrieve(capture: cv2.VideoCapture) -> NDArray[np.uint8]:
    _, pixels = capture.retrieve()
    # Grabbed means decoded; this only copies and changes the order of colours.
    return cast("NDArray[np.uint8]", pixels)


def _announced_count(capture: cv2.VideoCapture) -> int:
    """How many frames the container says, or FFmpeg estimates, that it has; 0 where neither knows."""
    announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(announced) if 0 < announced < LONGEST_VIDEO_FRAMES else 0


def _check_jpegs(path: Path, capture: cv2.VideoCapture | JpegVideo) -> None:
    """Say how many frames of a video of JPEG pictures were left out."""
    if isinstance(capture, JpegVideo) and capture.damaged:
        frames = "frame is damaged and was" if capture.damaged == 1 else "frames are damaged and were"
        raise PictureError(f"{path}: {capture.damaged} {frames} left out (the first: {capture.damage}).")


def check_whole(path: Path, count: int, capture: cv2.VideoCapture, complaints: Complaints) -> None:
    """Refuse to call a video read of which frames are missing or damaged.

    A lower count alone proves nothing: it is often an estimate, and phones cut videos by marking frames as hidden.
    An AVI file counts its frames and cannot hide any. As for the rest, FFmpeg is silent about files that are whole.

    Args:
        path: Of the video.
        count: Frames that could be decoded.
        capture: At its end.
        complaints: Of all that was decoded.

    Raises:
        PictureError: Frames are missing or damaged.
    """
    announced = _announced_count(capture)
    if count == 0:
        raise PictureError(f"{path}: not a single frame can be decoded; the video is damaged.")
    if count < announced and (complaints.first or path.suffix.lower() == ".avi"):
        raise PictureError(
            f"{path}: {count} of about {announced} frames could be decoded; the video is truncated or damaged."
        )
    if complaints.first:
        raise PictureError(f"{path}: damaged, some of the {count} frames may be wrong (FFmpeg: {complaints.first}).")
    _check_jpegs(path, capture)


@contextmanager
def _only_files() -> Iterator[None]:
    """Have FFmpeg open this file and no other; OpenCV takes such options from the environment alone."""
    before = os.environ.get(OPTIONS_VARIABLE)
    os.environ[OPTIONS_VARIABLE] = OPTIONS
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS_VARIABLE]
        else:
            os.environ[OPTIONS_VARIABLE] = before
