"""A folder of pictures as a camera: for experiments, and for cameras that store pictures."""

import logging
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..common.kinds import Kind
from ..media.listing import EXPECTED, describe_left_out, is_video, list_folder
from ..media.pictures import PictureError, read_gray, read_rgb
from .camera import (
    CameraError,
    CameraFileError,
    CameraFrame,
    CameraOptions,
    CameraUnsupportedError,
    Pace,
    make_owned_frame,
)
from .orientation import choose_orientation

DEFAULT_FPS = 1.0
VIDEO = Kind("a video; name the video itself as the camera", "video")

log = logging.getLogger(__name__)


class FolderCamera:
    """A camera that shows a folder's pictures in the order of their names, of any sizes; damaged ones are left out.

    The names are listed at the beginning of each round.
    """

    sizes_differ = True

    def __init__(self, folder: Path, options: CameraOptions) -> None:
        """List the pictures.

        Raises:
            CameraUnsupportedError: There are no pictures, or the folder cannot be read.
        """
        fps = DEFAULT_FPS if options.fps is None else options.fps
        self.waits = fps == 0
        self._folder = folder
        self._loop = options.loop
        self._orientation = choose_orientation(options)
        self._pace = Pace(fps)
        self._damaged: dict[Path, str] = {}
        self._left_out: dict[Path, Kind] = {}
        self._paths = self._list()
        speed = f"{fps:g} fps" if fps else "as fast as possible"
        self.description = (
            f"{folder} ({len(self._paths)} {'picture' if len(self._paths) == 1 else 'pictures'}), {speed}"
        )
        self._frames = self._give()

    def grab(self) -> CameraFrame | None:
        """Return the next picture when it is due; None after the last.

        Raises:
            CameraError: None of the pictures can be read, or the folder is gone.
            CameraFileError: Raised after the last picture if some could not be read.
        """
        return next(self._frames, None)

    @property
    def damaged(self) -> int:
        """Number of damaged pictures that were left out, see `Camera`."""
        return len(self._damaged)

    def close(self) -> None:
        """Stop; no more pictures are returned."""
        self._frames.close()

    def _list(self) -> list[Path]:
        try:
            listing = list_folder(self._folder)
            moving = {path: VIDEO for path in listing.paths if is_video(path)}
        except OSError as error:
            raise CameraUnsupportedError(f"{self._folder}: cannot be read ({error.strerror}).") from error
        left_out = moving | listing.left_out
        new = {path: kind for path, kind in left_out.items() if path not in self._left_out}
        for level, matters in ((logging.WARNING, True), (logging.INFO, False)):
            if named := {path: kind for path, kind in new.items() if (kind.holds != "other") == matters}:
                log.log(level, "%s: %s.", self._folder, describe_left_out(named))
        self._left_out = left_out
        paths = [path for path in listing.paths if path not in moving]
        if not paths:
            raise CameraUnsupportedError(f"{self._folder}: no pictures found. {EXPECTED}")
        return paths

    def _give(self) -> Generator[CameraFrame, None, None]:
        while True:
            shown = 0
            for path in self._paths:
                if frame := self._read(path):
                    shown += 1
                    yield frame
            if not shown:
                reason = next(iter(self._damaged.values()))
                raise CameraError(
                    f"{self._folder}: none of {len(self._paths)} pictures can be read; the first: {reason}"
                )
            if not self._loop:
                break
            self._paths = self._list()
        if self._damaged:
            raise CameraFileError(
                f"{self._folder}: {len(self._damaged)} of {len(self._paths)} pictures could not be read; the first: "
                f"{next(iter(self._damaged.values()))}"
            )

    def _read(self, path: Path) -> CameraFrame | None:
        try:
            gray = self._orientation.turn(read_gray(path))
        except PictureError as error:
            if path not in self._damaged:
                log.warning("%s", error)
            self._damaged[path] = str(error)
            return None
        self._pace.wait()
        return make_owned_frame(gray, time.monotonic(), partial(self._read_rgb, path))

    def _read_rgb(self, path: Path) -> NDArray[np.uint8]:
        try:
            return self._orientation.turn(read_rgb(path))
        except PictureError as error:
            raise CameraError(f"{error}") from error
