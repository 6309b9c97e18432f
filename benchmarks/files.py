"""Folders for results: new ones as a whole, whether one can be written, and reports into them."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..edge.errors import EdgeMnistError
from ..edge.whole_files import write_whole


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
            write_whole(path, content)
        except OSError as error:
            faults.append(f"{path}: cannot be written ({error.strerror or error})")
    if faults:
        raise FolderError(f"{'; '.join(faults)}. Make room there, or choose another folder.")
