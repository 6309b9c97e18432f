"""Export: every file keeps the contract, agrees with Keras, and what cannot be trusted is not installed."""

import io
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest

from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.source import behind_scaling, load_source
from edge_mnist.export.exporters import carry_over, choose_exporters, list_exporters
from edge_mnist.export.settings import ExportSettings
from tests.conftest import EXPORT, ONE_CALIBRATION, edge_mnist, edge_mnist_process, make_once

# The best that the shipped model's int8 files may cost, and the least on which they must agree: figures of the closing
# table in docs/results, with room for an image or two that another processor rounds the other way.
MOST_INT8_DROP_PP = 0.05
LEAST_INT8_AGREEMENT = 0.9985
# Another order of additions in float32, on logits of about 10.
FLOAT_LOGIT_TOLERANCE = 1e-3
RUNTIME_OF = {"tflite": "litert", "onnx": "onnxruntime"}
FILES = [(exporter.format, exporter.precision) for exporter in list_exporters()]
SHIPPED_FILES = [(format_, precision) for format_, precision in FILES if precision in {"float32", "int8"}]


def _logits(bundle: Bundle, file: ModelFile, images: np.ndarray) -> np.ndarray:
    return load_file(RUNTIMES[RUNTIME_OF[file.format]], bundle.read(file.record), file).logits(images)


