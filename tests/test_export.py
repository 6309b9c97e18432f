"""Export: every file keeps the contract, agrees with Keras, and a model that cannot is refused with the reason."""

import io
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from edge_mnist.edge import mnist
from edge_mnist.edge.bundle import SHIPPED, Bundle, open_bundle
from edge_mnist.edge.card import ModelFile
from edge_mnist.edge.classifiers import RUNTIMES, load_classifier, load_file
from edge_mnist.export.calibrate import ExportError, choose_calibration
from edge_mnist.export.pipeline import EXPORTERS
from edge_mnist.export.source import behind_scaling, load_source
from edge_mnist.export.verify import Reference, verify

from .conftest import edge_mnist

# The issue the project was founded on: int8 costs at most a tenth of a point and disagrees on two images in a thousand.
MOST_INT8_DROP_PP = 0.10
LEAST_INT8_AGREEMENT = 0.998
# Another order of additions in float32, on logits of about 10.
FLOAT_LOGIT_TOLERANCE = 1e-3
RUNTIME_OF = {"tflite": "litert", "onnx": "onnxruntime"}
FILES = [(exporter.format, exporter.precision) for exporter in EXPORTERS]


def _logits(bundle: Bundle, file: ModelFile, images: np.ndarray) -> np.ndarray:
    return load_file(RUNTIMES[RUNTIME_OF[file.format]], bundle.read(file.record), file).logits(images)


def _keras_logits(bundle: Bundle, images: mnist.Images) -> np.ndarray:
    assert bundle.card.export is not None
    return np.load(io.BytesIO(bundle.read(bundle.card.export.reference)))[images.name]


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return open_bundle(SHIPPED)


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_shipped_files_agree_with_keras_on_the_sample(
    shipped: Bundle, sample: mnist.Images, format_: str, precision: str
) -> None:
    _, images = mnist.divide_sample(sample)

    logits = _logits(shipped, shipped.file(format_, precision), images.pixels)

    _assert_parity(logits, _keras_logits(shipped, images), images.labels, precision)


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_shipped_files_agree_with_keras_on_test(
    shipped: Bundle, full_mnist: mnist.Splits, format_: str, precision: str
) -> None:
    images = full_mnist.test
    file = shipped.file(format_, precision)

    logits = _logits(shipped, file, images.pixels)

    _assert_parity(logits, _keras_logits(shipped, images), images.labels, precision)
    assert (logits.argmax(axis=1) == images.labels).mean() >= 0.995
    assert (logits.argmax(axis=1) == images.labels).sum() == pytest.approx(file.verification.correct, abs=2)


def _assert_parity(logits: np.ndarray, keras_logits: np.ndarray, labels: np.ndarray, precision: str) -> None:
    agreement = (logits.argmax(axis=1) == keras_logits.argmax(axis=1)).mean()
    if precision == "float32":
        assert agreement == 1
        assert np.abs(logits - keras_logits).max() < FLOAT_LOGIT_TOLERANCE
    else:
        drop = (keras_logits.argmax(axis=1) == labels).mean() - (logits.argmax(axis=1) == labels).mean()
        assert agreement >= LEAST_INT8_AGREEMENT
        assert 100 * drop <= MOST_INT8_DROP_PP


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_every_file_takes_raw_pixels(exported: Bundle, format_: str, precision: str) -> None:
    tensor = exported.file(format_, precision).input

    assert (tensor.dtype, tensor.shape) == ("uint8", (-1, 28, 28, 1))
    if tensor.scale is not None:
        assert (tensor.scale, tensor.zero_point) == (pytest.approx(1 / 255), 0)


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_the_reference_is_what_keras_says_now(
    exported: Bundle, tmp_path: Path, format_: str, precision: str, sample: mnist.Images
) -> None:
    (tmp_path / "model.keras").write_bytes(exported.read(exported.card.source))
    model = load_source(tmp_path / "model.keras", tmp_path / "model.keras")
    images = sample.take(np.arange(0, 5_000, 25))
    keras_logits = model.predict(images.pixels, verbose=0)

    file, runtime = exported.file(format_, precision), RUNTIMES[RUNTIME_OF[format_]]
    classifier = load_classifier(exported, runtime, precision)
    result = verify(classifier, runtime, file, Reference(images, keras_logits))

    if precision == "float32":
        assert result.agreeing == len(images)
        assert result.max_logit_difference < FLOAT_LOGIT_TOLERANCE
    else:
        # A few epochs on 4,000 images leave close calls; the shipped model is held to more above.
        assert result.agreeing >= 0.98 * len(images)


def test_a_wrong_conversion_is_not_exported(exported: Bundle, sample: mnist.Images) -> None:
    file = exported.file("tflite", "float32")
    reference = Reference(sample.take(np.arange(5)), np.eye(5, 10, dtype=np.float32))

    with pytest.raises(ExportError, match=r"differ from the Keras model's by .* Nothing was written"):
        verify(load_classifier(exported, RUNTIMES["litert"], "float32"), RUNTIMES["litert"], file, reference)


