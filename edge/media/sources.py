"""The inputs of `edge-mnist run`: files, folders, patterns and standard input, as frames one after the other."""

import glob
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError
from ..common.files import open_file_or_pipe
from ..common.kinds import Kind
from ..common.network.credentials import mask_address
from . import pictures
from .listing import EXPECTED, SUFFIXES, describe_left_out, is_video, list_folder, list_matches
from .pictures import PictureError, read_gray, read_rgb
from .streams import split_pictures
from .videos import Spacing, VideoFrame, read_video

__all__ = ["SUFFIXES"]

STANDARD_INPUT = "-"
JPEG_START = b"\xff\xd8"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceFrame:
    """One picture, or one frame of a video or stream.

    Attributes:
        source: The file as the user named it, or `-`.
        index: Number of the frame in a video or stream, from 0; None for a picture.
        time_s: Seconds since the beginning of the video; None if there is no clock.
        gray: Gray pixels, uint8 [height, width].
        read_rgb: Function that returns the frame in colour, uint8 [height, width, 3]. It decodes pictures again, so
            that reading does not depend on whether the frame is shown; raises PictureError if the file has gone
            meanwhile.
        is_photograph: Whether it came from JPEG or a video, so that storing it as JPEG loses nothing more.
        load_ms: Milliseconds spent on decoding.
        share: Share of the source that has been read with this frame, in [0, 1].
        is_of_listed_video: Whether it is of a video that was found in a folder or by a pattern.
    """

    source: str
    index: int | None
    time_s: float | None
    gray: NDArray[np.uint8]
    read_rgb: Callable[[], NDArray[np.uint8]]
    is_photograph: bool
    load_ms: float
    share: float = 1.0
    is_of_listed_video: bool = False

    @property
    def name(self) -> str:
        """The frame's name for people."""
        if self.index is None:
            return self.source
        if self.time_s is None:
            return f"{_name_stream(self.source)}, picture {self.index}"
        return f"{self.source}, frame {self.index} at {self.time_s:.2f} s"

    def without_pixels(self) -> "SourceFrame":
        """Return the same frame without its pixels, to send to another process."""
        return replace(self, gray=np.empty((0, 0), np.uint8), read_rgb=_read_nothing)


class InputSource(Protocol):
    """One input to read."""

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield its frames, and an error for each that cannot be read; may also raise a PictureError."""
        ...


@dataclass(frozen=True)
class PictureFile:
    """A file with one picture."""

    path: Path

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the one frame."""
        started = time.perf_counter()
        gray = read_gray(self.path)
        is_photograph = self.path.suffix.lower() in pictures.FORMATS["JPEG"]
        yield SourceFrame(
            printable(self.path), None, None, gray, partial(read_rgb, self.path), is_photograph, _since(started)
        )


@dataclass(frozen=True)
class VideoSource:
    """A video, of which the frames selected by its spacing are read."""

    path: Path
    spacing: Spacing
    is_listed: bool = False

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the frames in order."""
        source = printable(self.path)
        started = time.perf_counter()
        for frame in read_video(self.path, self.spacing):
            gray = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
            yield SourceFrame(
                source,
                frame.index,
                frame.time_s,
                gray,
                partial(_colour, frame),
                True,
                _since(started),
                frame.share,
                self.is_listed,
            )
            started = time.perf_counter()


class StandardInput:
    """Standard input with one picture, or many back to back."""

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the pictures as they arrive; a damaged one is an error, and the next is read."""
        # A program without a terminal may have been started without any standard input.
        if sys.stdin is None or sys.stdin.isatty():
            raise PictureError("standard input: expected a picture, got none. Pipe one in, e.g. `< page.png`.")
        yield from _read_stream(sys.stdin.buffer, STANDARD_INPUT)


@dataclass(frozen=True)
class Pipe:
    """A pipe with the name of a file, as /dev/stdin and `<(...)` are; read like standard input."""

    path: Path

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the pictures as they arrive; a damaged one is an error, and the next is read."""
        try:
            stream = open_file_or_pipe(self.path)
        except EdgeMnistError as error:
            raise PictureError(str(error)) from error
        with stream:
            yield from _read_stream(stream, printable(self.path))


@dataclass(frozen=True)
class MissingSource:
    """An argument that names no picture."""

    reason: str

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Raise the error that explains it."""
        yield PictureError(self.reason)


