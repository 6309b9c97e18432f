"""Peers: other projects' files are measured beside ours, and whatever they do costs nobody else a figure."""

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.results.schema import BenchmarkSettings, Results, Row
from edge_mnist.benchmarks.targets import launcher as processes
from edge_mnist.benchmarks.targets.job import PeerInterface
from edge_mnist.benchmarks.targets.peers import describe_peer, load_peer
from edge_mnist.benchmarks.targets.targets import list_targets
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.errors import RuntimeUnavailableError
from edge_mnist.edge.data import held_out as mnist
from tests.conftest import edge_mnist

WEIGHTS = np.random.default_rng(1).normal(size=(784, 10)).astype(np.float32)
OPSET = helper.make_opsetid("", 17)
# At the end of its file, and what a runtime that is not ours does at the sight of it.
KILLER = b"whoever loads this dies"


def write_linear(path: Path, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT, outputs: int = 10) -> Path:
    """An ONNX file that multiplies pixels with weights."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    weights = [numpy_helper.from_array(WEIGHTS[:, :outputs], "weights")]
    return _write(path, nodes, weights, shape, dtype, outputs)


def write_endless(path: Path) -> Path:
    """One that answers in some thousand years."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still_on"]), helper.make_node("Neg", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 10]),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 10]),
        ],
    )
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["start"]),
        helper.make_node("Loop", ["count", "yes", "start"], ["scores"], body=body),
    ]
    constants = [
        numpy_helper.from_array(WEIGHTS, "weights"),
        numpy_helper.from_array(np.array(2**62, np.int64), "count"),
        numpy_helper.from_array(np.array(True), "yes"),
    ]
    return _write(path, nodes, constants, [1, 28, 28], TensorProto.FLOAT, 10)


