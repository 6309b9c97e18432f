"""Weights that an ONNX file keeps in separate files ("external data"): found beside the model, and nowhere else.

Runtimes that receive a model's bytes look for such files in the current folder, which may hold another file of that
name. Here they are searched in the model's folder, and links and paths that lead out of it are refused.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ..common.errors import EdgeMnistError
from ..common.files import open_file
from ..common.processes.child import call_in_child, limits_for
from ..common.terminal.text import printable
from .model import DataFile, decode_text, import_parser

# Key of each reference to such a file, so that the package onnx is needed only if there may be one.
LOCATION = b"location"
CHUNK_BYTES = 1 << 20


def list_data_files(content: bytes) -> tuple[DataFile, ...]:
    """List the files that an ONNX model keeps weights in, by name; parsed in a child, because it may be untrusted.

    Raises:
        EdgeMnistError: It cannot be parsed, or the package onnx is missing.
    """
    if LOCATION not in content:
        return ()
    try:
        found = call_in_child(_list, content, limits_for(len(content)), raises=(EdgeMnistError,))
    except EdgeMnistError as error:
        raise EdgeMnistError(f"may keep weights in other files, which cannot be listed: {error}") from error
    return msgspec.msgpack.decode(found, type=tuple[DataFile, ...])


def find_data_files(proto: Any, onnx: Any) -> tuple[DataFile, ...]:
    """List the data files of a parsed model, including those of attributes, subgraphs and functions.

    Raises:
        ValueError: An entry has no numbers where it should.
    """
    least: dict[str, int] = {}
    for tensor in _outside(proto, onnx.TensorProto):
        entry = {decode_text(one.key): decode_text(one.value) for one in tensor.external_data}
        location = entry.get("location", "")
        end = int(entry.get("offset") or 0) + int(entry.get("length") or 0)
        least[location] = max(least.get(location, 0), end)
    return tuple(DataFile(location, end) for location, end in sorted(least.items()))


def identify_model(content: bytes, folder: Path, files: Sequence[DataFile]) -> tuple[str, int]:
    """Return SHA-256 and size of a model with all of its weights.

    The hash is that of `cat MODEL DATA...`, the data files in order of their names; without any, the model file's own.

    Args:
        content: Bytes of the model file.
        folder: Folder that contains it.
        files: Files that it keeps weights in.

    Raises:
        EdgeMnistError: A file is missing, too short, not a regular file, or not within the folder.
    """
    digest, size = hashlib.sha256(content), len(content)
    for file in files:
        path, read = _locate(folder, file.location), 0
        try:
            with open_file(path) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    digest.update(chunk)
                    read += len(chunk)
        except (EdgeMnistError, OSError) as error:
            raise EdgeMnistError(f"its weights cannot be read: {error}") from error
        if read < file.least_bytes:
            raise EdgeMnistError(
                f"keeps weights in {printable(file.location)!r}, which has {read:,} bytes, but the model reads "
                f"{file.least_bytes:,}. Fetch it again (`git lfs pull` if it is a pointer)."
            )
        size += read
    return digest.hexdigest(), size


def _locate(folder: Path, location: str) -> Path:
    """Locate a data file.

    Raises:
        EdgeMnistError: It is missing, or its path is absolute, leaves the folder, or leads through a link.
    """
    shown, named = printable(location)[:200], PurePosixPath(location)
    if not location or "\0" in location or named.is_absolute() or ".." in named.parts:
        raise EdgeMnistError(
            f"keeps weights in {shown!r}, and only files in the model's own folder are read. Save it again with its "
            "data inside or beside it."
        )
    path = folder / named
    try:
        resolved, within = path.resolve(), folder.resolve() / named
    except (OSError, RuntimeError, ValueError) as error:
        raise EdgeMnistError(f"keeps weights in {shown!r}, which cannot be read ({error}).") from error
    if resolved != within:
        raise EdgeMnistError(
            f"keeps weights in {shown!r}, which is a symbolic link or is reached through one; links are not "
            "followed. Copy the file itself there."
        )
    if not path.exists():
        raise EdgeMnistError(
            f"keeps weights in {shown!r}, which is missing in {printable(str(folder))}. Put it beside the model, as it "
            "was when the model was saved."
        )
    return path


def _outside(message: Any, tensor_type: type) -> Iterator[Any]:
    """Yield every tensor whose values are in another file."""
    if isinstance(message, tensor_type):
        if message.external_data or message.data_location == message.EXTERNAL:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from _outside(part, tensor_type)


def _list(content: bytes) -> bytes:
    onnx = import_parser("weights outside an ONNX file", "onnx", "onnx")
    return msgspec.msgpack.encode(find_data_files(onnx.load_from_string(content), onnx))
