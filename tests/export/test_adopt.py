"""Models of one's own: what they read and give is said, checked, and turned into the contract, or refused."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edge_mnist.edge.bundle.contract import PRECISION_KEY, Convention
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.convention import check_convention
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.drafts import describe_draft
from edge_mnist.export.errors import ExportError
from edge_mnist.export.exporters import Exporter, list_exporters
from edge_mnist.export.quantize.sweep import Quantizer, signal_to_noise_db
from edge_mnist.train.zoo import ZOO
from tests.conftest import ONE_CALIBRATION, edge_mnist

# Weights that were never trained leave nothing to measure but the noise of the logits.
pytestmark = pytest.mark.usefixtures("trusted_keras_files")
LEAST_SNR_DB = {"float32": 80, "float16": 40, "dynamic": 20, "int8": 15, "int16x8": 25}


def _own(**changes: object) -> keras.Model:
    """A small model as people write them: float pixels in, softmax out."""
    # Few images and epochs: from one initialization to the next, what such a model reads differs.
    keras.utils.set_random_seed(1)
    options = {"dtype": "float32", "shape": (28, 28, 1), "classes": 10, "activation": "softmax"} | changes
    pixels = keras.Input(options["shape"], dtype=options["dtype"])
    x = layers.Flatten()(pixels)
    return keras.Model(pixels, layers.Dense(options["classes"], activation=options["activation"])(x))


def _blocks() -> keras.Model:
    """Inverted residual blocks, as in the small nets of keras.applications, on 28x28."""
    pixels = keras.Input((28, 28, 1))
    x = _conv(pixels, 8, strides=2)
    x = layers.Add()([x, _inverted(x, 8)])
    x = _inverted(x, 16, strides=2)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    return keras.Model(pixels, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(x)))


def _inverted(x: keras.KerasTensor, filters: int, strides: int = 1) -> keras.KerasTensor:
    x = _conv(x, 4 * x.shape[-1], size=1)
    x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))


def _conv(x: keras.KerasTensor, filters: int, size: int = 3, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def _load(model: keras.Model, folder: Path, **convention: str) -> keras.Model:
    model.save(folder / "own.keras")
    return load_source(folder / "own.keras", Path("own.keras"), Convention(**convention))


@pytest.mark.parametrize(
    ("pixels", "own_range"),
    [("0-1", lambda x: x / 255), ("0-255", lambda x: x), ("-1-1", lambda x: x / 127.5 - 1)],
    ids=["0-1", "0-255", "-1-1"],
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28)], ids=["with channel", "without"])
def test_an_adopted_model_reads_raw_pixels_and_gives_logits(
    tmp_path: Path, sample: mnist.Images, pixels: str, own_range: Callable[[np.ndarray], np.ndarray], shape: tuple
) -> None:
    own = _own(shape=shape)
    images = sample.pixels[::500]

    adopted = _load(own, tmp_path, pixels=pixels, outputs="softmax")

    logits = adopted.predict(images, verbose=0)
    expected = own.predict(own_range(images.astype(np.float32)).reshape(-1, *shape), verbose=0)
    assert adopted.inputs[0].dtype == "uint8"
    assert np.asarray(keras.ops.softmax(logits)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("end", [layers.Softmax, lambda: layers.Activation("softmax")], ids=["Softmax", "Activation"])
def test_a_softmax_layer_is_taken_off(tmp_path: Path, sample: mnist.Images, end: Callable) -> None:
    logits_model = _own(activation=None)
    own = keras.Sequential([keras.Input((28, 28, 1)), *logits_model.layers[1:]])
    softmax = keras.Model(own.inputs[0], end()(own.outputs[0]))
    images = sample.pixels[::500]

    adopted = _load(softmax, tmp_path, pixels="0-1", outputs="softmax")

    assert adopted.predict(images, verbose=0) == pytest.approx(own.predict(images / 255, verbose=0), abs=1e-4)


def test_a_softmax_is_taken_off_this_projects_own_networks_too(tmp_path: Path, sample: mnist.Images) -> None:
    network = ZOO["compact-8-16"]()
    model = keras.Model(network.inputs[0], layers.Softmax()(network.outputs[0]))

    adopted = _load(model, tmp_path, outputs="softmax")

    pixels = sample.pixels[::500]
    assert adopted.predict(pixels, verbose=0) == pytest.approx(network.predict(pixels, verbose=0), abs=1e-5)


def test_a_model_with_raw_pixels_and_its_own_scaling_is_taken_as_it_is(tmp_path: Path, sample: mnist.Images) -> None:
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255, name="mine")(pixels))
    own = keras.Model(pixels, layers.Dense(10)(x))

    adopted = _load(own, tmp_path)

    images = sample.pixels[::500]
    assert adopted.predict(images, verbose=0) == pytest.approx(own.predict(images, verbose=0), abs=1e-4)


@pytest.mark.parametrize(
    ("model", "convention", "reason"),
    [
        (_own, {}, r"reads float32 numbers in an unknown range\. .* --pixels"),
        (_own, {"pixels": "0-1"}, r"the last layer applies softmax\. Pass --outputs softmax"),
        (lambda: _own(activation=None), {"pixels": "0-1", "outputs": "softmax"}, "applies none"),
        (lambda: _own(dtype="uint8", activation=None), {"pixels": "0-1"}, "Leave out --pixels"),
        (lambda: _own(shape=(32, 32, 1)), {}, r"got \[32, 32, 1\] in"),
        (lambda: _own(shape=(28, 28, 3)), {}, r"got \[28, 28, 3\] in"),
        (lambda: _own(classes=11), {}, r"\[11\] out"),
    ],
    ids=["no range", "softmax unsaid", "no softmax", "raw", "size", "color", "classes"],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, model: Callable[[], keras.Model], convention: dict[str, str], reason: str
) -> None:
    with pytest.raises(ExportError, match=reason):
        _load(model(), tmp_path, **convention)


@pytest.fixture(scope="module")
def trained_on_units(sample: mnist.Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one's own that learned to read pixels in [-1, 1], which no other range resembles."""
    model = _own()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(sample.pixels[::2] / 127.5 - 1, sample.labels[::2].astype(int), epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("own") / "own.keras"
    model.save(path)
    return path


@pytest.mark.parametrize("declared", ["0-1", "0-255"])
def test_a_convention_that_accuracy_contradicts_is_refused(trained_on_units: Path, declared: str) -> None:
    out = trained_on_units.parent / "out"

    result = edge_mnist("export", trained_on_units, "--pixels", declared, "--outputs", "softmax", "--out", out)

    assert result.exit_code == 1
    assert f"of 500 digits as {declared}, but" in result.stderr
    assert "Pass --pixels -1-1." in result.stderr
    assert not out.exists()


def test_a_model_that_takes_ink_as_0_is_refused(sample: mnist.Images, tmp_path: Path) -> None:
    model = _own()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(1 - sample.pixels[::2] / 255, sample.labels[::2].astype(int), epochs=4, verbose=0)
    adopted = _load(model, tmp_path, pixels="0-1", outputs="softmax")

    with pytest.raises(ExportError, match=r"as inverted \(0 = ink\)\. Train it with 0 = paper"):
        check_convention(adopted, Convention(pixels="0-1"), sample.take(np.arange(0, 5_000, 10)), "own.keras")


def test_a_model_of_ones_own_is_exported_and_exported_again(trained_on_units: Path) -> None:
    """The second time from the bundle, whose card knows what the model reads."""
    out = trained_on_units.parent / "my model"
    asked = ("--int8", "--max-drop", 1, "--format", "tflite", *ONE_CALIBRATION)

    first = edge_mnist("export", trained_on_units, *asked, "--pixels", "-1-1", "--outputs", "softmax", "--out", out)
    bundle = open_bundle(out)
    second = edge_mnist("export", out, *asked)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert bundle.card.training is None
    assert bundle.card.convention == Convention(pixels="-1-1", outputs="softmax")
    assert bundle.read(bundle.card.source) == trained_on_units.read_bytes()
    again = open_bundle(out).file("tflite", "int8")
    assert again.verification.correct == bundle.file("tflite", "int8").verification.correct
    assert again.verification.correct > 0.8 * bundle.export.evaluations[0].images.count


def _normalized() -> list[keras.Layer]:
    layer = layers.Normalization(axis=None, mean=0.13, variance=0.1)
    return [layer, layers.Flatten()]


@pytest.mark.parametrize(
    "hidden",
    [_normalized, lambda: [layers.Flatten(name="größe"), layers.Dense(12, activation="relu", name="dicht(1)+[a-z]*")]],
    ids=["constants of a layer", "names that are no scopes"],
)
def test_odd_layers_reach_both_formats(tmp_path: Path, sample: mnist.Images, hidden: Callable) -> None:
    adopted = _load(keras.Sequential([keras.Input((28, 28, 1)), *hidden(), layers.Dense(10)]), tmp_path, pixels="0-1")
    images = sample.pixels[::500]

    for exporter in list_exporters():
        if exporter.precision == "float32" and not isinstance(exporter.convert, Quantizer):
            content = exporter.tools.seal(exporter.convert(adopted), {PRECISION_KEY: "float32"})
            classifier = load_file(RUNTIMES[exporter.tools.runtime], content, describe_draft(exporter, content))
            assert classifier.logits(images) == pytest.approx(adopted.predict(images, verbose=0), abs=1e-3)


def test_a_bundle_takes_no_convention(trained: Path) -> None:
    result = edge_mnist("export", trained, "--pixels", "0-1")

    assert result.exit_code == 1
    assert "a bundle's card states both" in result.stderr


def test_a_layer_that_no_converter_knows_is_one_sentence(tmp_path: Path) -> None:
    pixels = keras.Input((28, 28, 1))
    x = layers.Dense(10)(layers.Flatten()(pixels))
    keras.Model(pixels, keras.ops.roll(x, 1, axis=1)).save(tmp_path / "own.keras")

    result = edge_mnist(
        "export", tmp_path / "own.keras", "--pixels", "0-1", "--format", "tflite", "--out", tmp_path / "out"
    )

    assert result.exit_code == 1
    assert (
        "no file can be made from this model. own-float32.tflite: the converter does not support this model"
        in result.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["own.keras"]


def test_code_hidden_in_a_model_is_not_run(tmp_path: Path) -> None:
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    keras.Model(pixels, layers.Lambda(lambda x: x)(pixels)).save(tmp_path / "own.keras")

    result = edge_mnist("export", tmp_path / "own.keras", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "own.keras: cannot be loaded as a Keras model" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".h5", ".pkl", ".onnx"])
def test_other_kinds_of_files_are_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"own{suffix}").write_bytes(b"anything")

    result = edge_mnist("export", tmp_path / f"own{suffix}")

    assert result.exit_code == 1
    assert "expected a bundle or a .keras file" in result.stderr


