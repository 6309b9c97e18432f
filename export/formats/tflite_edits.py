"""Edits of a TFLite file that no converter offers, such as reading its metadata or putting an operator at its input."""

from collections import Counter
from collections.abc import Iterator
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
from ai_edge_litert.tools.flatbuffer_utils import get_builtin_code_from_operator_code
from numpy.typing import NDArray

from ..errors import ExportError

MODEL_IDENTIFIER = b"TFL3"
# Buffer.data is declared `force_align: 16` in the TFLite schema. Python's flatbuffers ignores that and aligns bytes to
# 4, also inside TensorFlow's own converter; https://github.com/tensorflow/tflite-micro/pull/3177 has the consequences.
BUFFER_ALIGNMENT = 16


def unpack(content: bytes) -> Any:
    """Unpack the file into objects, typed loosely: the generated types declare arrays as lists, and all as optional."""
    return ModelT.InitFromPackedBuf(content)


def pack(model: Any, size_hint: int = 1024) -> bytes:
    """Pack objects into a file, with buffers on multiples of 16 bytes and equal vectors once; deterministic."""
    builder = _AlignedBuilder(size_hint)
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def operator_kind(model: Any, operator: Any) -> int:
    """Return an operator's `BuiltinOperator` number."""
    return get_builtin_code_from_operator_code(model.operatorCodes[operator.opcodeIndex])


def read_entry(content: bytes, name: str) -> bytes | None:
    """Return the metadata entry with this name; None if the file has none."""
    model = unpack(content)
    for entry in model.metadata or []:
        if entry.name == name.encode():
            return bytes(model.buffers[entry.buffer].data)
    return None


def has_int16_tensors(content: bytes) -> bool:
    """Whether any tensor of the file holds 16-bit integers."""
    return any(tensor.type == TensorType.INT16 for graph in unpack(content).subgraphs for tensor in graph.tensors)


def add_cast_head(content: bytes) -> bytes:
    """Make a model that takes float pixels, 0 to 255, take uint8 instead: a cast becomes its first operator."""
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
    """Let the uint8 input mean `integer * scale`; the operator that reads it converts to the scale of its output.

    Raises:
        ExportError: An operator other than QUANTIZE reads the input.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    (index,) = graph.inputs
    readers = [operator_kind(model, one) for one in graph.operators if index in one.inputs]
    if graph.tensors[index].type != TensorType.UINT8 or set(readers) != {BuiltinOperator.QUANTIZE}:
        raise ExportError("TFLite int8: raw pixels cannot be read, because the converter gave the input another type.")
    graph.tensors[index].quantization.scale = np.array([scale], np.float32)
    graph.tensors[index].quantization.zeroPoint = np.array([0], np.int64)
    return pack(model, len(content))


class _AlignedBuilder(flatbuffers.Builder):
    """A builder that aligns vectors of bytes as the TFLite schema requires, and writes equal vectors once.

    Two tables may refer to the same vector. Every channel's zero point is a 0 of eight bytes, for weights and for
    biases: written once for each number of channels, they no longer take a twelfth of a small file.
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


CONVERTER_ENTRY = b"CONVERSION_METADATA"
# The entry of an operator's list that stands for an absent optional input.
NO_TENSOR = -1
# A reshape, and the operators by which the converter computes its shape.
RESHAPING = {BuiltinOperator.RESHAPE, BuiltinOperator.SHAPE, BuiltinOperator.STRIDED_SLICE, BuiltinOperator.PACK}


