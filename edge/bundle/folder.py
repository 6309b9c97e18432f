"""A bundle: one folder with a model card and the files that it lists. Stages exchange nothing but bundles.

Every hash is checked before anything is loaded.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..common.errors import ArgumentError, EdgeMnistError
from ..common.files import open_file, read_file
from ..common.kinds import PROBE_BYTES, TO_KERAS, describe_mistake, explain_pointer
from .card import CARD_NAME, ModelCard, ModelCardError, decode_card, encode_card
from .contract import FileRecord, Format, Precision
from .export_record import Export, ModelFile
from .shipped import SHIPPED, find_shipped

SOURCE_NAME = "model.keras"
# File in the folder that TensorFlow saves a model as.
SAVED_MODEL = "saved_model.pb"
# In the bundle's folder: a new bundle that is complete but not yet in its place, see `writing.py`.
COMPLETE = ".edge-mnist.complete"
# Far above any card (200 kB) and any network for images of 28x28.
MOST_CARD_BYTES, MOST_FILE_BYTES = 16_000_000, 512_000_000


@dataclass(frozen=True, repr=False)
class Bundle:
    """A folder whose card and hashes were valid when it was opened."""

    path: Path
    card: ModelCard

    def __repr__(self) -> str:
        """Name the model, its folder and how many files were exported."""
        files = f"{len(self.card.export.files)} exported files" if self.card.export else "not exported"
        return f"Bundle({self.card.name!r}, {files}, in {self.path})"

    def read(self, record: FileRecord) -> bytes:
        """Read a file and check its hash again, so that the loaded bytes are the sealed ones even after a change."""
        return read_verified(self.path, record)

    @property
    def card_sha256(self) -> str:
        """The SHA-256 of the card's file, which identifies the bundle: the card holds the hashes of all other files."""
        return hashlib.sha256(encode_card(self.card)).hexdigest()

    @property
    def export(self) -> Export:
        """The card's record of the export stage.

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
        """Return the exported file of this format and precision.

        Raises:
            ModelCardError: The bundle has none; the message lists what it has.
        """
        for file in self.files:
            if (file.format, file.precision) == (format_, precision):
                return file
        there = ", ".join(f"{file.format} {file.precision}" for file in self.files)
        advice = f" Export it with --{precision}." if precision != "float32" else ""
        raise ModelCardError(f"{self.path}: has no {format_} {precision} file, only {there}.{advice}")


def find_bundle(name: object) -> Path:
    """Find the folder of a bundle: a shipped one by its name, e.g. `nano`, else by its path.

    Args:
        name: A name, or a path. `nano` always is the shipped one; `./nano` is the folder here.

    Raises:
        ArgumentError: It is neither.
    """
    shipped = {folder.name: folder for folder in find_shipped()}
    if not isinstance(name, str | Path):
        raise ArgumentError(
            f"expected a bundle: its folder, the name of a shipped bundle ({', '.join(shipped)}), or the result "
            f"of open_bundle, got {name!r}."
        )
    return shipped[name] if isinstance(name, str) and name in shipped else Path(name)


def open_bundle(path: Path | str | Bundle) -> Bundle:
    """Read a bundle's card and check the hash of every file it names.

    Args:
        path: The bundle's folder, or the name of a shipped one; an open bundle is returned as it is.

    Raises:
        ArgumentError: It is neither.
        ModelCardError: There is no card, the card is not valid, or a file is missing or changed.
    """
    if isinstance(path, Bundle):
        return path
    path = find_bundle(path)
    card = open_card(path)
    for record in card.records():
        read_verified(path, record)
    return Bundle(path, card)


def open_card(path: Path) -> ModelCard:
    """Read a bundle's card without checking the files that it names.

    Raises:
        ModelCardError: There is no card, or it is not valid.
    """
    try:
        content = _read(path, CARD_NAME, MOST_CARD_BYTES)
    except EdgeMnistError as error:
        raise ModelCardError(f"{path}: {_explain_no_bundle(path, str(error))}") from error
    return decode_card(content, str(path / CARD_NAME))


def _explain_no_bundle(path: Path, error: str) -> str:
    """Explain what the folder holds instead of a bundle, and what to do."""
    expected = "the folder that edge-mnist train or edge-mnist export writes, or the name of a shipped bundle"
    if (path / SAVED_MODEL).is_file():
        return f"expected a bundle ({expected}), got a TensorFlow SavedModel. {TO_KERAS}"
    if path.is_file():
        with suppress(EdgeMnistError, OSError), open_file(path) as file:
            return f"expected a bundle ({expected}), {describe_mistake(file.read(PROBE_BYTES))}"
    return f"not a bundle. {error} Expected {expected}."


@cache
def list_shipped_hashes() -> frozenset[str]:
    """List the SHA-256 of every file of the shipped bundles, which are trusted as the package's code is."""
    cards = list(SHIPPED.parent.glob(f"*/{CARD_NAME}"))
    return frozenset(record.sha256 for path in cards for record in decode_card(path.read_bytes(), str(path)).records())


def read_verified(folder: Path, record: FileRecord) -> bytes:
    """Read a file of the bundle in this folder.

    Raises:
        ModelCardError: It cannot be read, is too large, or is not the file that the card describes.
    """
    path = folder / record.name
    if record.size_bytes > MOST_FILE_BYTES:
        raise ModelCardError(
            f"{path}: the card says {record.size_bytes:,} bytes, expected at most {MOST_FILE_BYTES:,}. Export a "
            "smaller model."
        )
    try:
        content = _read(folder, record.name, record.size_bytes)
    except EdgeMnistError as error:
        raise ModelCardError(
            f"{error} The card lists this file: export the model again or restore the file."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    advice = explain_pointer(content) or " Export the model again or restore the file."
    if found != record.sha256 or len(content) != record.size_bytes:
        raise ModelCardError(
            f"{path}: not the file the card describes (SHA-256 {found[:12]}… of {len(content):,} bytes, expected "
            f"{record.sha256[:12]}… of {record.size_bytes:,}).{advice}"
        )
    return content


def _read(folder: Path, name: str, most: int) -> bytes:
    """Read a file of the bundle, also one that a killed writer has not moved to its place."""
    # If it is moved between the two attempts, the second finds it.
    with suppress(EdgeMnistError):
        return read_file(folder / COMPLETE / name, most)
    return read_file(folder / name, most)
