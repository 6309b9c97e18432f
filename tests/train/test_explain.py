"""The command that explains: it says what it read, draws a sheet, and takes models of other projects."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from keras import layers
from PIL import Image

from edge_mnist.edge.bundle.card import Convention, ModelCard
from edge_mnist.edge.bundle.folder import open_bundle, open_card
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file, write_card
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.train.errors import TrainError
from edge_mnist.train.explain_cli import explain
from edge_mnist.train.explanation.explain import load_network
from edge_mnist.train.explanation.gradcam import explain_images
from tests.builders.ink import write

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the gradients are taken from TensorFlow"),
    pytest.mark.usefixtures("trusted_keras_files"),
]


def _run(*arguments: object) -> Result:
    # click keeps the names of a command's help from its first call.
    return CliRunner().invoke(explain, [str(argument) for argument in arguments], help_option_names=["-h", "--help"])


def _save(path: Path, ink: np.ndarray) -> Path:
    """Dark ink on white paper."""
    Image.fromarray(255 - ink).save(path)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows of digits."""
    return _save(tmp_path_factory.mktemp("page") / "page.png", write("472", "30").ink)


@pytest.fixture(scope="module")
def explained(page: Path) -> tuple[Result, Path]:
    """What the command says of that page, and the sheet that it draws."""
    out = page.with_name("why.png")
    return _run(page, "--out", out, "--json"), out


def test_the_command_reads_a_page_in_order_and_draws_a_sheet(explained: tuple[Result, Path]) -> None:
    result, sheet = explained

    assert result.exit_code == 0, result.output
    document = msgspec.json.decode(result.stdout)
    assert [digit["digit"] for digit in document["digits"]] == list("47230")
    assert all(0.5 < digit["confidence"] <= 1 for digit in document["digits"])
    assert f"Heat map of {document['layer']}" in result.stderr
    with Image.open(sheet) as picture:
        picture.load()
        assert picture.format == "PNG"
    assert {path.name for path in sheet.parent.iterdir()} == {"page.png", "why.png"}


def test_a_picture_of_28_by_28_is_taken_as_it_is(tmp_path: Path, sample: Any) -> None:
    picture = tmp_path / "one.png"
    Image.fromarray(sample.pixels[600, ..., 0]).save(picture)

    result = _run(picture, "--out", tmp_path / "why.png")

    assert sample.labels[600] == 1
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1: ")
    assert len(result.stdout.splitlines()) == 1


def test_without_out_the_sheet_is_named_after_the_picture(page: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    result = _run(page)

    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["page.explained.png"]


def test_a_picture_without_digits_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    empty = _save(tmp_path / "empty.png", np.zeros((200, 300), np.uint8))

    result = _run(empty, "--out", tmp_path / "why.png")

    assert result.exit_code == 1
    assert isinstance(result.exception, TrainError)
    assert "finds no digit" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]


def _copy_of_shipped(folder: Path, **changes: Any) -> Path:
    """The shipped bundle without what it exported, so that its card may be another one."""
    card = open_bundle(SHIPPED).card
    folder.mkdir()
    shutil.copy(SHIPPED / "model.keras", folder)
    write_card(folder, msgspec.structs.replace(card, **{"export": None, **changes}))
    return folder


def test_a_bundle_that_was_never_exported_is_explained_too_with_its_own_names(page: Path, tmp_path: Path) -> None:
    model = _copy_of_shipped(tmp_path / "named", labels=tuple("abcdefghij"))

    result = _run(page, "--model", model, "--out", tmp_path / "why.png", "--json")

    assert result.exit_code == 0, result.output
    assert [digit["digit"] for digit in msgspec.json.decode(result.stdout)["digits"]] == list("ehcda")


def _without_model(folder: Path) -> Path:
    (_copy_of_shipped(folder) / "model.keras").unlink()
    return folder


def _with_garbage(folder: Path) -> Path:
    model = _copy_of_shipped(folder)
    (model / "model.keras").write_bytes(b"no model")
    card: ModelCard = open_bundle(SHIPPED).card
    record = describe_file(model, "model.keras")
    write_card(model, msgspec.structs.replace(card, source=record, export=None))
    return model


def _foreign(folder: Path, model: keras.Model, **convention: Any) -> Path:
    """A bundle as an export makes it of another project's model: the model as it was, and what it reads and gives."""
    made = _copy_of_shipped(folder, convention=Convention(**convention))
    model.save(made / "model.keras")
    card = open_card(made)
    write_card(made, msgspec.structs.replace(card, source=describe_file(made, "model.keras")))
    return made


