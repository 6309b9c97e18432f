"""Read the structure of a TFLite file with flatbuffers' accessors, without an interpreter."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ..common.errors import EdgeMnistError
from .model import (
    MOST_DIMENSIONS,
    Constant,
    Model,
    Operation,
    Shape,
    TensorInfo,
    check_shape,
    count_macs,
    count_operators,
    decode_text,
    describe_scales,
    import_parser,
    sum_weights,
)

PROPERTIES_ENTRY = "edge_mnist"
# All offsets may lead to one place, so a small file can claim any number of parts. Language models have about 10,000.
MOST_PARTS = 50_000
LONGEST_NAME = 4_000


def read_tflite(content: bytes) -> Model:
    """Read the structure of a TFLite file.

    Raises:
        EdgeMnistError: Its data are behind the flatbuffer, or the package ai-edge-litert is missing.
        Exception: It is damaged; any error of flatbuffers and NumPy, and ValueError for offsets out of bounds.

    Source: tensorflow/tensorflow, tensorflow/compiler/mlir/lite/schema/schema.fbs.
    """
    schema = import_parser("TFLite", "ai_edge_litert.schema_py_generated", "ai-edge-litert")
    model = schema.Model.GetRootAs(content)
    graphs = _parts(model.SubgraphsLength(), model.Subgraphs)
    _bounded(sum(graph.TensorsLength() + graph.OperatorsLength() for graph in graphs))
    buffers = [_data(buffer) for buffer in _parts(model.BuffersLength(), model.Buffers)]
    entries = {_name(entry.Name()): buffers[entry.Buffer()] for entry in _parts(model.MetadataLength(), model.Metadata)}
    codes = [_code(code, schema) for code in _parts(model.OperatorCodesLength(), model.OperatorCodes)]
    operations = [list(_operations(graph, codes)) for graph in graphs]
    main = graphs[0]
    macs, not_counted = count_macs(operations[0], _batch(graphs[0]))
    return Model(
        header=_header(model, entries),
        properties=_properties(entries.get(PROPERTIES_ENTRY)),
        inputs=tuple(_tensor(main.Tensors(i), schema) for i in _parts(main.InputsLength(), main.Inputs)),
        outputs=tuple(_tensor(main.Tensors(i), schema) for i in _parts(main.OutputsLength(), main.Outputs)),
        operators=count_operators(operation for graph in operations for operation in graph),
        weights=sum_weights(_weights(graphs, buffers, schema)),
        macs=macs,
        not_counted=not_counted,
    )


def _header(model: Any, entries: dict[str, Any]) -> dict[str, str]:
    return {
        "schema version": str(model.Version()),
        "description": decode_text(model.Description()),
        "min_runtime_version": decode_text(entries.get("min_runtime_version")).rstrip("\0"),
    }


def _bounded(count: int) -> int:
    if count > MOST_PARTS:
        raise ValueError(f"it claims {count:,} parts")
    return count


def _parts(count: int, get: Callable[[int], Any]) -> list[Any]:
    return [get(i) for i in range(_bounded(count))]


def _name(data: Any) -> str:
    """Decode a text, limited in length: a small file can give many parts one name as long as itself."""
    if data is not None and len(data) > LONGEST_NAME:
        raise ValueError(f"it claims a name of {len(data):,} bytes")
    return decode_text(data)


def _data(buffer: Any) -> Any:
    """Return a view of a buffer's bytes, all of them inside the file; None if it has none."""
    if buffer.Offset() > 1:
        raise EdgeMnistError("keeps its weights after the flatbuffer, like files over 2 GB; these are not supported.")
    return buffer.DataAsNumpy() if buffer.DataLength() else None


def _properties(data: Any) -> dict[str, str]:
    try:
        return msgspec.json.decode(bytes(data), type=dict[str, str]) if data is not None else {}
    except ValueError as error:
        raise ValueError(f"its edge_mnist metadata is not a JSON object of strings: {error}") from error


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _code(code: Any, schema: Any) -> tuple[str, int, bool]:
    """Return an operator's name and version, and whether it is custom. Codes up to 127 are in the older field."""
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin == schema.BuiltinOperator.CUSTOM:
        return _name(code.CustomCode()), code.Version(), True
    return _names(schema.BuiltinOperator)[builtin], code.Version(), False


def _shape(tensor: Any) -> Shape:
    return check_shape(tensor.Shape(i) for i in range(min(tensor.ShapeLength(), MOST_DIMENSIONS + 1)))


def _tensor(tensor: Any, schema: Any) -> TensorInfo:
    dtype = _names(schema.TensorType)[tensor.Type()].lower()
    shape = _shape(tensor)
    if tensor.ShapeSignatureLength() == len(shape):
        shape = tuple(tensor.ShapeSignature(i) for i in range(len(shape)))
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() != 1:
        return TensorInfo(_name(tensor.Name()), shape, dtype)
    return TensorInfo(_name(tensor.Name()), shape, dtype, quantization.Scale(0), quantization.ZeroPoint(0))


def _operations(graph: Any, codes: list[tuple[str, int, bool]]) -> Iterator[Operation]:
    shapes = [_shape(tensor) for tensor in _parts(graph.TensorsLength(), graph.Tensors)]
    # The file stores 1 for a first dimension that depends on the number of images. If a reshape moves others into it,
    # as [1, 28, 28] to [1, 28], it seems to lose values; the following tensors are as many times longer.
    times = [1] * len(shapes)
    for operator in _parts(graph.OperatorsLength(), graph.Operators):
        name, version, is_custom = codes[operator.OpcodeIndex()]
        # No rule reads more than three; -1 stands for an optional input that is absent.
        indices = [operator.Inputs(i) for i in range(min(operator.InputsLength(), 3))]
        outputs = [operator.Outputs(i) for i in range(min(operator.OutputsLength(), 1))]
        for i in outputs:
            times[i] = max((times[j] for j in indices if j >= 0), default=1)
            if name in {"RESHAPE", "FULLY_CONNECTED"} and math.prod(shapes[i]) and indices:
                values = times[indices[0]] * math.prod(shapes[indices[0]])
                if name == "FULLY_CONNECTED":
                    values = values * shapes[indices[1]][0] // max(1, shapes[indices[1]][-1])
                times[i] = max(1, values // math.prod(shapes[i]))
        inputs = tuple(_lengthen(shapes[i], times[i]) if i >= 0 else () for i in indices)
        output = _lengthen(shapes[outputs[0]], times[outputs[0]]) if outputs else ()
        yield Operation(name, version, inputs, output, is_custom)


def _lengthen(shape: Shape, times: int) -> Shape:
    return (shape[0] * times, *shape[1:]) if shape else ()


def _batch(graph: Any) -> int:
    """Return the number of images in the first input as stored; 1 if it is left open."""
    shape = _shape(graph.Tensors(graph.Inputs(0))) if graph.InputsLength() else ()
    return max(1, shape[0]) if shape else 1


def _weights(graphs: list[Any], buffers: list[Any], schema: Any) -> Iterator[Constant]:
    """Yield the kind and size of each constant; tensors that share a buffer are one."""
    names = _names(schema.TensorType)
    constants = {t.Buffer(): t for graph in graphs for t in _parts(graph.TensorsLength(), graph.Tensors)}
    for index, tensor in constants.items():
        shape, quantization, dtype = _shape(tensor), tensor.Quantization(), names[tensor.Type()].lower()
        scales = quantization.ScaleLength() if quantization is not None else 0
        if buffers[index] is not None and shape and (scales or "float" in dtype):
            yield dtype, describe_scales(scales), math.prod(shape)
