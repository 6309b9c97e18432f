"""A bundle: one folder with a model card and the files it vouches for. Stages talk through bundles alone.

Reading checks every hash before anything is loaded. Writing happens in a hidden folder beside the destination, which
takes its place only when complete, so whoever interrupts it finds the old bundle or none, never half of one.
"""

import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .card import Export, FileRecord, Format, ModelCard, ModelCardError, ModelFile, Precision, decode_card, encode_card

CARD_NAME = "card.json"
SOURCE_NAME = "model.keras"
SHIPPED = Path(__file__).parent / "models" / "standard"


@dataclass(frozen=True)
class Bundle:
    """A folder whose card and hashes held when it was opened."""

    path: Path
    card: ModelCard

    def read(self, record: FileRecord) -> bytes:
        """A file's bytes, checked once more: what is loaded is what was sealed, whatever happened meanwhile."""
        return _read_verified(self.path, record)

    @property
    def export(self) -> Export:
        """What the export stage wrote into the card.

        Raises:
            ModelCardError: The model was trained but never exported.
        """
        if self.card.export is None:
            raise ModelCardError(
                f"{self.path}: holds a trained model but no exported files. Run: edge-mnist export {self.path} --int8"
            )
        return self.card.export

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """The exported files.

        Raises:
            ModelCardError: The model was trained but never exported.
        """
        return self.export.files

    def file(self, format_: Format, precision: Precision) -> ModelFile:
        """The exported file of this format and precision.

        Raises:
            ModelCardError: The bundle has none; the message lists what it has.
        """
        for file in self.files:
            if (file.format, file.precision) == (format_, precision):
                return file
        there = ", ".join(f"{file.format} {file.precision}" for file in self.files)
        advice = f" Export it with --{precision}." if precision != "float32" else ""
        raise ModelCardError(f"{self.path}: has no {format_} {precision} file, only {there}.{advice}")


def find_shipped(folder: Path = SHIPPED.parent) -> list[Path]:
    """The bundles that come with the package, by name."""
    return sorted(card.parent for card in folder.glob(f"*/{CARD_NAME}"))


def find_bundle(name: object) -> Path:
    """The folder of a bundle: that of a shipped one by its name, e.g. `nano`, else the path that was given.

    Args:
        name: A name, or a path. `nano` is the shipped one whatever the current folder holds, `./nano` the folder here.

    Raises:
        ValueError: It is neither.
    """
    shipped = {folder.name: folder for folder in find_shipped()}
    if not isinstance(name, str | Path):
        raise ValueError(
            f"expected a bundle: its folder, the name of a shipped one ({', '.join(shipped)}), or what open_bundle "
            f"gives, got {name!r}."
        )
    return shipped[name] if isinstance(name, str) and name in shipped else Path(name)


def open_bundle(path: Path | str) -> Bundle:
    """Read a bundle's card and check the hash of every file it names.

    Args:
        path: Its folder, or the name of a shipped one.

    Raises:
        ValueError: It is neither.
        ModelCardError: No card, a card that does not hold, or a file that is missing or changed.
    """
    path = find_bundle(path)
    card_path = path / CARD_NAME
    try:
        content = card_path.read_bytes()
    except OSError as error:
        raise ModelCardError(
            f"{path}: not a bundle, its {CARD_NAME} cannot be read ({error.strerror}). "
            "Expected the folder that edge-mnist train or edge-mnist export writes, or the name of a shipped bundle."
        ) from error
    card = decode_card(content, str(card_path))
    for record in card.records():
        _read_verified(path, record)
    return Bundle(path, card)


def describe_file(folder: Path, name: str) -> FileRecord:
    """Record a file as it is now."""
    content = (folder / name).read_bytes()
    return FileRecord(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card, the last file that makes a folder a bundle."""
    (folder / CARD_NAME).write_bytes(encode_card(card))


@contextmanager
def replacing(destination: Path) -> Iterator[Path]:
    """Give an empty folder to fill; on success it takes the destination's place, otherwise it goes away.

    What a killed process left behind is put right first.

    Raises:
        ModelCardError: The destination is something else than a bundle or an empty folder, cannot be written, or is
            being written by another process.
    """
    destination = Path(os.path.abspath(destination))  # noqa: PTH100 - resolve() would follow a link
    try:
        _settle_with_other_writers(destination)
        _check_replaceable(destination)
        staging = _beside(destination, os.getpid(), "new")
        staging.mkdir(parents=True)
    except OSError as error:
        raise ModelCardError(f"{destination}: cannot be written ({error.strerror}). Choose another --out.") from error
    try:
        yield staging
        _swap_in(staging, destination)
    except OSError as error:
        raise ModelCardError(f"{destination}: cannot be written ({error.strerror}); it is as it was.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_replaceable(destination: Path) -> None:
    """Refuse to overwrite what is not ours: a folder with anything in it but no card, or a file."""
    if not destination.exists() or (destination / CARD_NAME).is_file():
        return
    if not destination.is_dir() or any(destination.iterdir()):
        raise ModelCardError(f"{destination}: exists and is not a bundle, so it is left alone. Choose another --out.")


def _swap_in(staging: Path, destination: Path) -> None:
    """Two renames: a folder with files in it cannot be renamed over. Between them the destination is absent."""
    if not destination.exists():
        staging.rename(destination)
        return
    retired = _beside(destination, os.getpid(), "old")
    destination.rename(retired)
    try:
        staging.rename(destination)
    except OSError:
        retired.rename(destination)
        raise
    # The new one is in place, whatever becomes of this.
    shutil.rmtree(retired, ignore_errors=True)


def _beside(destination: Path, pid: int, state: str) -> Path:
    """The hidden folder of a process that is writing `destination`."""
    return destination.with_name(f".{destination.name}.{pid}.{state}")


def _settle_with_other_writers(destination: Path) -> None:
    """Give way to one at work; of dead ones, bring back what they had moved aside and remove what they left half."""
    for leftover in destination.parent.glob(f".{glob.escape(destination.name)}.*"):
        pid, _, state = leftover.name.removeprefix(f".{destination.name}.").partition(".")
        if state not in {"new", "old"} or not pid.isdecimal():
            continue
        if _is_alive(int(pid)):
            raise ModelCardError(
                f"{destination}: process {pid} is writing it. Wait for it; if that is another program by now, delete "
                f"{leftover}."
            )
        if state == "old" and not destination.exists():
            leftover.rename(destination)
        else:
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read_verified(folder: Path, record: FileRecord) -> bytes:
    path = folder / record.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelCardError(
            f"{path}: named by the card but cannot be read ({os.strerror(error.errno or 0)})."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != record.sha256:
        raise ModelCardError(
            f"{path}: not the file the card describes (SHA-256 {found[:12]}…, expected {record.sha256[:12]}…). "
            "Export the model again or restore the file."
        )
    return content
