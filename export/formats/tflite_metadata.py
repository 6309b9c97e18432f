"""The metadata of a TFLite file: the project's own properties, and the name and description that viewers show.

A TFLite model holds named pieces of metadata, each in a buffer beside the weights, which runtimes ignore. Two are
written here: `edge_mnist`, the same flat properties that the ONNX files carry, as JSON; and `TFLITE_METADATA`, the
standard model metadata, which Netron and the TFLite metadata tools read.
"""

import json
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert.schema_py_generated import BufferT, MetadataT

from ..errors import ExportError
from .tflite_edits import MODEL_IDENTIFIER, pack, slim, unpack

PROPERTIES_ENTRY = "edge_mnist"
STANDARD_ENTRY = "TFLITE_METADATA"
STANDARD_IDENTIFIER = b"M001"
# The ModelMetadata table: the field numbers of its strings.
# Source: tensorflow/tflite-support, tensorflow_lite_support/metadata/metadata_schema.fbs (version 1.5.0).
STANDARD_FIELDS = {"name": 0, "description": 1, "version": 2, "author": 4, "license": 5, "min_parser_version": 7}
STANDARD_FIELD_COUNT = 8
# Strings of ModelMetadata itself are as old as the schema.
MIN_PARSER_VERSION = "1.0.0"
# Longer properties, such as golden vectors, are for programs, not for a viewer's description.
LONGEST_DESCRIBED = 200


def seal(content: bytes, properties: dict[str, str]) -> bytes:
    """Finish a file for the bundle: add metadata, see `write_metadata`, and remove what no runtime needs."""
    return slim(write_metadata(content, properties))


def write_metadata(content: bytes, properties: dict[str, str]) -> bytes:
    """Write properties into a TFLite file, replacing earlier ones; nothing else in it changes.

    The standard metadata are derived from them: `edge_mnist.name`, `.description`, `.version`, `.author` and `.license`
    if given. The default name is "edge-mnist", the default description lists the shorter of the other properties.

    Args:
        content: A whole TFLite file.
        properties: Flat properties, such as {"edge_mnist.precision": "int8"}.

    Returns:
        The file with both entries and every buffer on a multiple of 16 bytes; the same bytes for the same arguments.

    Raises:
        ExportError: The file is not TFLite, or keeps weights after the flatbuffer, where packing would lose them.
    """
    if content[4:8] != MODEL_IDENTIFIER:
        raise ExportError(f"TFLite metadata: expected a file with {MODEL_IDENTIFIER!r} in it, got {content[4:8]!r}.")
    model = unpack(content)
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise ExportError(
            "TFLite metadata: weights stored after the flatbuffer cannot be kept. Convert to less than 2 GB."
        )
    _put(model, PROPERTIES_ENTRY, encode_properties(properties))
    _put(model, STANDARD_ENTRY, encode_standard(_describe(properties)))
    return pack(model, len(content))


def encode_properties(properties: dict[str, str]) -> bytes:
    """Encode properties as canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def encode_standard(fields: dict[str, str]) -> bytes:
    """Encode a ModelMetadata flatbuffer.

    Args:
        fields: Values for some of `STANDARD_FIELDS`.

    Source: tensorflow/tflite-support, metadata_schema.fbs.
    """
    builder = flatbuffers.Builder()
    strings = {STANDARD_FIELDS[name]: builder.CreateString(value) for name, value in fields.items()}
    builder.StartObject(STANDARD_FIELD_COUNT)
    for slot, offset in strings.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), STANDARD_IDENTIFIER)
    return bytes(builder.Output())


def _put(model: Any, name: str, data: bytes) -> None:
    """Replace the entry's data, or append a new entry: the indices of other buffers do not change."""
    model.metadata = model.metadata or []
    array: Any = np.frombuffer(data, np.uint8)
    for entry in model.metadata:
        if entry.name == name.encode():
            model.buffers[entry.buffer].data = array
            return
    model.metadata.append(MetadataT(name=name.encode(), buffer=len(model.buffers)))
    model.buffers.append(BufferT(data=array))


def _describe(properties: dict[str, str]) -> dict[str, str]:
    """Derive the standard fields from the properties."""
    own = {key.removeprefix("edge_mnist."): value for key, value in properties.items()}
    fields = {name: own[name] for name in STANDARD_FIELDS if name in own}
    rest = [f"{key}: {own[key]}" for key in sorted(own.keys() - fields.keys()) if len(own[key]) <= LONGEST_DESCRIBED]
    return {"name": "edge-mnist", "description": "; ".join(rest), **fields, "min_parser_version": MIN_PARSER_VERSION}
