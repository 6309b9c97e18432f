"""Inspect: what the shipped files hold, what is counted, and that no file, however bad, gives more than a sentence."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.inspection.inspect import Inspection, inspect_file, read_model
from edge_mnist.edge.inspection.model import TensorInfo, WeightGroup
from edge_mnist.export.formats.tflite_edits import pack, unpack
from edge_mnist.export.formats.tflite_metadata import write_metadata
from tests.conftest import edge_mnist, python_process

FILES = ["standard-float32.tflite", "standard-int8.tflite", "standard-float32.onnx", "standard-int8.onnx"]
OPERATORS = {
    "standard-float32.tflite": {("CAST", 1): 1, ("CONV_2D", 1): 5, ("MEAN", 1): 1, ("FULLY_CONNECTED", 1): 1},
    "standard-int8.tflite": {("QUANTIZE", 1): 1, ("CONV_2D", 3): 5, ("MEAN", 2): 1, ("FULLY_CONNECTED", 4): 1},
}
# Five 3x3 convolutions of 1, 16, 32, 64, 64 to 16, 32, 64, 64, 128 channels with a bias each, then 128 to 10.
PARAMETERS = 9 * (1 * 16 + 16 * 32 + 32 * 64 + 64 * 64 + 64 * 128) + (16 + 32 + 64 + 64 + 128) + 128 * 10 + 10
BIASES = 16 + 32 + 64 + 64 + 128 + 10


def _card() -> dict[str, Any]:
    """As plain JSON: what is inspected here needs no bundle."""
    return json.loads((SHIPPED / "card.json").read_bytes())["card"]


def _of_card(name: str) -> dict[str, Any]:
    (file,) = [file for file in _card()["export"]["files"] if file["record"]["name"] == name]
    return file


def _inspect(name: str) -> Inspection:
    return inspect_file((SHIPPED / name).read_bytes(), name)


@pytest.mark.parametrize("name", FILES)
def test_all_shipped_files_have_the_cards_macs(name: str) -> None:
    found = _inspect(name)

    assert found.model.macs == _card()["architecture"]["macs"] == 5_485_376
    assert found.model.not_counted == ()


@pytest.mark.parametrize("name", FILES)
def test_size_hash_and_format_are_the_cards(name: str) -> None:
    file = _of_card(name)

    found = _inspect(name)

    record = {"name": found.file, "sha256": found.sha256, "size_bytes": found.size_bytes}
    assert (found.format, record) == (file["format"], file["record"])


@pytest.mark.parametrize("name", FILES)
def test_parameters_are_the_folded_weights(name: str) -> None:
    assert _inspect(name).parameters == PARAMETERS


@pytest.mark.parametrize("name", FILES)
def test_weights_are_told_apart_by_type_and_scales(name: str) -> None:
    quantized = (
        WeightGroup("int8", "per channel", 6, PARAMETERS - BIASES),
        WeightGroup("int32", "per channel", 6, BIASES),
    )

    assert _inspect(name).model.weights == (
        quantized if "int8" in name else (WeightGroup("float32", None, 12, PARAMETERS),)
    )


@pytest.mark.parametrize("name", FILES)
def test_inputs_and_outputs_are_the_cards(name: str) -> None:
    file = _of_card(name)

    model = _inspect(name).model

    for tensors, expected in (model.inputs, file["input"]), (model.outputs, file["output"]):
        found = [
            {"shape": list(t.shape), "dtype": t.dtype, "scale": t.scale, "zero_point": t.zero_point} for t in tensors
        ]
        assert found == [{name: expected[name] for name in ("shape", "dtype", "scale", "zero_point")}]


@pytest.mark.parametrize("name", OPERATORS)
def test_tflite_operators_are_counted_by_version(name: str) -> None:
    assert {(o.name, o.version): o.count for o in _inspect(name).model.operators} == OPERATORS[name]


def test_onnx_operators_are_counted() -> None:
    counts = {o.name: o.count for o in _inspect("standard-int8.onnx").model.operators}

    assert (counts["Conv"], counts["Gemm"], counts["QuantizeLinear"]) == (5, 1, 7)


def test_headers_say_what_the_formats_know() -> None:
    onnx_header = _inspect("standard-float32.onnx").model.header

    assert onnx_header["opset"] == "17"
    assert onnx_header["producer"].startswith("tf2onnx")
    assert _inspect("standard-int8.tflite").model.header["min_runtime_version"] == "1.14.0"


def test_onnx_metadata_are_found() -> None:
    assert _inspect("standard-int8.onnx").model.properties["edge_mnist.precision"] == "int8"


# Made-up graphs for what the shipped files do not hold.


def _weights(name: str, *shape: int, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def _graph(nodes: list, constants: list, output: list[int | str], dtype: int = TensorProto.FLOAT) -> bytes:
    """A model that takes [N, 4, 6, 6]."""
    pixels = helper.make_tensor_value_info("x", dtype, ["N", 4, 6, 6])
    logits = helper.make_tensor_value_info("y", dtype, output)
    graph = helper.make_graph(nodes, "made up", [pixels], [logits], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def test_a_grouped_convolution_counts_one_groups_channels() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=2, kernel_shape=[3, 3])

    model = inspect_file(_graph([node], [_weights("w", 8, 2, 3, 3)], ["N", 8, 4, 4]), "grouped").model

    assert model.macs == (8 * 2 * 3 * 3) * (4 * 4)


def test_a_quantized_convolution_counts_weights_but_no_scales() -> None:
    node = helper.make_node("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "s", "z", "b"], ["y"], kernel_shape=[3, 3])
    constants = [
        _weights("s"),
        _weights("z", dtype=np.uint8),
        _weights("w", 8, 4, 3, 3, dtype=np.int8),
        _weights("ws", 8),
        _weights("wz", 8, dtype=np.int8),
        _weights("b", 8, dtype=np.int32),
    ]

    found = inspect_file(_graph([node], constants, ["N", 8, 4, 4], TensorProto.UINT8), "quantized")

    assert found.model.macs == (8 * 4 * 3 * 3) * (4 * 4)
    assert set(found.model.weights) == {WeightGroup("int8", "per channel", 1, 288), WeightGroup("int32", None, 1, 8)}


def test_a_matrix_product_counts_every_row() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])

    assert inspect_file(_graph([node], [_weights("w", 6, 5)], ["N", 4, 6, 5]), "product").model.macs == 4 * 6 * 6 * 5


def test_what_cannot_be_counted_is_named() -> None:
    nodes = [
        helper.make_node("DeformConv", ["x", "w", "x"], ["h"], kernel_shape=[3, 3]),
        helper.make_node("Special", ["h"], ["y"], domain="own"),
    ]

    model = inspect_file(_graph(nodes, [_weights("w", 4, 8, 3, 3)], ["N", 8, 8, 8]), "odd").model

    assert (model.macs, model.not_counted) == (0, ("1 x DeformConv", "1 x Special"))


def test_a_depthwise_convolution_counts_one_channel_each() -> None:
    model = unpack((SHIPPED / "standard-int8.tflite").read_bytes())
    convolution = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.CONV_2D)
    convolution.builtinCode = convolution.deprecatedBuiltinCode = schema.BuiltinOperator.DEPTHWISE_CONV_2D
    first = model.subgraphs[0].operators[1]
    model.subgraphs[0].operators = [first]
    model.subgraphs[0].tensors[first.inputs[1]].shape = [1, 3, 3, 32]

    assert inspect_file(pack(model), "depthwise").model.macs == (3 * 3 * 32) * (14 * 14)


def test_a_custom_operator_is_named_and_not_counted() -> None:
    model = unpack((SHIPPED / "standard-int8.tflite").read_bytes())
    convolution = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.CONV_2D)
    convolution.builtinCode = convolution.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    convolution.customCode = b"Own"

    found = inspect_file(pack(model), "custom").model

    assert (found.macs, found.not_counted) == (1280, ("5 x Own",))


# The command.


@pytest.mark.parametrize("name", FILES)
def test_json_is_the_whole_inspection(name: str) -> None:
    result = edge_mnist("inspect", SHIPPED / name, "--json")

    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["file"], document["model"]["macs"]) == (str(SHIPPED / name), 5_485_376)
    expected = inspect_file((SHIPPED / name).read_bytes(), str(SHIPPED / name))
    assert document == msgspec.json.decode(msgspec.json.encode(expected))


def test_people_see_lengths_and_programs_see_values(tmp_path: Path) -> None:
    golden = json.dumps(list(range(1000)))
    path = tmp_path / "renamed.bin"
    path.write_bytes(write_metadata((SHIPPED / "standard-int8.tflite").read_bytes(), {"edge_mnist.golden": golden}))

    shown, document = edge_mnist("inspect", path), edge_mnist("inspect", path, "--json")

    assert f"edge_mnist.golden  ({len(golden):,} characters)" in shown.stdout
    assert "998, 999" not in shown.stdout
    assert json.loads(document.stdout)["model"]["properties"] == {"edge_mnist.golden": golden}


@pytest.mark.parametrize("name", FILES)
def test_people_see_what_matters(name: str) -> None:
    shown = edge_mnist("inspect", SHIPPED / name).stdout

    for figure in ("5,485,376", f"{PARAMETERS:,}", "28, 28, 1]", "uint8", _inspect(name).sha256):
        assert figure in shown


def test_names_cannot_command_the_terminal(tmp_path: Path) -> None:
    proto = onnx.load(SHIPPED / "standard-int8.onnx")
    helper.set_model_props(proto, {"a\x1b[2J": "b\rc\nd"})
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())

    shown = edge_mnist("inspect", path).stdout

    assert "b c d" in shown
    assert not {"\x1b", "\r"} & set(shown)


def test_metadata_that_are_no_utf8_are_shown_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((SHIPPED / "standard-int8.onnx").read_bytes().replace(b"raw pixels", b"raw \xff\xfexels"))

    result = edge_mnist("inspect", path)

    assert result.exit_code == 0, result.stderr
    assert "raw \ufffd\ufffdxels" in result.stdout


def test_inspecting_tflite_loads_no_onnx_and_no_runtime() -> None:
    code = (
        "import sys\n"
        "from edge_mnist.edge.commands.inspect import inspect\n"
        "early = set(sys.modules)\n"
        "inspect(sys.argv[1:], standalone_mode=False)\n"
        "print('LOADED', *sys.modules)\n"
        "print('EARLY', *early)\n"
    )

    process = python_process(code, SHIPPED / "standard-int8.tflite")

    assert process.returncode == 0, process.stderr
    early, loaded = (set(line.split()) for line in process.stdout.splitlines()[:-3:-1])
    assert not {"onnx", "onnxruntime", "tensorflow", "keras", "ai_edge_litert.interpreter"} & loaded
    assert not {"ai_edge_litert", "flatbuffers"} & early


def test_onnx_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(EdgeMnistError, match="Run: pip install onnx"):
        read_model((SHIPPED / "standard-int8.onnx").read_bytes())


def test_open_dimensions_are_minus_one() -> None:
    assert _inspect("standard-float32.onnx").model.inputs == (TensorInfo("pixels", (-1, 28, 28, 1), "uint8"),)
