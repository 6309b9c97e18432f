"""The files that a large job writes: JSON Lines, CSV and Parquet, with the same fields in the same order."""

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ...common.errors import MissingPackageError
from ...common.files import atomic_file

FIELDS = ("source", "frame", "time_s", "rows", "digits", "truncated", "error")
# Rows that are in memory at once.
BATCH_ROWS = 5000

Rows = Iterator[bytes]


def write_result(out: Path, rows: Rows) -> None:
    """Write all rows in the format of the file's name; the file appears when it is complete.

    Args:
        out: Path that ends in .jsonl, .csv or .parquet.
        rows: Rows, each a JSON document.

    Raises:
        OSError: It cannot be written.
    """
    with atomic_file(out) as file:
        WRITERS[out.suffix.lower()](file, rows)


def check_format(out: Path) -> None:
    """Check that the package for a format is installed, before hours of work.

    Raises:
        MissingPackageError: Parquet needs pyarrow.
    """
    if out.suffix.lower() == ".parquet":
        load_pyarrow("--out FILE.parquet")


def load_pyarrow(task: str) -> Any:
    """Import pyarrow with its file systems and Parquet.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import pyarrow.fs  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingPackageError(f"{task} needs the package pyarrow: pip install 'edge-mnist[bulk]'") from error
    return pyarrow


def make_schema(pyarrow: Any) -> Any:
    """Make the Arrow schema of the rows."""
    number, text = pyarrow.float64(), pyarrow.string()
    digit = pyarrow.struct([
        ("digit", pyarrow.int8()),
        ("confidence", number),
        ("digit_probability", number),
        ("class_probability", number),
        ("score", number),
        ("box", pyarrow.list_(pyarrow.int32())),
    ])  # fmt: skip
    types = (text, pyarrow.int64(), number, pyarrow.list_(text), pyarrow.list_(digit), pyarrow.bool_(), text)
    return pyarrow.schema(list(zip(FIELDS, types, strict=True)))


def _write_jsonl(file: BinaryIO, rows: Rows) -> None:
    for row in rows:
        file.write(row + b"\n")


def _write_csv(file: BinaryIO, rows: Rows) -> None:
    """Write the digits of each row separated by spaces, and the details of all digits as JSON."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    for row in rows:
        document = msgspec.json.decode(row)
        digits = msgspec.json.encode(document["digits"]).decode()
        writer.writerow({**document, "rows": " ".join(document["rows"]), "digits": digits})
    text.detach()


def _write_parquet(file: BinaryIO, rows: Rows) -> None:
    pyarrow = load_pyarrow("--out FILE.parquet")
    schema = make_schema(pyarrow)
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        while batch := [msgspec.json.decode(row) for row in itertools.islice(rows, BATCH_ROWS)]:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


WRITERS: dict[str, Callable[[BinaryIO, Rows], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
