"""Read batches: columns of pictures in, a row for each frame out, as Ray Data, pandas and others pass them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ...bundle.contract import Precision
from ...bundle.folder import Bundle
from ...bundle.shipped import SHIPPED
from ...common.errors import ArgumentError
from ...media.lazy_sources import ListedFile, NamedInput
from ...media.pictures import PictureError
from ...media.sources import InputSource, SourceFrame, read_content
from ...media.videos import Spacing
from ..reader import Reader
from .addresses import RemotePicture, is_remote
from .formats import FIELDS, load_pyarrow, make_schema
from .rows import read_rows


@dataclass(frozen=True)
class PictureContent:
    """The bytes of a picture file, under a name."""

    name: str
    content: bytes

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the one frame."""
        yield read_content(self.name, self.content, time.perf_counter())


class BatchReader:
    """A reader of batches. A picture that cannot be read is a row with the reason in `error`.

    Example:
        >>> files = ray.data.read_binary_files("s3://bucket/scans", include_paths=True)
        >>> rows = files.map_batches(BatchReader, batch_format="pyarrow", batch_size=32, concurrency=8)
    """

    def __init__(
        self,
        bundle: Path | str | Bundle = SHIPPED,
        runtime: str | None = None,
        precision: Precision = "int8",
        threads: int = 1,
    ) -> None:
        """Load the model, see `Reader`."""
        self._reader = Reader(bundle, runtime, precision, threads)

    def __call__(self, batch: Any) -> Any:
        """Read a batch.

        Args:
            batch: A pyarrow table, or a mapping of columns, with the column `bytes` (contents of files), `path` (paths
                or addresses), or both; then `path` gives the names.

        Returns:
            A table or a dictionary of lists, like the batch, with one row for each picture or frame of a video:
            `source`, `frame`, `time_s`, `rows`, `digits`, `truncated` and `error`.

        Raises:
            ArgumentError: The batch has neither column.
        """
        is_table = hasattr(batch, "to_pydict")
        columns: Mapping[str, Sequence[Any]] = batch.to_pydict() if is_table else batch
        documents = [
            msgspec.json.decode(row) for item in _list_pictures(columns) for row in read_rows(self._reader, item).rows
        ]
        if is_table:
            pyarrow = load_pyarrow("A table")
            return pyarrow.Table.from_pylist(documents, make_schema(pyarrow))
        return {name: [document[name] for document in documents] for name in FIELDS}


def _list_pictures(columns: Mapping[str, Sequence[Any]]) -> Iterator[NamedInput]:
    if "bytes" not in columns and "path" not in columns:
        raise ArgumentError(f"expected a column `bytes` or `path`, got {', '.join(columns) or 'no columns'}.")
    names = [str(name) for name in columns["path"]] if "path" in columns else []
    for number in range(len(columns.get("bytes", names))):
        name = names[number] if names else f"picture {number}"
        source: InputSource
        if "bytes" in columns:
            source = PictureContent(name, bytes(columns["bytes"][number]))
        else:
            source = RemotePicture(name) if is_remote(name) else ListedFile(Path(name), Spacing())
        yield NamedInput(name, name, source)
