"""Write a file so that an interruption, even a power cut, leaves the old file or none, never half of one."""

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

# The evaluation images are 8 MB.
LEAST_TEMPORARY_BYTES = 10_000_000
_UNFINISHED = re.compile(r"\.edge-mnist\.[0-9a-f]{16}")
# Folders already searched for remains of killed processes; once is enough, they may hold thousands of files.
_swept: set[Path] = set()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to; when the block succeeds it becomes `path`, otherwise it is removed.

    Files that a killed process left in the folder are removed by the next process that writes there.

    If `path` is a link, the link is replaced, not its target.

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
    """Open a new file beside `path`, locked for as long as it is open; another one if it was taken for abandoned."""
    while True:
        # The name cannot be guessed, and "x" follows no link: in a shared folder it cannot lead to another file.
        unfinished = path.with_name(f".edge-mnist.{secrets.token_hex(8)}")
        file = unfinished.open("xb")
        # On a file system without locks, nothing can lock it, so nothing removes it.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        if unfinished.exists():
            return unfinished, file
        file.close()


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files of this user whose process has ended."""
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
    """Write a file with this content.

    Raises:
        OSError: The folder cannot be written.
    """
    with atomic_file(path) as file:
        file.write(content)


def explain_full_disk() -> str:
    """Return a sentence to append if there is no room for temporary files, for which packages report other reasons."""
    try:
        folder = tempfile.gettempdir()
        if shutil.disk_usage(folder).free > LEAST_TEMPORARY_BYTES:
            return ""
    except OSError:
        return " No folder has room for temporary files: free space in one, and set TMPDIR to it."
    return f" The disk for temporary files is full: free space in {folder}, or set TMPDIR."


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    Raises:
        OSError: They cannot be written to it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems (CIFS, FUSE) cannot do it for folders.
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
        path: Path that the user, or a file from the user, names.

    Raises:
        EdgeMnistError: It cannot be opened, or is not a regular file.
    """
    descriptor, kind = _open(path)
    if kind == stat.S_IFREG:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise EdgeMnistError(f"{path}: expected a regular file, got {_OTHER_KINDS[kind]}. Name a file.")


def open_file_or_pipe(path: Path) -> BinaryIO:
    """Open a regular file or a pipe such as `<(pass show meter)`; wait until a pipe is written to.

    Args:
        path: Path that the user names, not one found in a folder or a file.

    Raises:
        EdgeMnistError: It cannot be opened, is of another kind, or a pipe is not written to within PIPE_S seconds.
    """
    descriptor, kind = _open(path)
    if kind != stat.S_IFIFO:
        os.close(descriptor)
        return open_file(path)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(1000 * PIPE_S):
        os.close(descriptor)
        raise EdgeMnistError(f"{path}: a pipe, and no data arrived for {PIPE_S:g} s. Name a file.")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _open(path: Path) -> tuple[int, int]:
    """Return a descriptor and the kind of its file."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode)


def read_file(path: Path, most: int) -> bytes:
    """Read a whole regular file, or a link to one.

    Args:
        path: Path that the user, or a file from the user, names.
        most: Limit in bytes; a larger file is not read to its end.

    Raises:
        EdgeMnistError: It cannot be opened or read, is not a regular file, or is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = read_most(file, most + 1)
        except OSError as error:
            raise _unreadable(path, error) from error
        except MemoryError as error:
            raise EdgeMnistError(f"{path}: does not fit into the available memory.") from error
    if len(content) > most:
        raise EdgeMnistError(
            f"{path}: expected at most {most:,} bytes, got {max(size, len(content)):,}. Is it the right file?"
        )
    return content


def read_most(file: BinaryIO, most: int) -> bytes:
    """Read the rest of an open file, at most this many bytes.

    Python allocates as many bytes as are requested, so the file's size is requested.
    """
    size = os.fstat(file.fileno()).st_size
    content = file.read(min(size + 1, most))
    if size < len(content) < most:  # it grew, or its size is not known before (/proc)
        content += file.read(most - len(content))
    return content


def _unreadable(path: Path, error: Exception) -> EdgeMnistError:
    return EdgeMnistError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).")


@contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; on success it becomes `destination`, otherwise it is removed.

    Raises:
        FileExistsError: The destination is a file or a folder that is not empty.
        OSError: It cannot be written.
    """
    destination = Path(os.path.realpath(destination))  # a link stays a link
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists and is not empty")
    destination.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        yield staging
        staging.chmod(0o755)
        # Also replaces an empty folder.
        staging.replace(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Make a folder and check whether reports can be written there: before measuring for minutes, not after.

    Raises:
        EdgeMnistError: Reports cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EdgeMnistError(f"{folder}: the reports cannot be written ({error.strerror}).") from error


def write_all(contents: Mapping[Path, bytes]) -> tuple[Path, ...]:
    """Write as many of these files as possible, so that minutes of measuring are not lost with the first failure.

    Returns:
        The paths.

    Raises:
        EdgeMnistError: Some could not be written.
    """
    faults: list[str] = []
    for path, content in contents.items():
        try:
            write_atomically(path, content)
        except OSError as error:
            faults.append(f"{path}: cannot be written ({error.strerror or error})")
    if faults:
        raise EdgeMnistError(f"{'; '.join(faults)}. Free space there, or choose another folder.")
    return tuple(contents)
