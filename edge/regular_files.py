"""Reading a file whole, after asking what it is: a pipe would hang, a device never ends, and 10 GB fill the memory."""

import os
import stat
from pathlib import Path

from .errors import EdgeMnistError

_OTHER_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_MB = 1_000_000


def read_file(path: Path, most: int) -> bytes:
    """Read a regular file whole, or a link to one.

    Args:
        path: File that the user, or something that the user gave, names.
        most: Bytes that it may have; beyond them nothing is read.

    Raises:
        EdgeMnistError: It cannot be opened or read, is no regular file, or is larger.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                kind = _OTHER_KINDS.get(stat.S_IFMT(found.st_mode), "something else")
                raise EdgeMnistError(f"{path}: expected a regular file, got {kind}. Name a file.")
            size = found.st_size
            content = file.read(min(size, most) + 1)
            if size < len(content) <= most:  # it grew, or its size is not known before (/proc)
                content += file.read(most + 1 - len(content))
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise EdgeMnistError(f"{path}: cannot be read ({reason}).") from error
    except MemoryError as error:
        raise EdgeMnistError(f"{path}: does not fit into the memory that is left.") from error
    if len(content) > most:
        raise EdgeMnistError(
            f"{path}: expected at most {most / _MB:,.4g} MB, got {max(size, len(content)) / _MB:,.4g} MB. "
            "Is it the right file?"
        )
    return content


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
