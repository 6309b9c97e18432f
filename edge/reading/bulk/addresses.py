"""Pictures in object stores and other file systems: s3://, gs://, hdfs:// and what else pyarrow opens by address."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from ...media.lazy_sources import NamedInput
from ...media.pictures import MOST_MEGABYTES, SUFFIXES, PictureError
from ...media.sources import InputSource, MissingSource, SourceFrame, read_content
from .formats import load_pyarrow

SCHEMES = frozenset({"abfs", "abfss", "file", "gcs", "gs", "hdfs", "s3", "viewfs"})


def is_remote(argument: str) -> bool:
    """Whether an argument is an address that pyarrow's file systems open."""
    return urlsplit(argument).scheme in SCHEMES and "://" in argument


@dataclass(frozen=True)
class RemotePicture:
    """A picture at an address."""

    address: str

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield the one frame."""
        started = time.perf_counter()
        yield read_content(self.address, _read(self.address), started)


def iterate_addresses(addresses: tuple[str, ...]) -> Iterator[NamedInput]:
    """Yield the pictures at addresses of files, and of folders without subfolders; other files are left out.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    for number, address in enumerate(addresses):
        try:
            for found in _list(address):
                yield NamedInput(f"address {number}/{found}", found, RemotePicture(found))
        except (OSError, ValueError) as error:
            failed: InputSource = MissingSource(f"{address}: cannot be read ({_explain(error)}).")
            yield NamedInput(f"address {number}/{address}", address, failed)


def _list(address: str) -> Iterator[str]:
    fs, path, query = _open(address)
    pyarrow = load_pyarrow("An address")
    if fs.get_file_info(path).type != pyarrow.fs.FileType.Directory:
        yield address
        return
    folder = address.partition("?")[0].rstrip("/")
    for info in fs.get_file_info(pyarrow.fs.FileSelector(path)):
        is_picture = info.type == pyarrow.fs.FileType.File and f".{info.extension.lower()}" in SUFFIXES
        if is_picture and not info.base_name.startswith("."):
            yield f"{folder}/{info.base_name}{query}"


def _read(address: str) -> bytes:
    most = MOST_MEGABYTES * 1_000_000
    try:
        fs, path, _ = _open(address)
        with fs.open_input_stream(path) as stream:
            return stream.read(most + 1)
    except (OSError, ValueError) as error:
        raise PictureError(f"{address}: cannot be read ({_explain(error)}).") from error


def _open(address: str) -> tuple[Any, str, str]:
    """Return the file system, the path in it, and the query, with its ?, of an address."""
    base, mark, query = address.partition("?")
    folder, _, name = base.rstrip("/").rpartition("/")
    if folder.endswith("/") or not name:
        fs, path = load_pyarrow("An address").fs.FileSystem.from_uri(address)
        return fs, path, mark + query
    # Connecting takes longer than reading a picture, so connections are kept by folder.
    fs, parent = _connect(folder + mark + query)
    return fs, f"{parent.rstrip('/')}/{name}", mark + query


@lru_cache(maxsize=64)
def _connect(address: str) -> tuple[Any, str]:
    return load_pyarrow("An address").fs.FileSystem.from_uri(address)


def _explain(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
