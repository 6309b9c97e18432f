"""`edge_mnist.export` does what the command does, and returns the bundle."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import edge_mnist
from edge_mnist.edge.bundle.contract import Convention
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.exporters import list_exporters
from edge_mnist.export.run import export
from edge_mnist.export.settings import PRECISIONS
from tests.conftest import python_process

# A network that was never trained answers by chance, and so does its int8 file.
ANY_DROP = 100.0
MISSING = "import sys; sys.modules['tensorflow'] = None; sys.modules['keras'] = None; import edge_mnist as em\n"


@contextmanager
def _expecting_doubt() -> Iterator[None]:
    """Expect the warning about a model that guesses; the converters have warnings of their own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert any("its accuracy is near chance" in str(one.message) for one in caught)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential(layers, name="dense")


@pytest.fixture(scope="module")
def bundle(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A Keras model in memory, exported to TFLite."""
    with _expecting_doubt():
        return edge_mnist.export(
            model,
            formats=["tflite"],
            pixels="0-1",
            outputs="softmax",
            out=tmp_path_factory.mktemp("exported") / "dense",
            clean_calibration=True,
            max_drop_pp=ANY_DROP,
            c_array=True,
        )


def test_a_keras_model_in_memory_becomes_a_bundle(bundle: Bundle, model: keras.Model, sample: mnist.Images) -> None:
    assert repr(bundle) == f"Bundle('dense', 2 exported files, in {bundle.path})"
    assert open_bundle(bundle.path).card == bundle.card
    assert bundle.card.convention == Convention(pixels="0-1", outputs="softmax")
    assert [file.precision for file in bundle.files] == ["float32", "int8"]
    assert len(bundle.export.c_source) == 2
    prediction = edge_mnist.Classifier(bundle, precision="float32").predict(sample.pixels[:50])
    expected = np.asarray(model(sample.pixels[:50] / np.float32(255)))
    assert (prediction.digits == expected.argmax(axis=1)).all()


def test_a_bundle_is_extended_in_place(bundle: Bundle) -> None:
    with _expecting_doubt():
        extended = edge_mnist.export(bundle, float16=True, formats=["tflite"], max_drop_pp=ANY_DROP)

    assert extended.path == bundle.path
    assert [file.precision for file in extended.files] == ["float32", "float16", "int8"]
    assert [check.outcome for check in edge_mnist.verify(extended) if check.runtime == "litert"] == ["passed"] * 3


def test_the_package_is_its_function_whatever_was_imported_before() -> None:
    code = "import edge_mnist as em, edge_mnist.export.settings\nfrom edge_mnist.export import run\n"

    done = python_process(f"{code}try: em.export('nowhere')\nexcept em.EdgeMnistError as error: print(error)")

    assert done.stdout == "nowhere: no such file or folder. Expected a bundle or a .keras file.\n", done.stderr


def test_a_missing_extra_is_the_sentence_of_the_command() -> None:
    done = python_process(f"{MISSING}try: em.export()\nexcept em.EdgeMnistError as error: print(error)")
    command = python_process(f"{MISSING}from edge_mnist.cli import main; main(['export'])")

    sentence = "export needs the package tensorflow: pip install 'edge-mnist[export]'"
    assert command.stderr.splitlines()[-1].replace("keras", "tensorflow") == f"Error: {sentence}"
    assert done.stdout.splitlines()[-1] == command.stderr.splitlines()[-1].removeprefix("Error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 3}, "expected a bundle, the path of a .keras file, or a Keras model, got int"),
        ({"model": "nowhere"}, "nowhere: no such file or folder"),
        ({"pixels": "0-2"}, "expected pixels among uint8, 0-1, 0-255, -1-1, got '0-2'"),
        ({"outputs": "relu"}, "expected outputs among logits, softmax"),
        ({"formats": ["h5"]}, "expected formats among tflite, onnx, got 'h5'"),
        ({"calibration": "mean"}, "expected calibration among"),
        ({"onnx_weights": "int4"}, "expected onnx_weights among int7"),
        ({"max_drop_pp": -1}, "expected max_drop_pp from 0 to 100, got -1"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_one_sentence(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeMnistError, match=message):
        export(**arguments, out=tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_the_precisions_in_the_settings_are_those_that_can_be_made() -> None:
    made = {name: tuple(one.precision for one in list_exporters() if one.format == name) for name in ("tflite", "onnx")}

    assert made == PRECISIONS
