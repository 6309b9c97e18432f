"""Temporary folders that are removed even if their process was killed: the next process removes them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "edge-mnist-"
# Locked by the process that uses the folder for as long as it runs.
MARK = ".edge-mnist-in-use"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder, apart from a hidden mark, that is removed when the block ends."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder, mark = _make_marked()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(mark)


def _make_marked() -> tuple[Path, int]:
    """Make a folder with a locked mark; if another process has taken it for abandoned meanwhile, make another."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        mark = os.open(folder / MARK, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        # On a file system without locks, nothing can lock it, so nothing removes it.
        with suppress(OSError):
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(mark)
                continue
        if (folder / MARK).exists():
            return folder, mark
        os.close(mark)


def _remove_abandoned(parent: Path) -> None:
    """Remove marked folders whose process has ended. Folders without a mark, or of another user, are left alone."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            mark = os.open(folder / MARK, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / MARK).unlink()
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(mark)
