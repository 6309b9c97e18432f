"""A model file of another kind is named by what it is, with what to do, whatever its name says."""

import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edge_mnist.edge.bundle.contract import Convention
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.runtimes import keras_files
from edge_mnist.edge.runtimes.keras_files import load_keras_file
from edge_mnist.export.adoption.model_source import find_source
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.drafts import _check_range
from edge_mnist.export.errors import ExportError
from tests.conftest import edge_mnist

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:18cd\nsize 414613\n"
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return content.getvalue()


# What a file holds, what it is called, and what to do.
KINDS = {
    "pointer": (POINTER, "a Git LFS pointer. `git lfs pull` fetches the file itself"),
    "HDF5": (
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        "an HDF5 file, as Keras wrote its models before .keras. In the program",
    ),
    "PyTorch": (
        _zip("archive/data.pkl", "archive/version"),
        "a PyTorch file. In the program that made it, `torch.onnx",
    ),
    "pickle": (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        "a Python pickle, as PyTorch writes it. Loading it could run code",
    ),
    "safetensors": (
        struct.pack("<Q", len(HEADER)) + HEADER + bytes(4),
        "a safetensors file. It holds weights without a network",
    ),
    "JSON": (b'{"class_name": "Sequential"}', "a JSON document. It is not the file itself"),
    "empty": (b"", "empty"),
}
OTHERS = {
    "Keras": ((SHIPPED / "model.keras").read_bytes(), "a Keras model. `edge-mnist export FILE` makes a bundle from it"),
    "TFLite": ((SHIPPED / "standard-int8.tflite").read_bytes(), "a TFLite model. `edge-mnist inspect FILE` shows"),
    "ONNX": ((SHIPPED / "standard-int8.onnx").read_bytes(), "an ONNX model. `edge-mnist inspect FILE` shows"),
}


@pytest.mark.parametrize("kind", [*KINDS, "Keras"])
def test_inspect_says_what_is_no_tflite_or_onnx_file(tmp_path: Path, kind: str) -> None:
    content, said = (KINDS | OTHERS)[kind]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    result = edge_mnist("inspect", path)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path}: expected a TFLite or ONNX file, ")
    assert said in result.stderr


@pytest.mark.parametrize("kind", [*KINDS, "TFLite", "ONNX"])
def test_what_is_named_keras_and_is_something_else_is_said(kind: str) -> None:
    content, said = (KINDS | OTHERS)[kind]

    with pytest.raises(EdgeMnistError) as caught:
        load_keras_file(content, "own.keras")

    assert str(caught.value).startswith("own.keras: expected a .keras file, got ")
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", [*KINDS, "TFLite", "ONNX"])
def test_export_says_what_a_file_of_another_name_is(tmp_path: Path, kind: str) -> None:
    content, said = (KINDS | OTHERS)[kind]
    path = tmp_path / "model.h5"
    path.write_bytes(content)

    with pytest.raises(ExportError) as caught:
        find_source(path)

    assert said in str(caught.value)


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
@pytest.mark.parametrize("kind", [*KINDS, "Keras", "swapped"])
def test_peers_of_another_kind_are_refused_before_anything_is_measured(tmp_path: Path, kind: str, suffix: str) -> None:
    swapped = OTHERS["ONNX" if suffix == "tflite" else "TFLite"]
    content, said = (KINDS | OTHERS | {"swapped": swapped})[kind]
    path = tmp_path / f"theirs.{suffix}"
    path.write_bytes(content)

    result = edge_mnist("benchmark", "--peer", path, "--peer-input", "float01")

    assert result.exit_code == 1
    assert f"theirs.{suffix}: expected a .{suffix} model, got " in result.stderr
    assert said in result.stderr


