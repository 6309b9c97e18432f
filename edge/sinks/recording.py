"""Annotated pictures of the camera's view: as a video, or as stills in a folder."""

import logging
import os
import re
import shutil
import time
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..common.files import atomic_file
from ..live.documents import format_time
from ..live.events import Event, Sighting
from ..live.sink_thread import Backlog, SinkError
from .annotate import draw_sighting
from .drawing_folder import JPEG_QUALITY
from .video_file import CODECS, VideoFile

VIDEO_FPS = 15.0
# A longer time without frames, as while the camera is lost, is shortened to this: hours of one still would keep
# the encoder busy for minutes.
LONGEST_STILL_S = 10.0
# Longest repetition of the last frame at the end, because a stopped loop leaves little time to finish the file.
LONGEST_END_S = 0.5
# A recording ends while there is room to finish the file. OpenCV does not report a full disk.
LEAST_FREE_BYTES = 64 * 1024 * 1024
# Seconds between checks of the disk, when the recording is flushed, too.
LOOK_S = 2.0
# Stills are named by their time in UTC, so that names sort by it. Files with other names are never deleted.
STILL_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z\.digits\.jpg")

_logger = logging.getLogger(__name__)


class VideoSink:
    """A sink that records a video; an older file of that name is kept.

    A second of the file is a second of the clock: pictures are left out, or repeated if none came. All have the
    size of the first; others are fitted between black bars.
    """

    name: str
    backlog: Backlog = "newest"

    def __init__(self, path: Path, fps: float = VIDEO_FPS) -> None:
        """Check that a video can be written there; the file is created with the first picture.

        Args:
            path: Path that ends in .mp4 or .avi. If the file exists, NAME-2 is written, and so on.
            fps: Frames per second of the file.

        Raises:
            SinkError: Another suffix, a name that OpenCV cannot take, no such folder, or no permission to write there.
        """
        if path.suffix.lower() not in CODECS:
            raise SinkError(f"{path}: expected a name that ends in {' or '.join(CODECS)} for --record.")
        # OpenCV would end the process.
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError as error:
            raise SinkError(f"{path}: its name is not UTF-8, which OpenCV expects. Choose another --record.") from error
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise SinkError(f"{path}: {path.parent} is not a writable folder. Choose another --record.")
        self.name = str(path)
        self._path = path
        self._fps = fps
        self._file: VideoFile | None = None
        # By time.monotonic(): when the next frame of the file, and the next check of the disk, is due.
        self._due_s = self._look_s = 0.0

    def wants_picture(self) -> bool:
        """Whether the next frame of the file is due."""
        return time.monotonic() >= self._due_s

    def take(self, event: Event) -> None:
        """Write a frame if one is due.

        Raises:
            SinkError: The disk is almost full, the file cannot be written, or OpenCV cannot write such a file.
        """
        now_s = time.monotonic()
        if not isinstance(event, Sighting) or now_s < self._due_s or (drawn := draw_sighting(event)) is None:
            return
        self._require_room(now_s)
        if self._file is None:
            self._file = VideoFile(self._path, self._fps, drawn)
            if self._file.path != self._path:
                _logger.warning("%s exists: recording to %s instead.", self._path, self._file.path.name)
            # Each picture takes the place in the file that is nearest in time.
            self._due_s = now_s - 0.5 / self._fps
        self._repeat_until(now_s, self._file, LONGEST_STILL_S)
        self._file.write(drawn)
        self._due_s += 1 / self._fps

    def close(self) -> None:
        """Finish the file; the last frame lasts until now, or half a second."""
        if self._file is not None:
            self._repeat_until(time.monotonic(), self._file, LONGEST_END_S)
            self._file.finish()
            self._file = None

    def _repeat_until(self, now_s: float, file: VideoFile, longest_s: float) -> None:
        missed = max(0, int((now_s - self._due_s) * self._fps))
        for _ in range(min(missed, round(longest_s * self._fps))):
            file.repeat()
        self._due_s += missed / self._fps

    def _require_room(self, now_s: float) -> None:
        if now_s < self._look_s:
            return
        self._look_s = now_s + LOOK_S
        if self._file is not None:
            self._file.flush()
        free = shutil.disk_usage(self._path.parent).free
        if free < LEAST_FREE_BYTES:
            raise SinkError(f"{self._path}: the disk has only {free / 1e6:.0f} MB left, so the recording ends.")


class StillsSink:
    """A sink that writes a JPEG at each new announcement, or at fixed intervals, and keeps the newest files.

    An announcement that digits are gone is not worth a picture.
    """

    name: str
    backlog: Backlog = "newest"

    def __init__(self, folder: Path, every_s: float | None = None, kept_files: int = 1000) -> None:
        """Make the folder, with its parents.

        Args:
            folder: Folder for files such as 20250301T120000.250Z.digits.jpg; other files in it are not touched.
            every_s: Seconds between pictures; None for one at each new announcement.
            kept_files: Number of files to keep; beyond it the oldest are deleted, those of earlier runs included.

        Raises:
            SinkError: The folder cannot be created or written to.
        """
        self.name = str(folder)
        self._folder = folder
        self._every_s = every_s
        self._kept_files = kept_files
        self._due_s = 0.0
        # Whether the current announcement has no picture yet: its frame may have come without one.
        self._is_owed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder}: cannot be created ({error.strerror}). Choose another --stills.") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: no permission to write there. Choose another --stills.")
        self._written = deque(sorted(path for path in folder.iterdir() if STILL_NAME.fullmatch(path.name)))

    def wants_picture(self) -> bool:
        """Whether the next picture is due; it is not known in advance which frame has a new announcement."""
        return self._every_s is None or time.monotonic() >= self._due_s

    def take(self, event: Event) -> None:
        """Write the picture if it is due, and delete the oldest if there are too many.

        Raises:
            OSError: It cannot be written; no part of it remains.
        """
        if not isinstance(event, Sighting) or not self._is_due(event) or (drawn := draw_sighting(event)) is None:
            return
        self._is_owed = False
        self._due_s = time.monotonic() + (self._every_s or 0.0)
        self._save(drawn, self._folder / f"{re.sub('[-:]', '', format_time(event.captured_at))}.digits.jpg")
        while len(self._written) > self._kept_files:
            self._written.popleft().unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: every picture is already written."""

    def _is_due(self, sighting: Sighting) -> bool:
        if sighting.is_new:
            self._is_owed = len(sighting.rows) > 0
        if self._every_s is None:
            return self._is_owed
        return time.monotonic() >= self._due_s

    def _save(self, drawn: NDArray[np.uint8], path: Path) -> None:
        with atomic_file(path) as file:
            Image.fromarray(drawn).save(file, "JPEG", quality=JPEG_QUALITY)
        self._written.append(path)
