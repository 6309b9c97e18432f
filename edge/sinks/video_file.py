"""A video file that can be played up to its last second however the process ends: a signal, SIGKILL, a power cut.

OpenCV writes the index of an MP4 file at its end, and without it nothing can be played. Its FFmpeg has a kind of MP4
that is a series of fragments with an index each (.ismv), but buffers up to 256 kB of a file, which may be minutes
of a scene in which nothing moves. It passes fragments on at once if it writes to a pipe: so it does, and a thread
copies them to the file. AVI needs no index to be played, and 256 kB of its JPEGs are seconds.
"""

import os
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from ..live.sink_thread import SinkError

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
PIPE_BYTES = 65536


class VideoFile:
    """A new video file.

    Attributes:
        path: Path of the file: the requested one, or NAME-2, NAME-3, ... if that exists.
    """

    def __init__(self, path: Path, fps: float, first: NDArray[np.uint8]) -> None:
        """Create the file.

        Args:
            path: Path that ends in one of CODECS.
            fps: Frames per second of the file.
            first: First picture, uint8 [height, width, 3], RGB; all frames get its size.

        Raises:
            SinkError: It cannot be created, or OpenCV cannot write such a file.
        """
        # Encoders require even sides.
        width, height = (side - side % 2 for side in first.shape[1::-1])
        # The last written frame, BGR.
        self._frame = np.zeros((height, width, 3), np.uint8)
        self._pump: _Pump | None = None
        try:
            self._file = _create_free(path)
        except OSError as error:
            raise SinkError(f"{path}: cannot be created ({error.strerror}). Choose another --record.") from error
        self.path = Path(self._file.name)
        try:
            if path.suffix.lower() == ".mp4":
                self._writer, self._pump = _open_fragmented(self._file, fps, (width, height))
            else:
                self._writer = _open_writer(self.path, fps, (width, height), CODECS[path.suffix.lower()])
            if not self._writer.isOpened():
                raise SinkError(f"{path}: OpenCV cannot write it. Try the other of {' and '.join(CODECS)}.")
        except (OSError, SinkError) as error:
            self._file.close()
            self.path.unlink()
            if isinstance(error, OSError):
                raise SinkError(f"{path}: there is no folder for temporary files ({error}). Set TMPDIR.") from error
            raise

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Write a picture, uint8 [height, width, 3], RGB, of any size."""
        self._frame = _letterbox(cv.cvtColor(picture, cv.COLOR_RGB2BGR), self._frame.shape[:2])
        self._writer.write(self._frame)

    def repeat(self) -> None:
        """Write the last picture again."""
        self._writer.write(self._frame)

    def flush(self) -> None:
        """Write everything so far to the disk.

        Raises:
            SinkError: It cannot be written.
        """
        try:
            if self._pump is not None and self._pump.error is not None:
                raise self._pump.error
            os.fsync(self._file.fileno())
        except OSError as error:
            raise SinkError(f"{self.path}: cannot be written ({error.strerror}), so the recording ends.") from error

    def finish(self) -> None:
        """Complete the file.

        Raises:
            SinkError: The last part cannot be written.
        """
        self._writer.release()
        if self._pump is not None:
            self._pump.join()
        try:
            self.flush()
        finally:
            self._file.close()


class _Pump(threading.Thread):
    """A thread that copies a pipe to a file until the pipe's writer closes it.

    Attributes:
        error: Why the file could not be written; later data are lost.
    """

    def __init__(self, pipe: int, file: BinaryIO) -> None:
        super().__init__(name="recording", daemon=True)
        self.error: OSError | None = None
        self._pipe = pipe
        self._file = file

    def run(self) -> None:
        """Read to the end in any case, or the encoder would wait for ever."""
        while data := os.read(self._pipe, PIPE_BYTES):
            try:
                while data and self.error is None:
                    data = data[self._file.write(data) :]
            except OSError as error:
                self.error = error
        os.close(self._pipe)


def _open_fragmented(file: BinaryIO, fps: float, size: tuple[int, int]) -> tuple[Any, _Pump]:
    """Open an encoder that writes to a pipe with a temporary name, because OpenCV knows a format by its suffix."""
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "pipe.ismv"
        os.mkfifo(name)
        # Opened first, or OpenCV would wait for a reader.
        pipe = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        writer = _open_writer(name, fps, size, CODECS[".mp4"])
    os.set_blocking(pipe, True)
    pump = _Pump(pipe, file)
    pump.start()
    return writer, pump


def _open_writer(path: Path, fps: float, size: tuple[int, int], codec: str) -> Any:
    return cv.VideoWriter(str(path.absolute()), cv.CAP_FFMPEG, cv.VideoWriter.fourcc(*codec), fps, size)


def _create_free(path: Path) -> BinaryIO:
    """Create the file, or the first of NAME-2, NAME-3, ... that does not exist."""
    free, number = path, 1
    while True:
        try:
            return free.open("xb", buffering=0)
        except FileExistsError:
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")


def _letterbox(picture: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Fit a picture into (height, width), with black bars if its proportions differ."""
    height, width = shape
    if picture.shape[0] - height in (0, 1) and picture.shape[1] - width in (0, 1):
        return np.ascontiguousarray(picture[:height, :width])
    scale = min(height / picture.shape[0], width / picture.shape[1])
    inner_height, inner_width = (max(1, round(scale * side)) for side in picture.shape[:2])
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[top : top + inner_height, left : left + inner_width] = cv.resize(
        picture, (inner_width, inner_height), interpolation=cv.INTER_AREA
    )
    return fitted
