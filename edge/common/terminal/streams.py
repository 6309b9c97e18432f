r"""Standard input, output and error in a state that every command can rely on, however the process was started.

Shells, cron jobs and services close some of them, or choose an encoding that lacks characters of a file's name.
Characters that the encoding lacks are written as in JSON (`\u30e1`), so documents stay valid. Results that cannot be
written are an error; messages on standard error that cannot be written are dropped, and must not stop the work.
"""

import codecs
import io
import os
import sys
from typing import Any

ESCAPES = "edge_mnist.escapes"


class _LossyFile(io.FileIO):
    """A file that drops text if it cannot be written: a closed pipe, a full disk, a terminal that has gone."""

    def write(self, data: Any, /) -> int | None:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def prepare_standard_streams() -> None:
    """Open closed streams, and escape characters that an encoding lacks; streams that a program replaced stay."""
    codecs.register_error(ESCAPES, _escape)
    # In ascending order, because the system assigns the lowest free number. No file opened later may take one of the
    # three. Writing to a closed standard output fails, because results would be lost.
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        if not _is_open(number):
            os.open(os.devnull, mode)
    if sys.stdin is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 - the process's own
    if sys.stdout is None:
        raw = io.FileIO(1, "w", closefd=False)
        sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", ESCAPES)
    elif sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ESCAPES)
    if sys.stderr is None or (sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper)):
        encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        raw = _LossyFile(2, "w", closefd=False)
        sys.stderr = sys.__stderr__ = io.TextIOWrapper(io.BufferedWriter(raw), encoding, ESCAPES, line_buffering=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Escape characters that cannot be encoded as JSON does: two escapes for a character beyond U+FFFF."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)), error.end
