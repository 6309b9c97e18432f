"""Events as JSON Lines, on standard output or in a rotated file: for other programs, even while the file grows."""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..common.terminal.text import one_line
from ..live.documents import describe_event, format_time
from ..live.events import CameraChange, Event
from ..live.sink_thread import Backlog, SinkError

# Errors that may pass: a full disk, a quota.
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)


class StandardOutput:
    """A writer of whole lines to standard output; when its reader has gone, it reports this once and stops."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        """Write to the current standard output.

        Args:
            on_gone: Function called when the reader, e.g. `head`, has closed the pipe.
        """
        self._stream = sys.stdout
        self._on_gone = on_gone
        self._gone = False

    def write_line(self, line: str) -> None:
        """Write a line and hand it to the system at once.

        Raises:
            OSError: It cannot be written now, because standard output is a file on a full disk.
            SinkError: It can never be written again: standard output is closed, or a terminal that has gone.
        """
        if self._gone:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._gone = True
            self._swallow_the_rest()
            self._on_gone()
        except OSError as error:
            if error.errno in PASSING:
                raise
            self._swallow_the_rest()
            raise SinkError(f"standard output cannot be written ({error.strerror}).") from error

    def close(self) -> None:
        """Leave standard output open."""

    def _swallow_the_rest(self) -> None:
        """Discard what is still buffered, so that Python does not complain about it when it exits."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


# Number of old files that are kept: FILE.1, the newest, to FILE.5.
KEPT_FILES = 5


class LineOutput(Protocol):
    """A destination of lines."""

    def write_line(self, line: str) -> None:
        """Write a line, or raise OSError and write nothing."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class JsonLinesSink:
    """A sink that writes changes of the camera and new announcements, or every frame, one per line."""

    name: str
    backlog: Backlog = "all"

    def __init__(self, output: LineOutput, name: str, *, every_frame: bool = False) -> None:
        """Write to this output.

        Args:
            output: Destination of the lines.
            name: Name for people.
            every_frame: Whether frames without a new announcement are written, too.
        """
        self.name = name
        self._output = output
        self._every_frame = every_frame

    def wants_picture(self) -> bool:
        """Return False: pictures are not used."""
        return False

    def take(self, event: Event) -> None:
        """Write the event, unless it is a frame without a new announcement and those are left out.

        Raises:
            OSError: It cannot be written; no part of it is.
        """
        if self._every_frame or isinstance(event, CameraChange) or event.is_new:
            self._output.write_line(json.dumps(describe_event(event), separators=(",", ":")))

    def close(self) -> None:
        """Close the output; every line is already written."""
        self._output.close()


def write_json_to_stdout(on_gone: Callable[[], None], *, every_frame: bool) -> JsonLinesSink:
    """Make a sink on standard output; `on_gone` is called when its reader has gone."""
    return JsonLinesSink(StandardOutput(on_gone), "standard output", every_frame=every_frame)


def write_json_to_file(path: Path, most_bytes: int, *, every_frame: bool) -> JsonLinesSink:
    """Make a sink on a file, rotated before it grows beyond `most_bytes`.

    Raises:
        SinkError: The file cannot be opened.
    """
    try:
        return JsonLinesSink(RotatedFile(path, most_bytes), str(path), every_frame=every_frame)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror}). Choose another --jsonl.") from error


class RotatedFile:
    """A file of lines that becomes FILE.1 when it is full, while FILE.1 becomes FILE.2, and so on.

    Each line is written at once and in one piece, so none is lost or torn when the process is killed, unless
    that happens within those microseconds: Linux then stops where a page of the file ends (21 of 250 files whose
    process did nothing but write when it was killed ended in this way). An older file of that name is continued; a torn
    last line stays, and gets a line end. If another program has renamed or removed the file, as logrotate does, it is
    created again.
    """

    def __init__(self, path: Path, most_bytes: int, kept_files: int = KEPT_FILES) -> None:
        """Open the file, or create it.

        Args:
            path: Path of the file.
            most_bytes: Size limit; a line that would exceed it begins a new file.
            kept_files: Highest number after its name.

        Raises:
            OSError: It cannot be opened.
        """
        self._path = path
        self._most_bytes = most_bytes
        self._kept_files = kept_files
        self._descriptor = self._open()

    def write_line(self, line: str) -> None:
        """Append a line.

        Raises:
            OSError: There is no room for it; the part that was written is removed.
        """
        data = f"{line}\n".encode()
        if not self._is_in_place():
            self._reopen()
        size = os.fstat(self._descriptor).st_size
        if size > 0 and size + len(data) > self._most_bytes:
            self._rotate()
            size = 0
        try:
            # A disk with room for a part of it takes that; the next attempt raises the error for the rest.
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            if os.fstat(self._descriptor).st_size > size:
                os.ftruncate(self._descriptor, size)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        size = os.fstat(descriptor).st_size
        # The process may have been killed, or the power have failed, within the last line.
        if size > 0 and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")
        return descriptor

    def _rotate(self) -> None:
        # If it is missing, the last attempt renamed it but could not open a new one.
        if self._path.exists():
            for number in range(self._kept_files, 0, -1):
                older = self._numbered(number - 1)
                if older.exists():
                    older.replace(self._numbered(number))
        self._reopen()

    def _reopen(self) -> None:
        before, self._descriptor = self._descriptor, self._open()
        os.close(before)

    def _is_in_place(self) -> bool:
        """Whether the path still leads to the file that is open."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


class TextLinesSink:
    """A sink that writes the time and the announcement, or the change of the camera."""

    name: str = "standard output"
    backlog: Backlog = "all"

    def __init__(self, on_gone: Callable[[], None]) -> None:
        """Write to standard output; `on_gone` is called when its reader has gone."""
        self._output = StandardOutput(on_gone)

    def wants_picture(self) -> bool:
        """Return False: pictures are not used."""
        return False

    def take(self, event: Event) -> None:
        """Write a line if there is something new.

        Raises:
            OSError: It cannot be written.
        """
        if isinstance(event, CameraChange):
            self._output.write_line(one_line(f"{format_time(event.at)}  camera {event.state}: {event.message}"))
        elif event.is_new:
            self._output.write_line(f"{format_time(event.captured_at)}  {' / '.join(event.rows) or 'no digits'}")

    def close(self) -> None:
        """Do nothing: every line is already written."""
