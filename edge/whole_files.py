"""Writing a file so that whatever interrupts it, a power cut too, leaves the old one or none, never half of one."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# The images to evaluate on are 8 MB.
LEAST_TEMPORARY_BYTES = 10_000_000


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; when the block ends well it becomes `path`, otherwise it goes away.

    Where `path` is a link, the link is replaced, not what it points to.

    Raises:
        OSError: The folder cannot be written.
    """
    # Nobody can guess it, and "x" follows no link: in a folder of many users it cannot lead to another file.
    unfinished = path.with_name(f".edge-mnist.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


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
