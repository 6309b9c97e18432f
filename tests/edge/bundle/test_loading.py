"""Model files of strangers: what crashes, hangs or takes all memory does so in a child, and is one sentence here."""

import hashlib
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.studies.reading.otsu import OtsuReader
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import write_card
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.processes.child import Limits
from edge_mnist.edge.inspection import inspect as inspection
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes import loading as untrusted
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import RUNTIMES
from tests.conftest import edge_mnist_process

# Enough to start a Python, to import what parses, and to see that it never ends.
SOON = Limits(memory_bytes=600_000_000, cpu_s=4, seconds=300)
CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


def _seal_again(folder: Path, name: str, content: bytes) -> Bundle:
    """A copy of the shipped bundle with other bytes in one of its files, as a stranger can make it."""
    shutil.copytree(SHIPPED, folder)
    (folder / name).write_bytes(content)
    card = open_bundle(SHIPPED).card
    assert card.export is not None
    changed = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    files = tuple(
        msgspec.structs.replace(file, record=msgspec.structs.replace(file.record, **changed), min_runtime=None)
        if file.record.name == name
        else file
        for file in card.export.files
    )
    write_card(folder, msgspec.structs.replace(card, export=msgspec.structs.replace(card.export, files=files)))
    return open_bundle(folder)


@pytest.fixture
def foreign(tmp_path: Path) -> Bundle:
    """A bundle that did not come with the package and is as good."""
    content = (SHIPPED / "standard-int8.tflite").read_bytes()
    return _seal_again(tmp_path / "foreign", "standard-int8.tflite", content + bytes(16))


@pytest.fixture
def install_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a tflite-runtime that runs this code as soon as a child imports it."""

    def install(code: str) -> None:
        package = tmp_path / "packages" / "tflite_runtime"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
        monkeypatch.syspath_prepend(str(package.parent))

    return install


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (CRASH, r"it crashed \(SIGSEGV\)"),
        ("while True: pass", "it used more than 4 s of processor time"),
        ("kept = [bytearray(10_000_000) for _ in range(10_000)]", "(used more than 600 MB|MemoryError)"),
    ],
    ids=["crashes", "never ends", "takes all memory"],
)
def test_a_file_that_ends_its_runtime_is_refused_in_one_sentence(
    foreign: Bundle, install_runtime, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    install_runtime(code)
    monkeypatch.setattr(untrusted, "limits_for", lambda _: SOON)

    with pytest.raises(Exception, match=reason) as caught:
        load_classifier(foreign, RUNTIMES["tflite-runtime"], "int8")

    assert type(caught.value).__name__ in {"ModelCardError", "RuntimeUnavailableError"}
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("command", ["verify", "run"])
def test_a_command_outlives_a_file_that_crashes(foreign: Bundle, install_runtime, tmp_path: Path, command: str) -> None:
    install_runtime(CRASH)
    picture = tmp_path / "page.png"
    assert edge_mnist_process("example", picture).returncode == 0
    arguments = [foreign.path] if command == "verify" else [picture, "--model", foreign.path]
    arguments += [] if command == "verify" else ["--runtime", "tflite-runtime"]

    ended = edge_mnist_process(command, *arguments)

    assert ended.returncode == 1
    assert "standard-int8.tflite on tflite-runtime: refused, it crashed (SIGSEGV)" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_good_file_of_a_stranger_is_tried_once_and_read_with(
    foreign: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    call = untrusted.call_in_child
    monkeypatch.setattr(untrusted, "call_in_child", lambda *a, **k: tried.append(a[1]) or call(*a, **k))

    readers = [Reader(foreign.path), Reader(foreign.path)]

    assert len(tried) == 1
    assert all(reader.read(np.full((50, 50), 255, np.uint8)).digits == () for reader in readers)


def test_files_that_came_with_the_package_start_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SHIPPED, tmp_path / "copy")
    monkeypatch.setattr(untrusted, "call_in_child", pytest.fail)

    Reader(tmp_path / "copy")


def test_what_does_not_give_its_golden_logits_is_refused_as_before(tmp_path: Path) -> None:
    other = (SHIPPED.parent / "nano" / "nano-int8.tflite").read_bytes() + bytes(16)
    bundle = _seal_again(tmp_path / "foreign", "standard-int8.tflite", other)

    with pytest.raises(ModelCardError, match=r"standard-int8\.tflite"):
        Reader(bundle.path)


def test_a_peer_that_crashes_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(BenchmarkError, match=r"standard-int8.tflite: expected a TFLite model.*crashed \(SIGSEGV\)"):
        OtsuReader(SHIPPED / "standard-int8.tflite")


def _functions(depth: int) -> bytes:
    """A model whose function calls another one twice, that one another, and so on: 2 to the depth calls."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]
    functions = []
    for i in range(depth):
        name, domain = ("Relu", "") if i + 1 == depth else (f"f{i + 1}", "d")
        nodes = [
            helper.make_node(name, ["a"], ["b"], domain=domain),
            helper.make_node(name, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("d", f"f{i}", ["a"], ["c"], nodes, opsets))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 10]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("f0", ["x"], ["y"], domain="d")], "g", values[:1], values[1:])
    return helper.make_model(graph, functions=functions, opset_imports=opsets).SerializeToString()


def _recursion() -> bytes:
    function = helper.make_function(
        "d", "f", ["a"], ["b"], [helper.make_node("f", ["a"], ["b"], domain="d")], [helper.make_opsetid("d", 1)]
    )
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 10]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("f", ["x"], ["y"], domain="d")], "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]
    return helper.make_model(graph, functions=[function], opset_imports=opsets).SerializeToString()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(_functions(40), "more than 4 s of processor time"), (_recursion(), "or damaged")],
    ids=["2^40 calls", "a function that calls itself"],
)
def test_shape_inference_that_never_ends_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
) -> None:
    monkeypatch.setattr(inspection, "limits_for", lambda _: SOON)

    with pytest.raises(EdgeMnistError, match=f"evil.onnx: .*{reason}"):
        inspect_file(content, "evil.onnx")


def test_a_model_that_asks_for_more_memory_than_there_is_is_inspected_all_the_same() -> None:
    shape = numpy_helper.from_array(np.array([15, 10**9], np.int64), "shape")
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("ConstantOfShape", ["shape"], ["y"], value=one)
    model = helper.make_model(helper.make_graph([node], "g", [], [output], initializer=[shape]))

    found = inspect_file(model.SerializeToString(), "large.onnx")

    assert [operator.name for operator in found.model.operators] == ["ConstantOfShape"]
