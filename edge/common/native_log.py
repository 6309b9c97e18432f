"""Hold back notes that native libraries (TensorFlow, ONNX Runtime, FFmpeg, ...) write straight to file descriptor 2.

Users cannot act on "Created XNNPACK delegate", and it buries the messages that matter, so it is held back; if the work
fails, it is shown, because it may hold the reason.
"""

import faulthandler
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from .terminal.text import clean

# The descriptor belongs to the whole process: two threads would overwrite each other's change.
_ONE_AT_A_TIME = threading.RLock()


def open_memory_file() -> BinaryIO:
    """Open a file without a name, in memory if the system can, so that no folder needs to be writable."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("edge-mnist"), "w+b")  # noqa: PTH123 - it has no path
    return tempfile.TemporaryFile()  # pyright: ignore[reportReturnType] - a file, too


def show_native_log(text: bytes) -> None:
    """Show the held-back text on standard error, cleaned because it quotes names; a closed stream is ignored."""
    with suppress(OSError):
        sys.stderr.write(clean(text.decode(errors="backslashreplace")))


def separate_python_stderr() -> None:
    """Give Python a descriptor of its own for standard error, so that redirecting descriptor 2 does not affect it.

    Without this, log lines of other threads would be redirected with a native library's notes. A stream that a
    program or a test has replaced stays as it is.
    """
    buffer = getattr(sys.stderr, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.FileIO) or raw.closed or raw.fileno() != 2:
        return
    sys.stderr.flush()
    # The same object gets the other descriptor: handlers that hold the stream still work.
    raw.__init__(os.dup(2), "w")
    if faulthandler.is_enabled():
        faulthandler.enable()


@contextmanager
def native_log_to(file: BinaryIO) -> Iterator[None]:
    """Redirect everything written to file descriptor 2 to a file."""
    with _ONE_AT_A_TIME:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and replay it if the block raises."""
    with open_memory_file() as held:
        try:
            with native_log_to(held):
                yield
        except BaseException:
            held.seek(0)
            show_native_log(held.read())
            raise