def slim(content: bytes) -> bytes:
    """Remove what no runtime needs: a tenth of the smallest files.

    Each tensor is named after one layer, not after all that were fused into it with their operations:
    `net_1/re_lu_4_1/Relu;net_1/conv2d_4_1/convolution` becomes `re_lu_4_1`, and a name that is taken gets a number. All
    empty buffers become the first, which the schema keeps empty. A signature takes `pixels` and gives `logits`. The
    converter's record of its own options is dropped; the card names the converter.

    Nothing is flattened before a dense operator, which flattens by itself. The converter computes the shape at run
    time, since the number of images is open; XNNPACK computes no shapes, and would run the network in two parts.
    """
    model = unpack(content)
    for index, graph in enumerate(model.subgraphs):
        _flatten_by_dense(model, graph)
        _drop_idle_reshaping(model, graph)
        _drop_unused_tensors(graph, [entry for entry in model.signatureDefs or [] if entry.subgraphIndex == index])
        _name_after_layers(graph)
    _name_signatures(model)
    _drop_unused_codes(model)
    model.metadata = [entry for entry in model.metadata or [] if entry.name != CONVERTER_ENTRY]
    _drop_unused_buffers(model)
    return pack(model, len(content))


def _name_signatures(model: Any) -> None:
    """Rename a signature's input `pixels` and its output `logits`, whatever the converter named them."""
    for signature in model.signatureDefs or []:
        for entries, name in ((signature.inputs, b"pixels"), (signature.outputs, b"logits")):
            if len(entries) == 1:
                entries[0].name = name


def _flatten_by_dense(model: Any, graph: Any) -> None:
    """Let dense operators read the tensor before flattening: they divide its size by the length of their input."""
    makers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    for operator in graph.operators:
        if (
            operator_kind(model, operator) == BuiltinOperator.FULLY_CONNECTED
            and not operator.builtinOptions.keepNumDims
        ):
            flatten = makers.get(int(operator.inputs[0]))
            if flatten is not None and operator_kind(model, flatten) == BuiltinOperator.RESHAPE:
                operator.inputs = np.array([flatten.inputs[0], *operator.inputs[1:]], np.int32)


def _drop_idle_reshaping(model: Any, graph: Any) -> None:
    """Remove operators that reshape a tensor that is not read."""
    kept, read = [], {int(index) for index in graph.outputs}
    for operator in reversed(graph.operators):
        if operator_kind(model, operator) not in RESHAPING or read.intersection(map(int, operator.outputs)):
            kept.insert(0, operator)
            read.update(map(int, operator.inputs))
    graph.operators = kept


def _drop_unused_tensors(graph: Any, signatures: list[Any]) -> None:
    used = {int(index) for indices in _references(graph) for index in indices} - {NO_TENSOR}
    places = {old: new for new, old in enumerate(sorted(used))} | {NO_TENSOR: NO_TENSOR}
    graph.tensors = [graph.tensors[index] for index in sorted(used)]
    for indices in _references(graph):
        indices[:] = [places[int(index)] for index in indices]
    for signature in signatures:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[entry.tensorIndex]


def _references(graph: Any) -> Iterator[NDArray[np.int32]]:
    """Yield all lists of tensor indices, to be read or changed."""
    for owner, fields in (
        (graph, "inputs outputs"),
        *((one, "inputs outputs intermediates") for one in graph.operators),
    ):
        for field in fields.split():
            if getattr(owner, field) is not None:
                # Arrays unpacked from a file are read-only.
                setattr(owner, field, np.array(getattr(owner, field), np.int32))
                yield getattr(owner, field)


def _drop_unused_codes(model: Any) -> None:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    kept = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = kept.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[place] for place in kept]


def _drop_unused_buffers(model: Any) -> None:
    users = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *model.metadata]
    for user in users:
        data = model.buffers[user.buffer].data
        user.buffer = 0 if data is None or not len(data) else user.buffer
    kept = sorted({0, *(user.buffer for user in users)})
    for user in users:
        user.buffer = kept.index(user.buffer)
    model.buffers = [model.buffers[place] for place in kept]


def _name_after_layers(graph: Any) -> None:
    ends: dict[int, str] = {int(index): "pixels" for index in graph.inputs}
    ends |= {int(index): "logits" for index in graph.outputs}
    taken: Counter[str] = Counter()
    for index, tensor in enumerate(graph.tensors):
        path = tensor.name.decode().partition(";")[0].split("/")
        # Once shortened, a name stays as it is.
        short = ends.get(index) or (path[-2] if len(path) > 1 else path[0])
        taken[short] += 1
        tensor.name = (f"{short}.{taken[short]}" if taken[short] > 1 else short).encode()