# Plain, residual, separable and inverted residual: the other networks have operators of these.
KINDS = ("standard", "max", "nano-2890", "blocks")
WAYS = [
    pytest.param(name, exporter, id=f"{name}-{exporter.format}-{exporter.precision}")
    for name in (*ZOO, "blocks")
    for exporter in list_exporters()
    if name in KINDS or (exporter.format, exporter.precision) in {("onnx", "float32"), ("tflite", "int8")}
]


@pytest.fixture(scope="module")
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    """Every network of the zoo, and one that nothing here was written for; its weights are random."""
    keras.utils.set_random_seed(1)
    if request.param in ZOO:
        return ZOO[request.param]()
    return _load(_blocks(), tmp_path_factory.mktemp("blocks"), pixels="0-1", outputs="softmax")


@pytest.mark.parametrize(("network", "exporter"), WAYS, indirect=["network"])
def test_every_network_can_be_exported_and_one_of_each_kind_in_every_way(
    network: keras.Model, sample: mnist.Images, exporter: Exporter
) -> None:
    calibration = choose_calibration(sample).take(np.arange(100))
    images = sample.pixels[7::250]

    if isinstance(exporter.convert, Quantizer):
        content = exporter.convert.convert(network, calibration, "minmax")
    else:
        content = exporter.convert(network)

    content = exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})
    classifier = load_file(RUNTIMES[exporter.tools.runtime], content, describe_draft(exporter, content))
    expected = network.predict(images, verbose=0)
    assert signal_to_noise_db(expected, classifier.logits(images)) >= LEAST_SNR_DB[exporter.precision]