def _write(
    path: Path, nodes: list[Any], constants: list[Any], shape: Sequence[int | str], dtype: int, outputs: int
) -> Path:
    graph = helper.make_graph(
        nodes,
        "peer",
        [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], outputs])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[OPSET], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def measured(exported: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A quick run beside a file of ours, a linear model, one that crashes and one that hangs."""
    folder = tmp_path_factory.mktemp("peers")
    ours = next(file.record.name for file in exported.files if file.format == "tflite" and file.precision == "int8")
    peers = {
        shutil.copy(exported.path / ours, folder / "copy.tflite"): "uint8",
        write_linear(folder / "linear.onnx", [1, 784]): "float01",
        folder / "killer.tflite": "uint8",
        write_endless(folder / "endless.onnx"): "float255",
        write_linear(folder / "nine.onnx", [1, 28, 28], outputs=9): "float01",
    }
    (folder / "killer.tflite").write_bytes((exported.path / ours).read_bytes() + KILLER)
    _make_lethal(folder / "sitecustomize.py")
    options = [option for path, reads in peers.items() for option in ("--peer", path, "--peer-input", reads)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setattr(processes, "SILENCE_S", 30.0)
        arguments = ("benchmark", exported.path, "--quick", "--calls", 50, *options, "--out", folder / "out", "--json")
        result = edge_mnist(*arguments)
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=Results)


def _make_lethal(path: Path) -> None:
    """Python imports a module of this name first: from then on, LiteRT dies of that one file, as native code does."""
    text = f"""
        import os, signal
        import ai_edge_litert.interpreter as module

        class Mortal(module.Interpreter):
            def __init__(self, model_path=None, model_content=None, **options):
                if model_content.endswith({KILLER!r}):
                    os.kill(os.getpid(), signal.SIGSEGV)
                super().__init__(model_path=model_path, model_content=model_content, **options)

        module.Interpreter = Mortal
        """
    path.write_text(textwrap.dedent(text))


def find(results: Results, file: str) -> Row:
    return next(row for row in results.rows if row.file == file)


def test_a_peer_has_the_same_figures_as_ours(measured: Results) -> None:
    copy = find(measured, "copy.tflite")
    ours = next(row for row in measured.rows if (row.precision, row.runtime) == ("int8", "litert"))

    assert copy.is_peer
    assert copy.precision is copy.parameters is None
    assert copy.accuracy is not None
    assert ours.accuracy is not None
    assert copy.accuracy.misread == ours.accuracy.misread
    assert copy.latency is not None
    assert len(copy.latency.rounds) == 4


def test_a_peer_reads_what_was_said_that_it_reads(measured: Results, sample: mnist.Images) -> None:
    linear = find(measured, "linear.onnx")
    images = mnist.split_sample_for_training(sample).test
    read = (images.pixels.reshape(-1, 784).astype(np.float32) / 255 @ WEIGHTS).argmax(axis=1)

    assert linear.accuracy is not None
    if measured.evaluated_on == images.name:
        # Another order of additions may tip a close call.
        assert abs(linear.accuracy.correct - int((read == images.labels).sum())) <= 2
    assert linear.accuracy.correct < 0.5 * linear.accuracy.count


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("killer.tflite", "crashed (SIGSEGV)"),
        ("endless.onnx", "does not respond: no progress for 30.5 s"),
        ("nine.onnx", "onnxruntime cannot run nine.onnx: its outputs are [[1, 9]], but none has ten scores"),
    ],
)
def test_a_peer_that_fails_is_a_row_with_the_reason(measured: Results, file: str, reason: str) -> None:
    row = find(measured, file)

    assert row.unavailable == reason
    assert row.latency is row.accuracy is None


def test_peers_that_fail_cost_nobody_else_a_figure(measured: Results) -> None:
    ours = [row for row in measured.rows if row.runtime in {"litert", "onnxruntime"} and not row.is_peer]

    assert len(ours) == 4
    assert all(row.latency and len(row.latency.rounds) == 4 for row in ours)


@pytest.mark.parametrize("shape", [[1, 28, 28], ["n", 28, 28, 1], [1, 1, 28, 28], [1, 784], ["n", 784]], ids=str)
@pytest.mark.parametrize(("reads", "dtype", "factor"), [("float01", 1, 255), ("float255", 1, 1), ("uint8", 2, 1)])
def test_every_layout_reads_the_same_pixels(
    tmp_path: Path, sample: mnist.Images, shape: list[int | str], reads: Any, dtype: int, factor: int
) -> None:
    path = write_linear(tmp_path / "peer.onnx", shape, dtype)
    pixels = sample.pixels[::500]

    peer = load_peer(path, PeerInterface(reads), "onnxruntime", "default", 1)

    expected = pixels.reshape(-1, 784).astype(np.float32) / factor @ WEIGHTS
    assert np.allclose(peer.logits(pixels), expected, rtol=1e-4, atol=1e-3)


def test_preparing_an_image_is_not_part_of_the_bare_call(tmp_path: Path, sample: mnist.Images) -> None:
    peer = load_peer(
        write_linear(tmp_path / "peer.onnx", [1, 784]), PeerInterface("float01"), "onnxruntime", "default", 1
    )
    image, bare = sample.pixels[:1].copy(), peer.raw_call()
    before: Any = bare(image)

    image[:] = 0

    # What was prepared at the first call is used again.
    assert np.array_equal(before, bare(image))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "dtype", "reads", "reason"),
    [
        ([1, 784, 1], 1, "float01", "its input is [1, 784, 1], expected [N, 28, 28]"),
        ([1, 784], 1, "uint8", "its input is float32, not uint8; state its input with --peer-input"),
        ([1, 784], 2, "float01", "its input is uint8, not float32; state its input with --peer-input"),
        ([1, 784], 7, "float01", "its input is tensor(int64), expected float or uint8"),
    ],
)
def test_a_peer_that_reads_something_else_says_what(
    tmp_path: Path, shape: list[int], dtype: int, reads: Any, reason: str
) -> None:
    path = write_linear(tmp_path / "peer.onnx", shape, dtype)

    with pytest.raises(RuntimeUnavailableError) as caught:
        load_peer(path, PeerInterface(reads), "onnxruntime", "default", 1)

    assert reason in str(caught.value)


def test_peers_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    paths = [write_linear(tmp_path / folder / "model.onnx", [1, 784]) for folder in ("first", "second")]
    settings = BenchmarkSettings(rounds=3, calls=10, seconds=1, threads=[1], batches=[], is_quick=True)

    targets = list_targets(open_bundle(SHIPPED), [describe_peer(path, "float01") for path in paths], settings)

    assert [one.subject.name for one in targets if one.subject.peer] == ["model.onnx", str(paths[1].resolve())]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"garbage")

    with pytest.raises(RuntimeUnavailableError, match=r"onnxruntime cannot run garbage\.onnx: "):
        load_peer(garbage, PeerInterface("uint8"), "onnxruntime", "default", 1)
    with pytest.raises(BenchmarkError, match=r"expected a \.tflite or \.onnx file"):
        describe_peer(tmp_path / "model.pt", "uint8")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        describe_peer(tmp_path / "missing.onnx", "uint8")
