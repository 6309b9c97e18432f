"""What TFLite Micro cannot run, or nobody can read, is refused in one sentence."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats.micro_c_source import to_c_source
from edge_mnist.export.formats.micro_model import TFLM_OPERATORS, read_micro_model
from edge_mnist.export.formats.tflite_edits import pack, unpack

NAME = "standard-int8.tflite"
# 30 milliseconds each. Three thousand gave no other error either.
DAMAGED_FILES = 100


@pytest.fixture(scope="module")
def content() -> bytes:
    return (SHIPPED / NAME).read_bytes()


def changed(content: bytes, change: Callable[[Any], object]) -> bytes:
    """The file with a change made to its tree of objects."""
    model = unpack(content)
    change(model)
    return pack(model)


def test_every_operator_is_one_of_the_schema() -> None:
    assert set(vars(schema.BuiltinOperator)) >= TFLM_OPERATORS


def _first_operator_becomes(name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        code = getattr(schema.BuiltinOperator, name)
        model.operatorCodes[0].builtinCode = code
        model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)
        model.operatorCodes[0].customCode = b"MyOwn"

    return change


def _input_zero_point_is_1(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [1]


def _an_activation_is_int16(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].operators[1].outputs[0]].type = schema.TensorType.INT16


def _input_is_not_quantized(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization = None


def _two_outputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_first_operator_becomes("TILE"), "TFLite Micro has no TILE"),
        (_first_operator_becomes("CUSTOM"), "TFLite Micro has no custom operator MyOwn"),
        (_first_operator_becomes("STABLEHLO_ADD"), "TFLite Micro has no STABLEHLO_ADD"),
        (_an_activation_is_int16, "expected an int8 file, but it has INT16 tensors"),
        (_input_is_not_quantized, "expected quantized int8 or uint8 at both ends"),
        (_input_zero_point_is_1, "expected a pixel of 0 as the least integer, got 1"),
        (_two_outputs, "one input and one output"),
        (lambda model: model.subgraphs.append(model.subgraphs[0]), "single network"),
    ],
    ids=["TILE", "custom", "above 127", "int16", "not quantized", "shifted pixels", "two outputs", "two networks"],
)
def test_what_cannot_run_is_refused(content: bytes, change: Callable[[Any], None], reason: str) -> None:
    with pytest.raises(ExportError, match=rf"^{re.escape(NAME)}: .*{reason}"):
        read_micro_model(changed(content, change), NAME)


@pytest.mark.parametrize("start", [b"", b"\x1c\0\0\0", b"\x1c\0\0\0ONNX"], ids=["empty", "short", "another"])
def test_what_is_no_tflite_file_is_refused(content: bytes, start: bytes) -> None:
    with pytest.raises(ExportError, match=f"^{NAME}: expected a TFLite file"):
        read_micro_model(start and start + content[len(start) :] * (len(start) == 8), NAME)


@pytest.mark.parametrize("kept", [8, 100, 1_000, 100_000, -1_000, -16])
def test_a_file_cut_short_is_refused(content: bytes, kept: int) -> None:
    with pytest.raises(ExportError, match=f"^{NAME}: a damaged TFLite file"):
        read_micro_model(content[:kept], NAME)


def test_weights_longer_than_the_file_are_refused(content: bytes) -> None:
    model = unpack(content)
    weights = max((buffer.data for buffer in model.buffers if buffer.data is not None), key=len).tobytes()
    longer = (len(weights).to_bytes(4, "little") + weights, len(content).to_bytes(4, "little") + weights)
    damaged = content.replace(*longer)
    assert damaged != content

    with pytest.raises(ExportError, match=f"^{NAME}: a damaged TFLite file"):
        read_micro_model(damaged, NAME)


def _no_operators(model: Any) -> None:
    model.subgraphs[0].operators = None


def _operator_of_no_code(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 99


def _input_of_no_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [99]


def _end_of_no_tensor(model: Any) -> None:
    model.subgraphs[0].outputs = [99]


def _operator_without_inputs(model: Any) -> None:
    model.subgraphs[0].operators[-1].inputs = []


def _operator_without_outputs(model: Any) -> None:
    model.subgraphs[0].operators[-1].outputs = []


def _scale_without_zero_point(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].quantization.zeroPoint = []


@pytest.mark.parametrize(
    "change",
    [
        _no_operators,
        _operator_of_no_code,
        _input_of_no_tensor,
        _end_of_no_tensor,
        _operator_without_inputs,
        _operator_without_outputs,
        _scale_without_zero_point,
    ],
)
def test_a_file_with_loose_ends_is_refused(content: bytes, change: Callable[[Any], None]) -> None:
    with pytest.raises(ExportError, match=f"^{NAME}: a damaged TFLite file"):
        read_micro_model(changed(content, change), NAME)


def test_damaged_bytes_end_in_one_sentence_or_in_c(content: bytes) -> None:
    generator, refused = np.random.default_rng(0), 0
    structure = np.flatnonzero(~_is_weight(content))
    for _ in range(DAMAGED_FILES):
        damaged = bytearray(content)
        for place in generator.choice(structure, 3):
            damaged[place] = generator.integers(256)

        try:
            to_c_source(bytes(damaged), NAME, None)
        except ExportError:
            refused += 1

    assert 0 < refused < DAMAGED_FILES


def _is_weight(content: bytes) -> NDArray[np.bool_]:
    """For each byte whether any value of it would do, [N]."""
    found = np.zeros(len(content), np.bool_)
    model = unpack(content)
    for buffer in model.buffers:
        if buffer.data is not None:
            start = content.index(buffer.data.tobytes())
            found[start : start + len(buffer.data)] = True
    return found


def test_the_listed_operators_are_those_of_the_file(content: bytes) -> None:
    interpreter: Any = Interpreter(model_content=content, experimental_op_resolver_type=_reference_kernels())
    names = [details["op_name"] for details in interpreter._get_ops_details()]

    operators = read_micro_model(content, NAME).count_operators()

    assert operators == {name: names.count(name) for name in names}


def _reference_kernels() -> Any:
    """Otherwise LiteRT's list has an operator more, the delegate that takes over."""
    from ai_edge_litert.interpreter import OpResolverType

    return OpResolverType.BUILTIN_REF
