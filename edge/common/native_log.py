"""Native libraries (TensorFlow, LiteRT, ONNX Runtime, FFmpeg, libtiff) write notes straight to file descriptor 2.

Nobody can act on "Created XNNPACK delegate", and it buries what people should read, so it is held back; when the work
fails, it is shown, because then it may hold the reason.
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

# The descriptor is the whole process's: two threads would put each other's file back.
_ONE_AT_A_TIME = threading.RLock()


def open_memory_file() -> BinaryIO:
    """Open a file without a name, in memory where the system can: no folder needs to be writable."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("edge-mnist"), "w+b")  # noqa: PTH123 - it has no path
    return tempfile.TemporaryFile()  # pyright: ignore[reportReturnType] - a file, too


def show_native_log(text: bytes) -> None:
    """Show on standard error what was held back, cleaned, as it quotes names; a closed one takes nothing."""
    with suppress(OSError):
        sys.stderr.write(clean(text.decode(errors="backslashreplace")))


def keep_python_apart() -> None:
    """Have Python write to standard error by a descriptor of its own; moving descriptor 2 takes nothing from it then.

    Without this, the log lines of other threads would go where a native library's notes go meanwhile. A stream that a
    program or a test put in its place stays as it is.
    """
    buffer = getattr(sys.stderr, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.FileIO) or raw.closed or raw.fileno() != 2:
        return
    sys.stderr.flush()
    # The same object opens the other descriptor: handlers that hold the stream go on with it.
    raw.__init__(os.dup(2), "w")
    if faulthandler.is_enabled():
        faulthandler.enable()


@contextmanager
def native_log_to(file: BinaryIO) -> Iterator[None]:
    """Have what is written to file descriptor 2 in a file instead."""
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
