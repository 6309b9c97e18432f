"""Reading a file whole, after asking what it is: a pipe would hang, a device never ends, and 10 GB fill the memory."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import EdgeMnistError

_OTHER_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, or a link to one, for reading.

    Args:
        path: File that the user, or something that the user gave, names.

    Raises:
        EdgeMnistError: It cannot be opened, or is no regular file.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise EdgeMnistError(f"{path}: expected a regular file, got {_OTHER_KINDS[stat.S_IFMT(mode)]}. Name a file.")


def read_file(path: Path, most: int) -> bytes:
    """Read a regular file whole, or a link to one.

    Args:
        path: File that the user, or something that the user gave, names.
        most: Bytes that it may have; where there are more, it is not read whole.

    Raises:
        EdgeMnistError: It cannot be opened or read, is no regular file, or is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = file.read(min(size, most) + 1)
            if size < len(content) <= most:  # it grew, or its size is not known before (/proc)
                content += file.read(most + 1 - len(content))
        except OSError as error:
            raise _unreadable(path, error) from error
        except MemoryError as error:
            raise EdgeMnistError(f"{path}: does not fit into the memory that is left.") from error
    if len(content) > most:
        raise EdgeMnistError(
            f"{path}: expected at most {most:,} bytes, got {max(size, len(content)):,}. Is it the right file?"
        )
    return content


def _unreadable(path: Path, error: Exception) -> EdgeMnistError:
    return EdgeMnistError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).")
