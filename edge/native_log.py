"""Native libraries (TensorFlow, LiteRT, ONNX Runtime, FFmpeg, libtiff) write notes straight to file descriptor 2.

Nobody can act on "Created XNNPACK delegate", and it buries what people should read, so it is held back; when the work
fails, it is shown, because then it may hold the reason.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from .safe_text import clean

# The descriptor is the whole process's: two threads would put each other's file back.
_ONE_AT_A_TIME = threading.RLock()


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
    with tempfile.TemporaryFile() as held:
        try:
            with native_log_to(held):
                yield
        except BaseException:
            replay(held)
            raise


def replay(held: BinaryIO) -> None:
    """Show on standard error what was held back, cleaned: it quotes names."""
    held.seek(0)
    sys.stderr.write(clean(held.read().decode(errors="backslashreplace")))
