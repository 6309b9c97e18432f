"""Inspect a TFLite or ONNX file without running it and without its bundle.

Files may come from anywhere, so no value is trusted before it is checked: parts are counted before they are visited,
data outside the file are only hashed, and any error from parsing becomes one sentence. All of it happens in a child
process: a kilobyte of nested ONNX functions keeps shape inference busy for years.
"""

from pathlib import Path

import msgspec

from ..bundle.contract import Format
from ..common.errors import EdgeMnistError
from ..common.kinds import ONNX, TFLITE, UNKNOWN, describe_mistake, identify_kind
from ..common.processes.child import ChildError, call_in_child, first_line, limits_for
from ..common.terminal.text import printable
from .model import Model
from .onnx import read_onnx
from .onnx_data import identify_model
from .tflite import read_tflite

TFLITE_IDENTIFIER = b"TFL3"
MOST_COUNTED = 2**53


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A file and its structure. `parameters` are counted as stored: folded and fused.

    Size and hash cover all of its files: see `identify_model` for a model that keeps weights in separate files.
    """

    file: str
    format: Format
    size_bytes: int
    sha256: str
    parameters: int
    model: Model


def inspect_file(content: bytes, name: str, folder: Path | None = None) -> Inspection:
    """Read a model file's structure. Its bytes determine the format, not its name.

    Args:
        content: Bytes of the whole file, which may come from anywhere.
        name: Name of the file in error messages.
        folder: Folder of the files that an ONNX model keeps weights in; None for a model that must hold all of them.

    Raises:
        EdgeMnistError: Neither TFLite nor ONNX, damaged, keeps weights in a place that is not allowed, or the package
            onnx is missing.
    """
    try:
        found = call_in_child(_read_here, content, limits_for(len(content)), raises=(EdgeMnistError,))
        model = msgspec.msgpack.decode(found, type=Model)
        if model.data_files and folder is None:
            raise EdgeMnistError("keeps weights in other files. Save the model with its data inside.")
        sha256, size_bytes = identify_model(content, folder or Path(), model.data_files)
    except ChildError as error:
        raise EdgeMnistError(
            f"{name}: cannot be inspected, the process that read it {error}. Export it again, or get another copy."
        ) from error
    except EdgeMnistError as error:
        raise EdgeMnistError(f"{name}: {error}") from error
    return Inspection(
        file=name,
        format="tflite" if is_tflite(content) else "onnx",
        size_bytes=size_bytes,
        sha256=sha256,
        parameters=sum(kind.parameters for kind in model.weights),
        model=model,
    )


def is_tflite(content: bytes) -> bool:
    """Whether a file is marked as TFLite; the other format has no mark."""
    return content[4:8] == TFLITE_IDENTIFIER


def read_model(content: bytes) -> Model:
    """Read a file's structure in this process.

    Raises:
        EdgeMnistError: As for `inspect_file`; the message continues the file's name.
    """
    if not content:
        raise EdgeMnistError("expected a TFLite or ONNX file, got an empty file. Export or copy it again.")
    try:
        model = (read_tflite if is_tflite(content) else read_onnx)(content)
        if (parameters := sum(kind.parameters for kind in model.weights)) + model.macs > MOST_COUNTED:
            raise ValueError(f"it claims {parameters:,} parameters and {model.macs:,} multiply-adds")
    except (EdgeMnistError, MemoryError):
        raise
    except Exception as error:
        # flatbuffers, protobuf, onnx and NumPy raise any exception on bytes that are not a model.
        expected = "marked as TFLite but damaged" if is_tflite(content) else "neither TFLite nor ONNX, or damaged"
        if identify_kind(content) not in {ONNX, TFLITE, UNKNOWN}:
            raise EdgeMnistError(f"expected a TFLite or ONNX file, {describe_mistake(content)}") from error
        raise EdgeMnistError(f"{expected} ({printable(first_line(error)):.200}). Export or copy it again.") from error
    return model


def _read_here(content: bytes) -> bytes:
    return msgspec.msgpack.encode(read_model(content))