def _of_shared_layers(folder: Path) -> Path:
    pixels, twice = keras.Input((28, 28, 1)), layers.Conv2D(4, 3, padding="same")
    x = twice(twice(layers.Conv2D(4, 3, padding="same")(pixels)))
    return _foreign(folder, keras.Model(pixels, layers.Dense(10)(layers.Flatten()(x))), pixels="0-1")


def _of_padding(folder: Path) -> Path:
    hidden = [layers.ZeroPadding2D(2), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)]
    return _foreign(folder, keras.Sequential([keras.Input((28, 28, 1)), *hidden]), pixels="0-1")


def _of_a_model_within(folder: Path) -> Path:
    within = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3)], name="body")
    hidden = [within, layers.Flatten(), layers.Dense(10)]
    return _foreign(folder, keras.Sequential([keras.Input((28, 28, 1)), *hidden]), pixels="0-1")


def _own(end: str | None) -> keras.Model:
    """The same weights each time, for pixels in [0, 1]."""
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation=end),
        ]
    )


def _behind_scaling() -> keras.Model:
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), _own("softmax")])


def _as_an_operation() -> keras.Model:
    model = _own(None)
    return keras.Model(model.inputs, keras.ops.softmax(model.outputs[0]))


def _flat() -> keras.Model:
    model = _own("sigmoid")
    return keras.Sequential([keras.Input((784,)), layers.Reshape((28, 28, 1)), *model.layers])


@pytest.mark.parametrize(
    ("build", "convention"),
    [
        (lambda: _own(None), {"pixels": "0-1"}),
        (lambda: _own("softmax"), {"pixels": "0-1", "outputs": "softmax"}),
        (lambda: _own("log_softmax"), {"pixels": "0-1", "outputs": "log-softmax"}),
        (_behind_scaling, {"pixels": "0-255", "outputs": "softmax"}),
        (_as_an_operation, {"pixels": "0-1", "outputs": "softmax"}),
        (_flat, {"pixels": "0-1", "outputs": "sigmoid"}),
    ],
    ids=["logits", "softmax", "log-softmax", "behind scaling", "operation", "784 numbers"],
)
def test_models_of_other_projects_are_explained_by_their_logits(
    tmp_path: Path, build: Callable[[], keras.Model], convention: dict[str, str]
) -> None:
    pixels = np.zeros((2, 28, 28, 1), np.uint8)
    pixels[0, 5:20, 12:15], pixels[1, 8:11, 4:24] = 255, 200
    plain = _own(None)
    expected = explain_images(keras.Model(plain.inputs[0], plain.outputs[0]), (pixels / 255).astype(np.float32))
    bundle = open_bundle(_foreign(tmp_path / "bundle", build(), **convention))

    network = load_network(bundle)
    found = explain_images(network.model, network.to_inputs(pixels))

    assert found.logits == pytest.approx(expected.logits, abs=1e-4)
    assert found.heat == pytest.approx(expected.heat, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_without_model, "has no model.keras"),
        (_with_garbage, "expected a .keras file, got a text"),
        (_of_shared_layers, "more than once, so Grad-CAM has no single feature map. Use a separate layer"),
        (_of_padding, "zero_padding2d (ZeroPadding2D) shifts the grid in an unsupported way"),
        (_of_a_model_within, "contains nested models (body)"),
        (lambda folder: folder, "not a bundle"),
    ],
    ids=["no model", "no Keras model", "shared", "padded", "within", "nothing"],
)
def test_what_cannot_be_explained_is_refused_in_one_sentence(
    page: Path, tmp_path: Path, make: Any, message: str
) -> None:
    result = _run(page, "--model", make(tmp_path / "bundle"), "--out", tmp_path / "why.png")

    assert result.exit_code == 1
    assert message in str(result.exception)
    assert not (tmp_path / "why.png").exists()


def test_a_sheet_that_cannot_be_written_says_so(page: Path, tmp_path: Path) -> None:
    result = _run(page, "--out", tmp_path / "missing" / "why.png")

    assert isinstance(result.exception, EdgeMnistError)
    assert "Choose another --out" in str(result.exception)


def test_another_backend_is_told_which_one_to_set(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")

    result = _run(page)

    assert isinstance(result.exception, TrainError)
    assert "KERAS_BACKEND=tensorflow" in str(result.exception)
