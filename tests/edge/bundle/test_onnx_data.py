"""Weights that an ONNX file keeps elsewhere come from its own folder, whatever the current folder holds."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.targets.job import PeerInterface
from edge_mnist.benchmarks.targets.peers import describe_peer, load_peer
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from tests.conftest import edge_mnist


def _save(folder: Path, seed: int, location: str = "weights.bin") -> Path:
    """A linear model beside a file with its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = numpy_helper.from_array(np.random.default_rng(seed).normal(size=(784, 10)).astype(np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["pixels", "weights"], ["scores"])],
        "peer",
        [helper.make_tensor_value_info("pixels", 1, ["n", 784])],
        [helper.make_tensor_value_info("scores", 1, ["n", 10])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


def _point_to(path: Path, location: str) -> Path:
    """The same model, naming another file."""
    model = onnx.load(path, load_external_data=False)
    entry = next(one for one in model.graph.initializer[0].external_data if one.key == "location")
    entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_come_from_the_models_folder(
    tmp_path: Path, sample: mnist.Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "theirs", seed=1)
    _save(tmp_path / "here", seed=2)
    images = sample.pixels[::1_000]
    weights = np.random.default_rng(1).normal(size=(784, 10)).astype(np.float32)
    monkeypatch.chdir(tmp_path / "here")

    peer = load_peer(path, PeerInterface("float255"), "onnxruntime", "default", 1)

    assert np.allclose(peer.logits(images), images.reshape(-1, 784) @ weights, rtol=1e-4, atol=1e-2)


def test_hash_and_size_are_those_of_model_and_weights(tmp_path: Path) -> None:
    path = _save(tmp_path, seed=1)
    # As `cat model.onnx weights.bin | sha256sum` prints.
    whole = path.read_bytes() + (tmp_path / "weights.bin").read_bytes()

    peer, found = describe_peer(path, "float255"), edge_mnist("inspect", path, "--json")

    expected = (hashlib.sha256(whole).hexdigest(), len(whole))
    assert (peer.sha256, peer.size_bytes) == expected
    inspection = msgspec.json.decode(found.stdout)
    assert (inspection["sha256"], inspection["size_bytes"]) == expected
    assert inspection["model"]["data_files"] == [{"location": "weights.bin", "least_bytes": 31_360}]
    assert "weights.bin" in edge_mnist("inspect", path).stdout
    (tmp_path / "weights.bin").write_bytes(b"x" * 40_000)
    assert describe_peer(path, "float255").sha256 != peer.sha256


def _missing(path: Path) -> Path:
    (path.parent / "weights.bin").unlink()
    return path


def _too_short(path: Path) -> Path:
    (path.parent / "weights.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    return path


def _link(path: Path) -> Path:
    moved = (path.parent / "weights.bin").rename(path.parent.parent / "secret.bin")
    (path.parent / "weights.bin").symlink_to(moved)
    return path


def _behind_a_link(path: Path) -> Path:
    (path.parent / "folder").symlink_to(path.parent.parent)
    (path.parent / "weights.bin").rename(path.parent.parent / "weights.bin")
    return _point_to(path, "folder/weights.bin")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_missing, r"'weights\.bin', which is missing in .*\. Put it beside the model"),
        (_too_short, r"'weights\.bin', which has 43 bytes, but the model reads 31,360.*git lfs pull"),
        (_link, r"'weights\.bin', which is a symbolic link"),
        (_behind_a_link, r"'folder/weights\.bin', which is a symbolic link or is reached through one"),
        (lambda path: _point_to(path, "/etc/passwd"), r"'/etc/passwd', and only files in the model's own folder"),
        (lambda path: _point_to(path, "../weights.bin"), r"only files in the model's own folder"),
        (lambda path: _point_to(path, "a/../../weights.bin"), r"only files in the model's own folder"),
        (lambda path: _point_to(path, ""), r"only files in the model's own folder"),
        (lambda path: _point_to(path, "."), r"expected a regular file, got a folder"),
    ],
    ids=["missing", "pointer", "link", "behind a link", "absolute", "above", "roundabout", "empty", "folder"],
)
def test_weights_anywhere_else_are_refused_in_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], Path], message: str
) -> None:
    path = spoil(_save(tmp_path / "theirs", seed=1))

    with pytest.raises(BenchmarkError, match=message):
        describe_peer(path, "float255")
    inspected = edge_mnist("inspect", path)

    assert inspected.exit_code == 1
    assert inspected.stderr.count("\n") == 1
    assert str(path) in inspected.stderr


def test_a_folder_within_the_models_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "data").mkdir(parents=True)
    path = _save(tmp_path / "theirs", seed=1, location="data/weights.bin")

    assert inspect_file(path.read_bytes(), "model.onnx", path.parent).size_bytes > 31_360


def test_a_bundles_file_holds_all_of_its_weights(
    exported: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path, seed=1)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelCardError, match=r"keeps weights in other files.*Export the model again"):
        load_file(RUNTIMES["onnxruntime"], path.read_bytes(), exported.file("onnx", "float32"))
