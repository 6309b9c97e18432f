"""Write a bundle so that the folder always holds a whole one.

Files are written to a hidden folder. One rename into the bundle's folder makes the new bundle the valid one, then its
files move to their places, where readers look last. So whenever writing is interrupted, there is either the old bundle
or the new one, and no other file in the folder is touched.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..common.errors import EdgeMnistError
from ..common.files import explain_full_disk, read_file, sync
from .card import CARD_NAME, ModelCard, ModelCardError, decode_card, encode_card
from .contract import FileRecord
from .folder import COMPLETE, MOST_CARD_BYTES, open_card, read_verified

# The folder that is filled with a new bundle.
STAGING = ".edge-mnist.new"


def describe_file(folder: Path, name: str) -> FileRecord:
    """Record the current size and hash of a file."""
    content = (folder / name).read_bytes()
    return FileRecord(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card, the last file that makes a folder a bundle."""
    (folder / CARD_NAME).write_bytes(encode_card(card))


@contextmanager
def staged_bundle(destination: Path, names: Iterable[str] = ()) -> Iterator[Path]:
    """Yield an empty folder to fill; on success its files replace the old bundle's, otherwise it is removed.

    Other files in the destination stay there. Remains of a killed process are cleaned up first.

    Args:
        destination: The bundle's folder, or a link to it.
        names: Files that will be written, as far as they are known before the work begins.

    Raises:
        ModelCardError: The destination is neither a bundle nor an empty folder, holds a file of the user's where one
            of the bundle's belongs, cannot be written, or is being written by another process.
    """
    destination = Path(os.path.realpath(destination))
    try:
        if os.path.lexists(destination) and not destination.is_dir():
            raise ModelCardError(f"{destination}: expected a folder, got something else. Choose another --out.")
        made = [folder for folder in (destination, *destination.parents) if not folder.exists()]
        destination.mkdir(parents=True, exist_ok=True)
        with _only_writer(destination), _removed_where_empty(made):
            _finish_interrupted(destination)
            _check_is_bundle(destination)
            _check_replaceable(destination, names)
            staging = _make_staging(destination)
            try:
                yield staging
                _commit(staging, destination)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise ModelCardError(
            f"{destination}: cannot be written ({error.strerror or error}); nothing in it changed. Free space "
            f"there, or choose another --out.{explain_full_disk()}"
        ) from error


@contextmanager
def _removed_where_empty(folders: list[Path]) -> Iterator[None]:
    """Remove folders that were made for a bundle if they are empty when the block ends."""
    try:
        yield
    finally:
        for folder in folders:
            with suppress(OSError):  # the folder is not empty
                folder.rmdir()


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Lock the folder; the system unlocks it when this process ends, however it ends.

    Raises:
        ModelCardError: Another process has locked it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ModelCardError(
                f"{folder}: another process is writing to it. Wait until it ends, or choose another --out."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _check_is_bundle(folder: Path) -> None:
    """Refuse a folder that is not empty and has no card."""
    if not os.path.lexists(folder / CARD_NAME) and any(folder.iterdir()):
        raise ModelCardError(f"{folder}: exists and is not a bundle, so it was not changed. Choose another --out.")


def _check_replaceable(folder: Path, names: Iterable[str]) -> None:
    """Refuse to overwrite a file that the existing card does not name, or a folder."""
    own = {CARD_NAME, *(record.name for record in _read_old_card(folder))}
    for path in (folder / name for name in names):
        if os.path.lexists(path) and (path.name not in own or (path.is_dir() and not path.is_symlink())):
            raise ModelCardError(
                f"{path}: is not part of the bundle there, and the new bundle has a file of that name. Move it, "
                "or choose another --out."
            )


def _read_old_card(folder: Path) -> tuple[FileRecord, ...]:
    """Read the files that the existing card names; nothing if there is no card."""
    path = folder / CARD_NAME
    if not os.path.lexists(path):
        return ()
    try:
        return decode_card(read_file(path, MOST_CARD_BYTES), str(path)).records()
    except EdgeMnistError as error:
        raise ModelCardError(
            f"{error} Without a readable card, the bundle's files in {folder} cannot be identified, so nothing "
            "was changed: choose another --out."
        ) from error


def _commit(staging: Path, folder: Path) -> None:
    """Make the staged folder the bundle, by one rename, and move its files into place."""
    _check_replaceable(folder, [path.name for path in staging.iterdir()])
    for path in (*staging.iterdir(), staging):
        sync(path)
    folder.mkdir(parents=True, exist_ok=True)  # in case another process removed it meanwhile
    staging.rename(folder / COMPLETE)
    sync(folder)
    try:
        _install(folder)
    except OSError as error:
        raise ModelCardError(
            f"{folder}: the new bundle is complete, but not all its files could be moved into place "
            f"({error.strerror or error}); the others are in {COMPLETE} and are read from there. Export into this "
            "folder again."
        ) from error


def _finish_interrupted(folder: Path) -> None:
    """Remove what a killed writer left incomplete, and put in place what it left complete. The folder is locked."""
    complete = folder / COMPLETE
    for path in (folder / STAGING, complete):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise ModelCardError(f"{path}: expected a folder left by an export, got another kind of file. Remove it.")
    for path in (folder / STAGING, _beside(folder)):
        shutil.rmtree(path, ignore_errors=True)
    if complete.exists():
        _check_replaceable(folder, [path.name for path in complete.iterdir()])
        _install(folder)


def _make_staging(folder: Path) -> Path:
    """Make the staging folder beside the bundle, so that a killed process leaves it untouched; else inside it."""
    inside = folder / STAGING
    inside.mkdir()
    try:
        return inside.rename(_beside(folder))
    except OSError:
        # The parent folder may not be writable, or is on another disk.
        return inside


def _beside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}{STAGING}"


def _install(folder: Path) -> None:
    """Move a complete bundle's files into place, the card last, after removing old files without a successor.

    Readers find a file in its place or here, so this may be interrupted at any point and repeated.
    """
    complete = folder / COMPLETE
    if (complete / CARD_NAME).exists():
        old = _read_old_card(folder)
        new = {record.name for record in open_card(folder).records()}
        for path in complete.iterdir():
            if path.name != CARD_NAME:
                path.replace(folder / path.name)
        for record in old:
            # A changed file may be the user's by now, and a file that stays does no harm: the card does not name it.
            if record.name not in new:
                with suppress(ModelCardError, OSError):
                    read_verified(folder, record)
                    (folder / record.name).unlink()
        (complete / CARD_NAME).replace(folder / CARD_NAME)
        sync(folder)
    complete.rmdir()
