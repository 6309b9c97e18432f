"""A folder of annotated pictures, in which only earlier drawings are ever overwritten."""

import os
from pathlib import Path

from PIL import Image

from ..common.files import atomic_file
from ..common.terminal.text import file_name
from ..live.sink_thread import SinkError
from ..media.sources import STANDARD_INPUT, SourceFrame
from ..reading.reader import Reading
from .annotate import annotate

# Part of the name of every drawing, so that pictures in the same folder are kept.
INFIX = ".digits"
JPEG_QUALITY = 90


class DrawingFolder:
    """A writer of drawings as `NAME.digits.png`, `NAME.digits.jpg`, or `NAME.000012.digits.jpg`.

    Files of the same name from several folders become NAME, NAME-2, NAME-3, in the order they are read. A file that an
    earlier run wrote under the same name is replaced.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder, with its parents.

        Raises:
            SinkError: It cannot be created or written to.
        """
        self._folder = folder
        # The source that owns each name, in lower case because some file systems ignore case.
        self._owners: dict[str, str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder}: cannot be created ({error.strerror}). Choose another --annotate.") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: no permission to write there. Choose another --annotate.")

    def save(self, frame: SourceFrame, reading: Reading) -> Path:
        """Draw a reading and write it, whole or not at all.

        Raises:
            PictureError: The frame's colours cannot be read again.
            SinkError: The drawing cannot be written, e.g. because the disk is full.
        """
        path = self._folder / self._choose_name(frame)
        picture = Image.fromarray(annotate(frame.read_rgb(), reading))
        try:
            with atomic_file(path) as file:
                picture.save(file, "JPEG" if frame.is_photograph else "PNG", quality=JPEG_QUALITY)
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({error.strerror or error}).") from error
        except UnicodeEncodeError as error:
            raise SinkError(
                f"{path!a}: cannot be written (file names are {error.encoding} here; set LC_ALL=C.UTF-8)."
            ) from error
        return path

    def _choose_name(self, frame: SourceFrame) -> str:
        stem = "stdin" if frame.source == STANDARD_INPUT else file_name(Path(frame.source).stem)
        number = "" if frame.index is None else f".{frame.index:06d}"
        suffix = f"{number}{INFIX}{'.jpg' if frame.is_photograph else '.png'}"
        count = 1
        while True:
            name = f"{stem}{f'-{count}' if count > 1 else ''}{suffix}"
            if self._owners.setdefault(name.lower(), frame.source) == frame.source:
                return name
            count += 1
