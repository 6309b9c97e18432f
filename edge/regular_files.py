"""Reading a file whole, after asking what it is: a pipe would hang, a device never ends, and 10 GB fill the memory."""

import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import EdgeMnistError
from .time_limits import PIPE_S

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
    descriptor, kind = _open(path)
    if kind == stat.S_IFREG:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise EdgeMnistError(f"{path}: expected a regular file, got {_OTHER_KINDS[kind]}. Name a file.")


def open_file_or_pipe(path: Path) -> BinaryIO:
    """Open a regular file or a pipe, as `<(pass show meter)` is one; wait until something is written into a pipe.

    Args:
        path: What the user names, not what lies in a folder or is named in a file.

    Raises:
        EdgeMnistError: It cannot be opened, is of another kind, or nobody writes into the pipe in PIPE_S seconds.
    """
    descriptor, kind = _open(path)
    if kind != stat.S_IFIFO:
        os.close(descriptor)
        return open_file(path)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(1000 * PIPE_S):
        os.close(descriptor)
        raise EdgeMnistError(f"{path}: a pipe, and nobody wrote into it for {PIPE_S:g} s. Name a file.")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _open(path: Path) -> tuple[int, int]:
    """Return a descriptor and the kind of file that it is of."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode)


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
            content = read_most(file, most + 1)
        except OSError as error:
            raise _unreadable(path, error) from error
        except MemoryError as error:
            raise EdgeMnistError(f"{path}: does not fit into the memory that is left.") from error
    if len(content) > most:
        raise EdgeMnistError(
            f"{path}: expected at most {most:,} bytes, got {max(size, len(content)):,}. Is it the right file?"
        )
    return content


def read_most(file: BinaryIO, most: int) -> bytes:
    """Read what is left of an open file, and at most so many bytes.

    Python makes room for as many bytes as it is asked for, so it is asked for those that the file has.
    """
    size = os.fstat(file.fileno()).st_size
    content = file.read(min(size + 1, most))
    if size < len(content) < most:  # it grew, or its size is not known before (/proc)
        content += file.read(most - len(content))
    return content


def _unreadable(path: Path, error: Exception) -> EdgeMnistError:
    return EdgeMnistError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).")