def _keras_logits(bundle: Bundle, images: mnist.Images) -> np.ndarray:
    assert bundle.card.export is not None
    return np.load(io.BytesIO(bundle.read(bundle.card.export.reference)))[images.name]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def everything(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small model in every file there is."""
    out = tmp_path_factory.mktemp("everything") / "small"
    result = edge_mnist(*EXPORT, trained, "--all", "--c-array", *ONE_CALIBRATION, "--out", out)
    assert result.exit_code == 0, result.output
    return open_bundle(out)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return open_bundle(SHIPPED)


@pytest.mark.parametrize(("format_", "precision"), SHIPPED_FILES)
def test_shipped_files_agree_with_keras_on_the_sample(
    shipped: Bundle, sample: mnist.Images, format_: str, precision: str
) -> None:
    _, _, images = mnist.split_sample_for_export(sample)

    logits = _logits(shipped, shipped.file(format_, precision), images.pixels)

    _assert_parity(logits, _keras_logits(shipped, images), images.labels, precision)


@pytest.mark.parametrize(("format_", "precision"), SHIPPED_FILES)
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
def test_every_file_takes_raw_pixels(everything: Bundle, format_: str, precision: str) -> None:
    tensor = everything.file(format_, precision).input

    assert (tensor.dtype, tensor.shape) == ("uint8", (-1, 28, 28, 1))
    if tensor.scale is not None:
        assert (tensor.scale, tensor.zero_point) == (pytest.approx(1 / 255), 0)


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_every_file_says_what_keras_says(
    everything: Bundle, tmp_path: Path, format_: str, precision: str, sample: mnist.Images
) -> None:
    (tmp_path / "model.keras").write_bytes(everything.read(everything.card.source))
    model = load_source(tmp_path / "model.keras", tmp_path / "model.keras")
    images = sample.pixels[::25]
    keras_logits = model.predict(images, verbose=0)

    logits = _logits(everything, everything.file(format_, precision), images)

    agreeing = (logits.argmax(axis=1) == keras_logits.argmax(axis=1)).mean()
    if precision == "float32":
        assert agreeing == 1
        assert np.abs(logits - keras_logits).max() < FLOAT_LOGIT_TOLERANCE
    else:
        # A few epochs on 4,000 images leave close calls; the shipped model is held to more above.
        assert agreeing >= 0.98


def test_files_are_as_large_as_their_numbers(everything: Bundle) -> None:
    size = {(file.format, file.precision): file.record.size_bytes for file in everything.files}

    for format_ in ("tflite", "onnx"):
        assert size[format_, "float16"] < 0.6 * size[format_, "float32"]
        assert size[format_, "int8"] < 0.35 * size[format_, "float32"]
    assert size["tflite", "dynamic"] < 0.35 * size["tflite", "float32"]
    assert size["tflite", "int16x8"] < 0.35 * size["tflite", "float32"]


def test_the_card_says_how_everything_agrees(everything: Bundle) -> None:
    assert everything.card.export is not None
    agreement, count = everything.card.export.agreement, everything.card.export.evaluations[0].images.count
    counts = np.array(agreement.counts)

    assert agreement.names == ("Keras", *(file.record.name for file in everything.files))
    assert (np.diag(counts) == count).all()
    assert (counts == counts.T).all()
    assert counts[0, 1:].tolist() == [file.verification.agreeing for file in everything.files]
    assert counts.min() > 0.9 * count


def test_the_card_says_how_int8_came_about(exported: Bundle) -> None:
    for format_ in ("tflite", "onnx"):
        file = exported.file(format_, "int8")
        assert file.quantization is not None
        trials = file.quantization.trials

        assert file.quantization.chosen in trials
        noisiest = {trial: min(trial.snr_db, cast("float", trial.degraded_snr_db)) for trial in trials}
        assert noisiest[file.quantization.chosen] == max(noisiest.values())
        assert {trial.degraded for trial in trials} == {False, True}
        assert {trial.weights for trial in trials} == {"as trained", "equalized and rounded"}
        assert file.layers[-1].layer == "logits"
        assert len(file.layers) >= 6
        assert all(10 < layer.snr_db < 80 for layer in file.layers)


def test_the_card_says_which_runtime_is_too_old(everything: Bundle) -> None:
    needed = {file.precision: file.min_runtime for file in everything.files if file.format == "tflite"}

    assert (needed["dynamic"], needed["int16x8"]) == ("2.17.0", "2.3.0")
    assert max(needed["int8"], needed["float32"]) < "2"
    assert everything.file("onnx", "int8").min_runtime is None


def test_the_c_source_holds_the_int8_file(everything: Bundle) -> None:
    assert everything.card.export is not None
    header, source = everything.card.export.c_source
    text = everything.read(source).decode()
    listed = text[text.index("{") + 1 : text.index("}")].split(",")

    content = bytes(int(number, 16) for number in listed if number.strip())

    assert content == everything.read(everything.file("tflite", "int8").record)
    assert header.name == "standard_int8.h"


def test_a_c_source_needs_an_int8_tflite_file(trained: Path, tmp_path: Path) -> None:
    result = edge_mnist("export", trained, "--format", "onnx", "--int8", "--c-array", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "Leave out --float-only and --format onnx, or add --int8" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_a_format_does_not_have_is_refused(trained: Path, tmp_path: Path) -> None:
    result = edge_mnist("export", trained, "--format", "onnx", "--dynamic", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "--dynamic is not available for --format onnx" in result.stderr


def test_exporting_twice_gives_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Both in processes of their own, as the command runs: within one, Keras counts up the names of layers."""
    command = ("export", SHIPPED.parent / "nano", "--int8", *ONE_CALIBRATION)
    once = make_once(tmp_path_factory, *command)

    process = edge_mnist_process(*command, "--out", tmp_path / "again")

    assert process.returncode == 0, process.stderr
    assert _contents(tmp_path / "again") == _contents(once)


def test_extending_a_bundle_loses_none_of_its_files(exported: Bundle, tmp_path: Path) -> None:
    bundle = shutil.copytree(exported.path, tmp_path / "bundle")

    result = edge_mnist("export", bundle, "--float16", "--format", "onnx", "--max-drop", 2, *ONE_CALIBRATION)

    assert result.exit_code == 0
    there = {(file.format, file.precision) for file in open_bundle(bundle).files}
    assert there == {(file.format, file.precision) for file in exported.files} | {("onnx", "float16")}


def test_extending_keeps_c_source_and_the_kind_of_weights(
    exported: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = shutil.copytree(exported.path, tmp_path / "bundle")
    asked = ("--c-array", "--onnx-weights", "uint8", *ONE_CALIBRATION)
    assert edge_mnist(*EXPORT, bundle, *asked).exit_code == 0
    monkeypatch.chdir(bundle)

    kept = carry_over(ExportSettings(), Path())

    assert (kept.c_array, kept.onnx_weights) == (True, "uint8")
    precisions = {(one.format, one.precision) for one in choose_exporters(kept, Path())}
    assert precisions == {(file.format, file.precision) for file in exported.files}
    assert carry_over(ExportSettings(), tmp_path / "elsewhere") == ExportSettings()


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


def test_float_only_writes_no_int8_files(trained: Path, tmp_path: Path) -> None:
    result = edge_mnist("export", trained, "--float-only", "--out", tmp_path / "out")

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
