"""Writing a file so that whatever interrupts it, a power cut too, leaves the old one or none, never half of one."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# The images to evaluate on are 8 MB.
LEAST_TEMPORARY_BYTES = 10_000_000
_UNFINISHED = re.compile(r"\.edge-mnist\.[0-9a-f]{16}")
# Folders that were looked through for what killed processes left; once is enough, they may hold thousands of files.
_swept: set[Path] = set()


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; when the block ends well it becomes `path`, otherwise it goes away.

    What a process that was killed left in the folder is removed by the next one that writes there.

    Where `path` is a link, the link is replaced, not what it points to.

    Raises:
        OSError: The folder cannot be written.
    """
    if path.parent not in _swept:
        _swept.add(path.parent)
        _remove_abandoned(path.parent)
    unfinished, file = _open_unfinished(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _open_unfinished(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, locked for as long as it is open; another one where it was taken for abandoned."""
    while True:
        # Nobody can guess it, and "x" follows no link: in a folder of many users it cannot lead to another file.
        unfinished = path.with_name(f".edge-mnist.{secrets.token_hex(8)}")
        file = unfinished.open("xb")
        # On a file system without locks nobody can lock it, so nobody removes it.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        if unfinished.exists():
            return unfinished, file
        file.close()


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files of this user's whose process has ended."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                with suppress(OSError):
                    _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    # Never through a link, and without waiting for a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that holds this.

    Raises:
        OSError: The folder cannot be written.
    """
    with writing_whole(path) as file:
        file.write(content)


def explain_full_disk() -> str:
    """A sentence for the end of another, where there is no room for temporary files: packages give other reasons."""
    try:
        folder = tempfile.gettempdir()
        if shutil.disk_usage(folder).free > LEAST_TEMPORARY_BYTES:
            return ""
    except OSError:
        return " No folder takes temporary files: make room in one, and set TMPDIR to it."
    return f" The disk for temporary files is full: make room in {folder}, or set TMPDIR."


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    Raises:
        OSError: They cannot be written there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems of other machines (CIFS, FUSE) cannot do it for folders.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