def test_int8_onnx_has_no_float_work_at_the_head(exported: Bundle) -> None:
    graph = onnx.load_from_string(exported.read(exported.file("onnx", "int8").record)).graph
    operators = [node.op_type for node in graph.node]

    assert operators.index("QuantizeLinear") > operators.index("Conv")
    assert not {"Cast", "Mul"} & set(operators)


def test_batches_and_single_images_give_the_same(exported: Bundle, sample: mnist.Images) -> None:
    images = sample.pixels[::1000]

    for file in exported.files:
        batch = _logits(exported, file, images)
        singles = np.concatenate([_logits(exported, file, images[i : i + 1]) for i in range(len(images))])
        assert batch == pytest.approx(singles, abs=FLOAT_LOGIT_TOLERANCE)


def test_calibration_is_balanced_named_and_apart_from_evaluation(exported: Bundle) -> None:
    export = exported.card.export
    assert export is not None
    assert export.calibration is not None

    indices = export.calibration.indices

    assert len(indices) == len(set(indices)) == export.calibration.images.count == 500
    assert export.calibration.images.source != export.evaluations[0].images.source or not set(indices) & set(
        mnist.sample_splits().test.indices
    )


def test_the_shipped_calibration_is_of_training_images(full_mnist: mnist.Splits, shipped: Bundle) -> None:
    export = shipped.card.export
    assert export is not None
    assert export.calibration is not None

    assert set(export.calibration.indices) <= set(full_mnist.train.indices)
    assert export.calibration.images == choose_calibration(full_mnist.train).describe()
    assert export.evaluations[0].images == full_mnist.test.describe()


def test_the_calibration_must_span_all_pixels(sample: mnist.Images) -> None:
    dim = mnist.Images("dim", "dim", sample.pixels // 2, sample.labels, sample.indices)

    with pytest.raises(ExportError, match="span 0 to 127"):
        choose_calibration(dim)


def test_without_int8_only_float_files_are_written(trained: Path, tmp_path: Path) -> None:
    result = edge_mnist("export", trained, "--out", tmp_path / "out")

    assert result.exit_code == 0
    bundle = open_bundle(tmp_path / "out")
    assert {file.precision for file in bundle.files} == {"float32"}
    assert bundle.card.export is not None
    assert bundle.card.export.calibration is None
    refused = edge_mnist("run", "any.png", "--model", tmp_path / "out")
    assert refused.exit_code == 1
    assert "Export it with --int8" in refused.stderr


def test_cutting_off_the_scaling_changes_nothing(trained: Path, sample: mnist.Images) -> None:
    model = load_source(trained / "model.keras", trained)

    whole = model.predict(sample.pixels[:50], verbose=0)
    behind = behind_scaling(model).predict(sample.pixels[:50].astype(np.float32) / 255, verbose=0)

    assert behind == pytest.approx(whole, abs=1e-4)


def _model(**changes: object) -> keras.Model:
    """A small model that keeps the contract, but for the changes."""
    options = {"dtype": "uint8", "shape": (28, 28, 1), "classes": 10, "activation": None, "scaling": "pixels_to_unit"}
    options |= changes
    pixels = keras.Input(options["shape"], dtype=options["dtype"])
    x = keras.layers.Rescaling(1 / 255, name=options["scaling"])(pixels)
    x = keras.layers.Flatten()(x)
    return keras.Model(pixels, keras.layers.Dense(options["classes"], activation=options["activation"])(x))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dtype": "float32"}, "expected uint8"),
        ({"shape": (32, 32, 1)}, r"got uint8 \(32, 32, 1\) in"),
        ({"classes": 11}, r"\(11,\) out"),
        ({"activation": "softmax"}, "Remove its activation"),
        ({"scaling": "another"}, "Rescaling"),
    ],
    ids=["float input", "another size", "another count of classes", "softmax", "no scaling"],
)
def test_a_model_that_breaks_the_contract_is_refused(tmp_path: Path, changes: dict, reason: str) -> None:
    _model(**changes).save(tmp_path / "own.keras")

    with pytest.raises(ExportError, match=reason):
        load_source(tmp_path / "own.keras", tmp_path / "own.keras")


def test_a_model_of_ones_own_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _model().save("my own (2).keras")

    result = edge_mnist("export", "my own (2).keras", "--int8")

    assert result.exit_code == 0
    assert "my-own-2-int8.onnx" in result.stdout
    assert open_bundle(Path("my-own-2")).card.training is None


def test_a_layer_that_no_converter_knows_is_one_sentence(tmp_path: Path) -> None:
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, name="pixels_to_unit")(pixels)
    x = keras.layers.Dense(10)(keras.layers.Flatten()(x))
    keras.Model(pixels, keras.ops.roll(x, 1, axis=1)).save(tmp_path / "own.keras")

    result = edge_mnist("export", tmp_path / "own.keras", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "own-float32.tflite: this model cannot be converted" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["own.keras"]


def test_code_hidden_in_a_model_is_not_run(tmp_path: Path) -> None:
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    keras.Model(pixels, keras.layers.Lambda(lambda x: x)(pixels)).save(tmp_path / "own.keras")

    result = edge_mnist("export", tmp_path / "own.keras", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "own.keras: cannot be loaded as a Keras model" in result.stderr
    assert not (tmp_path / "out").exists()
