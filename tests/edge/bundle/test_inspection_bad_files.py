"""Inspecting what is no model, or a damaged or malicious one: a sentence, soon, and nothing else opened."""

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.commands.inspect import format_inspection
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.inspection import inspect as inspection
from edge_mnist.edge.inspection.inspect import inspect_file, read_model
from edge_mnist.export.formats.tflite_edits import pack, unpack
from edge_mnist.export.formats.tflite_metadata import write_metadata
from tests.conftest import edge_mnist

FILES = ["standard-float32.tflite", "standard-int8.tflite", "standard-float32.onnx", "standard-int8.onnx"]
# A damaged file of 700 kB takes 0.3 s at most on one core of a server; the slack is for slow machines.
MOST_SECONDS_EACH = 10
MUTATIONS = 100


def _outside(where: str) -> bytes:
    """A model that names a file of the machine it is inspected on, in each place where a tensor can be."""
    proto = onnx.load(SHIPPED / "standard-float32.onnx")
    tensor = TensorProto(name="secret", data_type=TensorProto.UINT8, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    attribute = helper.make_node("Constant", [], ["secret"], value=tensor)
    graph = helper.make_graph([attribute], "inner", [], [])
    if where == "initializer":
        proto.graph.initializer.append(tensor)
    elif where == "attribute":
        proto.graph.node.append(attribute)
    elif where == "subgraph":
        proto.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=graph, else_branch=graph))
    elif where == "function":
        proto.functions.append(helper.make_function("own", "F", [], ["secret"], [attribute], []))
    else:
        proto.graph.sparse_initializer.add(values=tensor, dims=[4])
    return proto.SerializeToString()


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph", "function", "sparse"])
def test_data_in_other_files_are_refused_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_outside(where))
    monkeypatch.setattr(inspection, "call_in_child", lambda read, content, *_, **__: read(content))
    monkeypatch.setattr(onnx.external_data_helper, "load_external_data_for_tensor", pytest.fail)

    result = edge_mnist("inspect", path)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path}: keeps weights in '/etc/passwd', and only files in the model's own")
    assert "/etc/passwd" in result.stderr


def _half(name: str) -> bytes:
    content = (SHIPPED / name).read_bytes()
    return content[: len(content) // 2]


BAD = {
    "empty": (b"", "got an empty file"),
    "text": (b"hello, this is no model\n" * 10, "expected a TFLite or ONNX file, got a text"),
    "no graph": (b"\x08\x08", "it has no graph"),
    "only the mark": (b"\x00\x00\x00\x00TFL3", "marked as TFLite but damaged"),
    "noise behind the mark": (b"\x1c\0\0\0TFL3" + np.random.default_rng(0).bytes(5000), "marked as TFLite but damaged"),
    "huge claims": (b"\x10\0\0\0TFL3" + b"\xff\xff\xff\x7f" * 64, "marked as TFLite but damaged"),
    "half a TFLite file": (_half("standard-int8.tflite"), "marked as TFLite but damaged"),
    "half an ONNX file": (_half("standard-int8.onnx"), "neither TFLite nor ONNX, or damaged"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "expected a TFLite or ONNX file, got a PNG picture"),
    "a Keras file": ((SHIPPED / "model.keras").read_bytes(), "got a Keras model. `edge-mnist export FILE` makes"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n" + bytes(100), "got an HDF5 file, as Keras wrote"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "got a Git LFS pointer. `git lfs pull`"),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)

    result = edge_mnist("inspect", path)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"Error: {path}: ")
    assert reason in result.stderr


@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "No such file"), (".", "got a folder"), ("pipe", "got a pipe")]
)
def test_what_is_no_file_is_one_sentence(tmp_path: Path, name: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe")

    result = edge_mnist("inspect", tmp_path / name)

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**31)

    result = edge_mnist("inspect", path)

    assert result.exit_code == 1
    assert "got 2,147,483,648." in result.stderr


def test_many_parts_at_one_place_are_refused_quickly() -> None:
    model = unpack((SHIPPED / "standard-int8.tflite").read_bytes())
    tensor = model.subgraphs[0].tensors[0]
    tensor.name = b"x" * 1_000_000
    model.subgraphs[0].inputs = [0] * 40_000  # 40 GB of names

    with pytest.raises(EdgeMnistError, match="claims a name of 1,000,000 bytes"):
        read_model(pack(model))
    model.subgraphs[0].inputs = [0] * 60_000
    with pytest.raises(EdgeMnistError, match="claims 60,000 parts"):
        read_model(pack(model))


def test_metadata_that_are_no_json_are_refused() -> None:
    content = write_metadata((SHIPPED / "standard-int8.tflite").read_bytes(), {"edge_mnist.a": "b"})
    with pytest.raises(EdgeMnistError, match="not a JSON object of strings"):
        read_model(content.replace(b'{"edge_mnist.a":"b"}', b'{"edge_mnist.a":[1]}'))


def _damaged(content: bytes, chance: np.random.Generator) -> bytes:
    """Cut short, with a gap, or with bytes changed: anywhere, or at the ends, where the structure is."""
    changed = np.frombuffer(content, np.uint8).copy()
    places = chance.integers(len(changed), size=chance.integers(1, 50))
    match chance.integers(4):
        case 0:
            return content[: places[0]]
        case 1:
            return content[: places[0]] + content[places[0] + len(places) :]
        case 2:
            places = chance.integers(-6_000, 6_000, size=len(places))
    changed[places] = chance.choice([0, 127, 128, 255, *range(256)], size=len(places))
    return changed.tobytes()


def _outcome(content: bytes) -> str:
    """What people are told: a page, or a sentence."""
    try:
        return format_inspection(inspect_file(content, "damaged"))
    except EdgeMnistError as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_damaged_copies_give_a_result_or_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A child for each of them would take minutes, and hide what the parsers themselves do.
    monkeypatch.setattr(inspection, "call_in_child", lambda read, content, *_, **__: read(content))
    content, chance = (SHIPPED / name).read_bytes(), np.random.default_rng(0)
    outcomes, seconds = [], []

    for _ in range(MUTATIONS):
        started = time.thread_time()
        outcomes.append(_outcome(_damaged(content, chance)))
        seconds.append(time.thread_time() - started)

    pages = [outcome for outcome in outcomes if outcome.startswith("damaged\n")]
    sentences = [outcome for outcome in outcomes if outcome.startswith("damaged: ") and "\n" not in outcome]
    assert pages
    assert sentences
    assert len(pages) + len(sentences) == MUTATIONS
    assert max(seconds) < MOST_SECONDS_EACH
