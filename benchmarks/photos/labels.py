"""A folder of photographs and their labels: `labels.json`, `{"file.jpg": {"rows": ["123", ...]}}`."""

from dataclasses import dataclass
from pathlib import Path, PurePath

import msgspec

from ...edge.common.errors import EdgeMnistError
from ...edge.common.files import read_file
from ..errors import BenchmarkError

LABELS_NAME = "labels.json"
MOST_BYTES = 64_000_000
# Made by `edge-mnist scenes DIR --count 1 --seed 4 --most-megapixels 0.2`, without the picture of twelve megapixels.
SHIPPED_PHOTOS = Path(__file__).parent / "shipped"


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """The label of a photograph. Other keys, such as its source and licence, are for people and not read.

    Attributes:
        rows: The digits of each row, top to bottom; empty without digits.
        condition: A name for its special property; photographs with the same one are scored together.
    """

    rows: tuple[str, ...]
    condition: str | None = None


@dataclass(frozen=True)
class Photo:
    """A photograph in its folder, and its label."""

    name: str
    path: Path
    label: Label


def read_labels(folder: Path) -> list[Photo]:
    """List the photographs of a folder in the order of its labels.

    Raises:
        BenchmarkError: The labels are missing or malformed, or name a file that does not exist.
    """
    path = folder / LABELS_NAME
    try:
        labels = msgspec.json.decode(read_file(path, MOST_BYTES), type=dict[str, Label])
    except EdgeMnistError as error:
        raise BenchmarkError(
            f'{error} Expected a folder with pictures and a {LABELS_NAME}: {{"file.jpg": {{"rows": ["123", "45"]}}}}.'
        ) from error
    except Exception as error:
        raise BenchmarkError(f'{path}: expected {{"file.jpg": {{"rows": ["123", "45"]}}}}, but: {error}.') from error
    if not labels:
        raise BenchmarkError(f"{path}: names no pictures. Add some, or choose another folder.")
    return [_find_photo(path, name, label) for name, label in labels.items()]


def _find_photo(labels_path: Path, name: str, label: Label) -> Photo:
    for row in label.rows:
        if not (row.isascii() and row.isdecimal()):
            raise BenchmarkError(f"{labels_path}: {name}: expected rows of digits, got {row!r}. Correct the label.")
    path = labels_path.parent / name
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise BenchmarkError(f"{labels_path}: {name}: expected a file in this folder. Move it there.")
    if not path.is_file():
        raise BenchmarkError(f"{labels_path}: {name}: no such file. Restore it, or delete its label.")
    return Photo(name, path, label)