@pytest.mark.parametrize("kind", [*(kind for kind in KINDS if kind != "empty"), *OTHERS])
def test_what_is_given_as_a_bundle_is_said(tmp_path: Path, kind: str) -> None:
    content, said = (KINDS | OTHERS)[kind]
    path = tmp_path / "model"
    path.write_bytes(content)

    results = [edge_mnist("verify", path), edge_mnist("run", tmp_path / "page.png", "--model", path)]

    for result in results:
        assert result.exit_code == 1
        assert "expected a bundle (the folder that edge-mnist train or edge-mnist export writes" in result.stderr
        assert said in result.stderr


def test_a_saved_model_is_named_and_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")

    for command in (("verify", tmp_path), ("export", tmp_path)):
        result = edge_mnist(*command)

        assert result.exit_code == 1
        assert "got a TensorFlow SavedModel. In the program that made it, `model.save('model.keras')`" in result.stderr


@pytest.mark.parametrize("name", ["card.json", "standard-int8.tflite"])
def test_a_bundle_whose_files_are_pointers_says_how_to_fetch_them(tmp_path: Path, name: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "bundle")
    (tmp_path / "bundle" / name).write_bytes(POINTER)

    result = edge_mnist("verify", tmp_path / "bundle")

    assert result.exit_code == 1
    assert "It is a Git LFS pointer: `git lfs pull` fetches the file itself." in result.stderr


def test_an_archive_that_holds_no_keras_model_is_said() -> None:
    with pytest.raises(EdgeMnistError, match=r"it has no config\.json, which every \.keras file has"):
        load_keras_file(_zip("photo.png"), "own.keras")


class Squash(layers.Layer):
    """A layer of somebody's own, which the process that loads the file does not know."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.tanh(x)


def _save(folder: Path, *hidden: keras.Layer, **metadata: str) -> bytes:
    """A saved model; its module and its metadata as they are where it was made."""
    path = folder / "own.keras"
    keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Flatten(), layers.Dense(10)]).save(path)
    content = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(content, "w") as changed:
        for name in source.namelist():
            part = source.read(name)
            if name == "config.json":
                part = part.replace(Squash.__module__.encode(), b"elsewhere")
            if name == "metadata.json" and metadata:
                part = json.dumps(metadata).encode()
            changed.writestr(name, part)
    return content.getvalue()


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child would take as long as importing TensorFlow, and raises the same."""
    monkeypatch.setattr(keras_files, "call_in_child", lambda function, content, *_, **__: function(content))


@pytest.mark.usefixtures("_here")
def test_layers_that_are_not_keras_own_are_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeMnistError, match=r"Squash is not part of Keras, .*copy the weights"):
        load_keras_file(_save(tmp_path, Squash()), "own.keras")
    with pytest.raises(EdgeMnistError, match="has a Lambda layer, whose code would run when loaded"):
        load_keras_file(_save(tmp_path, layers.Lambda(lambda x: x)), "own.keras")


@pytest.mark.usefixtures("_here")
def test_a_file_of_keras_2_that_keras_3_cannot_read_says_so(tmp_path: Path) -> None:
    content = _save(tmp_path, Squash(), keras_version="2.15.0")

    with pytest.raises(EdgeMnistError, match=r"It was saved by Keras 2\.15\.0; Keras 3 cannot"):
        load_keras_file(content, "own.keras")


@pytest.mark.usefixtures("_here")
def test_a_file_of_keras_2_that_keras_3_can_read_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    path.write_bytes(_save(tmp_path, keras_version="2.15.0"))

    assert load_source(path, path, Convention(pixels="0-1")).output_shape == (None, 10)


@pytest.mark.usefixtures("_here")
def test_a_full_disk_is_not_the_models_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_files, "explain_full_disk", lambda: " The disk for temporary files is full.")

    with pytest.raises(EdgeMnistError, match=r"The disk for temporary files is full\."):
        load_keras_file(_save(tmp_path, Squash()), "own.keras")


def test_numbers_beyond_half_precision_are_the_reason_that_is_given() -> None:

    logits = np.zeros((4, 10), np.float32)
    _check_range(logits)
    logits[1, 3] = np.inf

    with pytest.raises(ExportError, match="exceed 65,504, the largest in half precision, for 1 of 4 digits"):
        _check_range(logits)
