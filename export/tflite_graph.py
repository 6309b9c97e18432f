"""Edits of a TFLite file that no converter offers: reading its metadata, and an operator in front of its input."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert.schema_py_generated import (
    BuiltinOperator,
    BuiltinOptions,
    CastOptionsT,
    ModelT,
    OperatorCodeT,
    OperatorT,
    TensorT,
    TensorType,
)
from numpy.typing import NDArray

from .calibrate import ExportError

MODEL_IDENTIFIER = b"TFL3"
# Buffer.data is declared `force_align: 16` in the TFLite schema. Python's flatbuffers ignores that and gives bytes 4,
# also inside TensorFlow's own converter; https://github.com/tensorflow/tflite-micro/pull/3177 has the consequences.
BUFFER_ALIGNMENT = 16


def unpack(content: bytes) -> Any:
    """The file as objects. Typed loosely: the generated types call lists what are arrays, and everything optional."""
    return ModelT.InitFromPackedBuf(content)


def pack(model: Any, size_hint: int = 1024) -> bytes:
    """The objects as a file again, every buffer on a multiple of 16 bytes, equal vectors once; deterministic."""
    builder = _AlignedBuilder(size_hint)
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def operator_kind(model: Any, operator: Any) -> int:
    """An operator's `BuiltinOperator` number.

    Files from before there were more than 127 kinds have the older field alone.
    """
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def read_entry(content: bytes, name: str) -> bytes | None:
    """The metadata entry of this name, None where the file has none."""
    model = unpack(content)
    for entry in model.metadata or []:
        if entry.name == name.encode():
            return bytes(model.buffers[entry.buffer].data)
    return None


def has_int16_tensors(content: bytes) -> bool:
    """Whether any tensor of the file holds 16-bit integers."""
    return any(tensor.type == TensorType.INT16 for graph in unpack(content).subgraphs for tensor in graph.tensors)


def add_cast_head(content: bytes) -> bytes:
    """Let a model that takes float pixels, 0 to 255, take them as uint8: a cast becomes its first operator."""
    model = unpack(content)
    graph = model.subgraphs[0]
    (float_index,) = graph.inputs
    raw_index = len(graph.tensors)
    shape = graph.tensors[float_index]
    graph.tensors.append(
        TensorT(
            name=b"pixels",
            type=TensorType.UINT8,
            shape=shape.shape,
            shapeSignature=shape.shapeSignature,
            hasRank=True,
            buffer=0,
        )
    )
    cast = OperatorT(
        opcodeIndex=len(model.operatorCodes),
        inputs=np.array([raw_index], np.int32),
        outputs=np.array([float_index], np.int32),
        builtinOptionsType=BuiltinOptions.CastOptions,
        builtinOptions=CastOptionsT(inDataType=TensorType.UINT8, outDataType=TensorType.FLOAT32),
    )
    code = BuiltinOperator.CAST
    model.operatorCodes.append(OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=1))
    graph.operators.insert(0, cast)
    graph.inputs = np.array([raw_index], np.int32)
    for signature in model.signatureDefs or []:
        for entry in signature.inputs:
            entry.tensorIndex = raw_index
    return pack(model, len(content))


def requantize_input(content: bytes, scale: float) -> bytes:
    """Let the uint8 input mean `integer * scale`; the operator that reads it converts to the scale behind it.

    Raises:
        ExportError: Something else than a QUANTIZE operator reads the input.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    (index,) = graph.inputs
    readers = [operator_kind(model, one) for one in graph.operators if index in one.inputs]
    if graph.tensors[index].type != TensorType.UINT8 or set(readers) != {BuiltinOperator.QUANTIZE}:
        raise ExportError("TFLite int8: raw pixels cannot enter, as the converter gave the input another type.")
    graph.tensors[index].quantization.scale = np.array([scale], np.float32)
    graph.tensors[index].quantization.zeroPoint = np.array([0], np.int64)
    return pack(model, len(content))


class _AlignedBuilder(flatbuffers.Builder):
    """Puts vectors of bytes where the TFLite schema wants them, and writes equal vectors once.

    Two tables may point to the same one. Every channel's zero point is a 0 of eight bytes, for weights and for biases:
    written once for each number of channels, they are no longer a twelfth of a small file.
    """

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self.written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - the base's name
        key = x.dtype.str, x.tobytes()
        if key not in self.written:
            self.written[key] = super().CreateNumpyVector(x)
        return self.written[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803 - the base's names
        return super().StartVector(elemSize, numElems, BUFFER_ALIGNMENT if elemSize == 1 else alignment)
