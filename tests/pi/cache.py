"""Folders in build/pi that take long to make: each is complete or not there, and made anew when its inputs change."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import REPOSITORY

CACHE = REPOSITORY / "build" / "pi"


def make_once(name: str, inputs: Sequence[str], make: Callable[[Path], None]) -> Path:
    """The folder of this name, made of these inputs: the one that is there, or a new one in the place of the old.

    Args:
        name: What the folder begins with.
        inputs: All that decides what it holds.
        make: Fills an empty folder.
    """
    key = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{key}"
    if folder.exists():
        return folder
    staging = CACHE / f".{name}"
    remove(staging)
    staging.mkdir(parents=True)
    make(staging)
    for old in CACHE.glob(f"{name}-*"):
        remove(old)
    return staging.rename(folder)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, but never what somebody has mounted there."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [point for point in mounted if Path(point).is_relative_to(folder.resolve())]
    if inside:
        raise RuntimeError(f"{folder}: is not removed while something is mounted there. Run: umount {' '.join(inside)}")
    # Under another name first: what is half removed when we are interrupted is not to pass for complete.
    condemned = folder.with_name(f"{folder.name}.removed")
    if condemned.exists():
        shutil.rmtree(condemned)
    if folder.exists():
        shutil.rmtree(folder.rename(condemned))


@contextmanager
def only_user() -> Iterator[None]:
    """Keep a second run from using the same folders at the same time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{CACHE}: another run is using it. Wait for its end.") from None
        yield
