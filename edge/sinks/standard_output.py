"""Lines on standard output, until nobody reads them any more."""

import errno
import os
import sys
from collections.abc import Callable

from .sink import SinkError

# What may pass: a full disk, a quota.
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)


class StandardOutput:
    """Writes whole lines; when the reader has gone, says so once and takes no more."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        """Write to what is standard output now.

        Args:
            on_gone: Called when whoever read it, e.g. `head`, has closed the pipe.
        """
        self._stream = sys.stdout
        self._on_gone = on_gone
        self._gone = False

    def write_line(self, line: str) -> None:
        """Write a line and hand it to the system at once.

        Raises:
            OSError: It cannot be written now, because standard output is a file on a full disk.
            SinkError: It cannot be written, and never will be: closed, or a terminal that has gone.
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
        """It is not ours to close."""

    def _swallow_the_rest(self) -> None:
        """What is still buffered goes nowhere, so that Python does not complain about it when it exits."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
