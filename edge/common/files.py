"""Writing a file so that whatever interrupts it, a power cut too, leaves the old one or none, never half of one."""

import errno
import fcntl
import os
import re
import secrets
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import EdgeMnistError
from .network.time_limits import PIPE_S

# The images to evaluate on are 8 MB.
LEAST_TEMPORARY_BYTES = 10_000_000
_UNFINISHED = re.compile(r"\.edge-mnist\.[0-9a-f]{16}")
# Folders that were looked through for what killed processes left; once is enough, they may hold thousands of files.
_swept: set[Path] = set()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
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


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that holds this.

    Raises:
        OSError: The folder cannot be written.
    """
    with atomic_file(path) as file:
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


class FolderError(EdgeMnistError):
    """Reports cannot be written; the message says which and why."""


@contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """Give an empty folder to fill; on success it becomes `destination`, otherwise it goes away.

    Raises:
        FileExistsError: The destination is a file or a folder that holds something.
        OSError: It cannot be written.
    """
    destination = Path(os.path.realpath(destination))  # a link stays one
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists and is not empty")
    destination.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        yield staging
        staging.chmod(0o755)
        # Takes the place of an empty folder, too.
        staging.replace(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Make a folder and find out whether reports can be written there: before measuring for minutes, not after.

    Raises:
        FolderError: They cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FolderError(f"{folder}: the reports cannot be written ({error.strerror}).") from error


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files, all that can be written: what took minutes to measure is not lost with the first that cannot.

    Raises:
        FolderError: Some cannot.
    """
    faults: list[str] = []
    for path, content in contents.items():
        try:
            write_atomically(path, content)
        except OSError as error:
            faults.append(f"{path}: cannot be written ({error.strerror or error})")
    if faults:
        raise FolderError(f"{'; '.join(faults)}. Make room there, or choose another folder.")
