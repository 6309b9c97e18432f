"""What a TFLite or ONNX file says of itself, without running it and without its bundle.

Files come from anywhere, so nothing in one is believed before it is checked: parts are counted before they are walked
through, data outside the file are never opened, and whatever parsing garbage raises becomes one sentence.
"""

import hashlib
import struct

import msgspec

from .card import Format
from .inspect_model import InspectionError, Model, printable
from .inspect_onnx import read_onnx
from .inspect_tflite import read_tflite

TFLITE_IDENTIFIER = b"TFL3"
MOST_COUNTED = 2**53
# What flatbuffers, protobuf and NumPy raise on bytes that are no model.
GARBAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError, struct.error)


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A file and what is in it. `parameters` are counted as stored: folded and fused."""

    file: str
    format: Format
    size_bytes: int
    sha256: str
    parameters: int
    model: Model


def inspect_file(content: bytes, name: str) -> Inspection:
    """Read a model file's structure. Its bytes say which format it is, not its name.

    Args:
        content: The whole file; it may come from anywhere.
        name: What error messages call it.

    Raises:
        InspectionError: Neither TFLite nor ONNX, damaged, keeps data outside itself, or the package onnx is missing.
    """
    if not content:
        raise InspectionError(f"{name}: expected a TFLite or ONNX file, it is empty. Export or copy it again.")
    is_tflite = content[4:8] == TFLITE_IDENTIFIER
    try:
        model = (read_tflite if is_tflite else read_onnx)(content)
        if (parameters := sum(kind.parameters for kind in model.weights)) + model.macs > MOST_COUNTED:
            raise ValueError(f"it claims {parameters:,} parameters and {model.macs:,} multiply-adds")
    except GARBAGE as error:
        expected = "marked as TFLite but damaged" if is_tflite else "neither TFLite nor ONNX, or damaged"
        reason = printable(str(error)) or type(error).__name__
        raise InspectionError(f"{name}: {expected} ({reason:.200}). Export or copy it again.") from error
    except InspectionError as error:
        raise InspectionError(f"{name}: {error}") from error
    return Inspection(
        file=name,
        format="tflite" if is_tflite else "onnx",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        parameters=parameters,
        model=model,
    )