class LeftOutError(PictureError):
    """Files that look like pictures or videos, but are of kinds that are not read.

    Attributes:
        source: Folder, pattern or file that the user named.
        kinds: Kind of each file, by its path.
    """

    def __init__(self, source: str, kinds: dict[Path, Kind]) -> None:
        cures = " ".join(dict.fromkeys(kind.advice for kind in kinds.values()))
        super().__init__(f"{source}: {describe_left_out(kinds)}. {cures}")
        self.source = source
        self.kinds = kinds

    def __reduce__(self) -> tuple[type["LeftOutError"], tuple[str, dict[Path, Kind]]]:
        """Return what makes the error again in another process."""
        return LeftOutError, (self.source, self.kinds)


@dataclass(frozen=True)
class LeftOut:
    """The files of a folder or pattern that are of kinds that are not read."""

    source: str
    kinds: dict[Path, Kind]

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Raise an error that names them."""
        yield LeftOutError(self.source, self.kinds)


def find_sources(
    arguments: tuple[str, ...], spacing: Spacing, tell: Callable[[str], None] = log.warning
) -> list[InputSource]:
    """List the inputs that files, folders (without subfolders and hidden files), patterns and `-` stand for, in order.

    Args:
        arguments: Arguments as typed.
        spacing: Spacing of the frames to read from videos.
        tell: Function that takes a sentence naming the other files of a folder or pattern.

    Returns:
        One source for each file. An argument that matches nothing is a source of one error, and so are the files of
        a folder that look like pictures and are not read.
    """
    sources: list[InputSource] = []
    for argument in arguments:
        try:
            sources += [StandardInput()] if argument == STANDARD_INPUT else _expand(argument, spacing, tell)
        except OSError as error:
            sources.append(MissingSource(f"{argument}: cannot be read ({error.strerror})."))
    return sources


def read_all(sources: list[InputSource]) -> Iterator[tuple[float, SourceFrame | PictureError]]:
    """Read one source after the other.

    Yields:
        The number of sources read so far, including the share of the current one, and a frame or the reason why there
        is none.
    """
    for position, source in enumerate(sources):
        try:
            for frame in source.frames():
                share = frame.share if isinstance(frame, SourceFrame) else 0.0
                yield position + share, frame
        except PictureError as error:
            yield position + 1.0, error


def _expand(argument: str, spacing: Spacing, tell: Callable[[str], None]) -> list[InputSource]:
    path = Path(argument)
    if "://" in argument and not path.exists():
        return [
            MissingSource(
                f"{mask_address(argument)}: expected files, got an address. `edge-mnist live --camera` reads "
                "streams; pipe the output of a downloader into `edge-mnist run -`."
            )
        ]
    if path.is_dir():
        listing = list_folder(path)
    elif path.exists() or not glob.has_magic(argument):
        return [Pipe(path) if path.is_fifo() else choose_source(path, spacing)]
    else:
        listing = list_matches(argument)
    sources = [choose_source(one, spacing, is_listed=True) for one in listing.paths]
    if listing.non_media:
        tell(f"{argument}: {describe_left_out(listing.non_media)}.")
    if listing.unread:
        sources.append(LeftOut(argument, listing.unread))
    return sources or [MissingSource(f"{argument}: no pictures found. {EXPECTED}")]


def _read_stream(stream: BinaryIO, source: str) -> Iterator[SourceFrame | PictureError]:
    origin, index = _name_stream(source), -1
    for index, picture in enumerate(split_pictures(stream, origin)):
        started = time.perf_counter()
        name = f"{origin}, picture {index}"
        try:
            yield replace(read_content(name, picture, started), source=source, index=index, share=0.0)
        except PictureError as error:
            yield error
    if index < 0:
        raise PictureError(f"{origin}: expected a picture, got nothing. Pipe one in, e.g. `< page.png`.")


def read_content(source: str, content: bytes, started: float) -> SourceFrame:
    """Read the content of a picture file as a frame; `started` is when its loading began, as of `perf_counter`.

    Raises:
        PictureError: It cannot be read.
    """
    gray = read_gray(content, source)
    is_photograph = content.startswith(JPEG_START)
    return SourceFrame(source, None, None, gray, partial(read_rgb, content, source), is_photograph, _since(started))


def _name_stream(source: str) -> str:
    return "standard input" if source == STANDARD_INPUT else source


def choose_source(path: Path, spacing: Spacing, is_listed: bool = False) -> InputSource:
    """Choose how to read a file by its first bytes."""
    try:
        return VideoSource(path, spacing, is_listed) if is_video(path) else PictureFile(path)
    except OSError:
        # Reading it raises the error that explains why.
        return PictureFile(path)


def printable(path: Path) -> str:
    """Return a path with replacements for bytes that are not UTF-8: names may hold any bytes, output may not."""
    return os.fsencode(path).decode(errors="replace")


def _colour(frame: VideoFrame) -> NDArray[np.uint8]:
    return cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _read_nothing() -> NDArray[np.uint8]:
    return np.empty((0, 0, 3), np.uint8)


def _since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 3)
