"""Models of other projects: any graph at the entrance, any function at the end; what cannot be made is named."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx as proto
import pytest
from keras import layers
from onnx import TensorProto

from edge_mnist.edge.bundle.contract import PRECISION_KEY, Convention
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.convention import check_convention
from edge_mnist.export.adoption.output_function import recognize_function
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.drafts import describe_draft
from edge_mnist.export.errors import ExportError
from edge_mnist.export.exporters import list_exporters
from edge_mnist.export.formats import float_operators, onnx, tflite
from edge_mnist.export.quantize.sweep import signal_to_noise_db
from tests.conftest import ONE_CALIBRATION, edge_mnist

# Of int8 files of untrained networks against Keras: a tenth of the signal is noise at 20 dB.
LEAST_SNR_DB = 15
INT8 = {exporter.format: exporter for exporter in list_exporters() if exporter.precision == "int8"}
CONVERT = {"tflite": tflite.convert_int8, "onnx": onnx.convert_int8}


pytestmark = pytest.mark.usefixtures("trusted_keras_files")


def _stack(*hidden: keras.Layer, shape: tuple[int, ...] = (28, 28, 1), end: object = "softmax") -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input(shape), *hidden, layers.Flatten(), layers.Dense(10, activation=end)])


def _conv(filters: int = 6, **options: object) -> keras.Layer:
    return layers.Conv2D(filters, 3, **({"strides": 2, "activation": "relu"} | options))


def _two_readers() -> keras.Model:
    pixels = keras.Input((28, 28, 1))
    x = layers.Concatenate()([_conv(3)(pixels), layers.Conv2D(3, 3, strides=2)(pixels)])
    return keras.Model(pixels, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def _skip_from_pixels() -> keras.Model:
    pixels = keras.Input((28, 28, 1))
    x = layers.Concatenate()([_conv(3, strides=1, padding="same")(pixels), pixels])
    return keras.Model(pixels, layers.Dense(10, activation="softmax")(layers.Flatten()(_conv(4)(x))))


def _normalized() -> keras.Model:
    return _stack(layers.Normalization(axis=None, mean=0.13, variance=0.09), _conv())


ENTRANCES = {
    "two readers": _two_readers,
    "skip": _skip_from_pixels,
    "normalization": _normalized,
    "max pooling": lambda: _stack(layers.MaxPooling2D(), _conv()),
    "average pooling": lambda: _stack(layers.AveragePooling2D(2), _conv()),
    "resizing": lambda: _stack(layers.Resizing(20, 20), _conv()),
    "conv1d": lambda: _stack(layers.Conv1D(6, 3), shape=(28, 28)),
    "784 numbers": lambda: _stack(layers.Dense(16, activation="relu"), shape=(784,)),
    "channels first": lambda: _stack(layers.Reshape((28, 28, 1)), _conv(), shape=(1, 28, 28)),
}


def _load(model: keras.Model, folder: Path, **convention: str) -> keras.Model:
    model.save(folder / "own.keras")
    return load_source(folder / "own.keras", Path("own.keras"), Convention(**({"pixels": "0-1"} | convention)))


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_raw_pixels_enter_an_int8_file_of_any_graph(
    tmp_path: Path, sample: mnist.Images, entrance: str, format_: str
) -> None:
    model = _load(ENTRANCES[entrance](), tmp_path, outputs="softmax")
    images = sample.pixels[11::250]

    content = CONVERT[format_](model, choose_calibration(sample).take(np.arange(50)))

    exporter = INT8[format_]
    content = exporter.tools.seal(content, {PRECISION_KEY: "int8"})
    file = describe_draft(exporter, content)
    assert (file.input.dtype, file.input.shape) == ("uint8", (-1, 28, 28, 1))
    found = load_file(RUNTIMES[exporter.tools.runtime], content, file).logits(images)
    assert signal_to_noise_db(model.predict(images, verbose=0), found) >= LEAST_SNR_DB


def _behind_a_model() -> keras.Model:
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1.0), _stack(_conv())])


def _as_an_operation(name: str) -> keras.Model:
    model = _stack(_conv(), end=None)
    return keras.Model(model.inputs, getattr(keras.ops, name)(model.outputs[0]))


def _twice() -> keras.Model:
    model = _stack(_conv())
    return keras.Model(model.inputs, layers.Softmax()(model.outputs[0]))


def _before_a_dropout() -> keras.Model:
    model = _stack(_conv())
    return keras.Model(model.inputs, layers.Dropout(0.5)(model.outputs[0]))


@pytest.mark.parametrize(
    ("build", "function"),
    [
        (_behind_a_model, "softmax"),
        (lambda: _as_an_operation("softmax"), "softmax"),
        (lambda: _as_an_operation("log_softmax"), "log-softmax"),
        (lambda: _stack(_conv(), end="log_softmax"), "log-softmax"),
        (lambda: _stack(_conv(), end="sigmoid"), "sigmoid"),
        (_twice, "softmax"),
        (_before_a_dropout, "softmax"),
    ],
    ids=["in a model", "operation", "log operation", "log-softmax", "sigmoid", "twice", "dropout behind"],
)
def test_the_function_at_the_end_is_found_and_taken_off(
    tmp_path: Path, sample: mnist.Images, build: Callable[[], keras.Model], function: str
) -> None:
    own = build()
    images = sample.pixels[::250]
    values = own.predict(images / 255, verbose=0)

    with pytest.raises(ExportError, match=f"Pass --outputs {function}"):
        _load(own, tmp_path)
    logits = _load(own, tmp_path, outputs=function).predict(images, verbose=0)

    assert recognize_function(values) == function
    assert recognize_function(logits) is None
    assert (logits.argmax(axis=1) == values.argmax(axis=1)).all()
    assert logits.std() > 10 * values.std() or function != "softmax"


class _Probabilities(layers.Layer):
    """Computes probabilities in a way that no graph shows."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        e = keras.ops.exp(x)
        return e / keras.ops.sum(e, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[0.2] * 4 + [0.2 / 6] * 6, [0.1] * 10], "softmax"),
        (np.log([[0.2] * 4 + [0.2 / 6] * 6, [0.1] * 10]), "log-softmax"),
        ([[0.9] * 10, [0.2] * 10], "sigmoid"),
        ([[np.nan] * 10, [0.1] * 10], "not finite"),
        ([[3.0] * 10, [3.0] * 10], "constant"),
        ([[3.0, -4.0] * 5, [1.0, 2.0] * 5], None),
    ],
)
def test_numbers_show_what_outputs_are(values: object, kind: str | None) -> None:
    assert recognize_function(np.array(values, np.float32)) == kind


def test_probabilities_that_no_graph_shows_are_refused(sample: mnist.Images) -> None:
    model = _stack(_conv(), end=None)
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    units = layers.Rescaling(1 / 255, name="pixels_to_unit")(pixels)
    hidden = keras.Model(pixels, _Probabilities()(model(units)))

    with pytest.raises(ExportError, match=r"own\.keras: expected logits.*they sum to 1.*Pass --outputs softmax"):
        check_convention(hidden, Convention(pixels="0-1"), sample.take(np.arange(0, 5000, 10)), "own.keras")


@pytest.fixture(scope="module")
def on_units(sample: mnist.Images) -> keras.Model:
    """A network without batch norm that learned pixels in [0, 1]: in other ranges it reads nearly as many."""
    model = _stack(layers.MaxPooling2D(4), layers.Flatten(), layers.Dense(24, activation="relu", use_bias=False))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(sample.pixels[::2] / 255, sample.labels[::2].astype(int), epochs=6, verbose=0)
    return model


def test_logits_of_another_scale_than_training_saw_are_refused(
    on_units: keras.Model, tmp_path: Path, sample: mnist.Images
) -> None:
    images = sample.take(np.arange(0, 5000, 10))

    check_convention(_load(on_units, tmp_path, outputs="softmax"), Convention(pixels="0-1"), images, "own.keras")
    wrong = _load(on_units, tmp_path, pixels="0-255", outputs="softmax")
    with pytest.raises(ExportError, match=r"as 0-255, but its logits are implausibly large.*Pass --pixels 0-1"):
        check_convention(wrong, Convention(pixels="0-255"), images, "own.keras")


def test_pixels_up_to_255_pass_where_training_saw_them(tmp_path: Path, sample: mnist.Images) -> None:
    model = _stack(layers.MaxPooling2D(4), layers.Flatten(), layers.Dense(24, activation="relu"))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(sample.pixels[::2].astype(np.float32), sample.labels[::2].astype(int), epochs=6, verbose=0)

    adopted = _load(model, tmp_path, pixels="0-255", outputs="softmax")

    check_convention(
        adopted, Convention(pixels="0-255"), sample.take(np.arange(0, 5000, 10)), "own.keras"
    )  # raises nothing


def test_weights_that_are_no_numbers_are_said(tmp_path: Path, sample: mnist.Images) -> None:
    model = _stack(_conv())
    kernel, bias = model.layers[-1].get_weights()
    kernel[0, 0] = np.nan
    model.layers[-1].set_weights([kernel, bias])

    with pytest.raises(ExportError, match=r"expected finite logits, got NaN or infinity for 500 of 500 digits"):
        check_convention(
            _load(model, tmp_path, outputs="softmax"),
            Convention(pixels="0-1", outputs="softmax"),
            sample.take(np.arange(0, 5000, 10)),
            "own.keras",
        )


def test_a_model_trained_in_half_precision_is_exported_in_float32(tmp_path: Path, sample: mnist.Images) -> None:
    own = _stack(_conv(dtype="mixed_float16"))

    adopted = _load(own, tmp_path, outputs="softmax")

    assert {layer.compute_dtype for layer in adopted.layers[1:]} == {"float32"}
    expected = own.predict(sample.pixels[::500] / 255, verbose=0)
    probabilities = np.asarray(keras.ops.softmax(adopted.predict(sample.pixels[::500], verbose=0)))
    assert probabilities == pytest.approx(expected, abs=2e-3)


def test_operators_that_compute_in_float_are_named(tmp_path: Path, sample: mnist.Images) -> None:
    calibration = choose_calibration(sample).take(np.arange(20))
    model = _load(_stack(_conv(activation="elu")), tmp_path, outputs="softmax")
    whole = _load(_stack(_conv()), tmp_path, outputs="softmax")

    assert float_operators.in_tflite(tflite.convert_int8(model, calibration)) == ("ELU",)
    assert float_operators.in_onnx(onnx.convert_int8(model, calibration)) == ("Elu",)
    assert float_operators.in_tflite(tflite.convert_int8(whole, calibration)) == ()
    assert float_operators.in_onnx(onnx.convert_int8(whole, calibration)) == ()


def _shared() -> keras.Model:
    pixels, twice = keras.Input((28, 28, 1)), _conv(6, strides=1, padding="same")
    x = twice(twice(_conv(6, padding="same")(pixels)))
    return keras.Model(pixels, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("build", "macs"),
    [
        (lambda: _stack(_stack(_conv(4), layers.MaxPooling2D(), end=None).layers[0]), 13 * 13 * 36 + 676 * 10),
        (_shared, 14 * 14 * (54 + 2 * 6 * 54) + 1176 * 10),
        (lambda: _stack(_conv(4), layers.Conv2DTranspose(2, 3, strides=2)), 13 * 13 * (36 + 9 * 4 * 2) + 1458 * 10),
        (lambda: _stack(layers.Dense(5), shape=(28, 28)), 28 * 28 * 5 + 140 * 10),
        (lambda: _stack(layers.TimeDistributed(layers.Dense(5)), shape=(28, 28)), 28 * 28 * 5 + 140 * 10),
        (lambda: _stack(layers.SeparableConv2D(4, 3)), 26 * 26 * (9 + 4) + 2704 * 10),
    ],
    ids=["nested", "shared", "transposed", "dense over rows", "wrapped", "separable"],
)
def test_multiply_adds_are_those_counted_by_hand(tmp_path: Path, build: Callable, macs: int) -> None:
    model = _load(build(), tmp_path, outputs="softmax")

    for convert in (tflite.convert_float32, onnx.convert_float32):
        counted = inspect_file(convert(model), "own").model
        assert (counted.macs, counted.not_counted) == (macs, ())


@pytest.mark.parametrize(
    ("layer", "gates"), [(layers.LSTM, 4), (layers.GRU, 3), (layers.SimpleRNN, 1)], ids=["LSTM", "GRU", "SimpleRNN"]
)
def test_multiply_adds_of_a_recurrent_layer_count_each_step(
    tmp_path: Path, layer: Callable[[int], keras.Layer], gates: int
) -> None:
    pixels = keras.Input((28, 28))
    own = keras.Model(pixels, layers.Dense(10)(layer(6)(pixels)))

    counted = inspect_file(onnx.convert_float32(_load(own, tmp_path)), "own").model

    assert (counted.macs, counted.not_counted) == (28 * gates * 6 * (28 + 6) + 60, ())


@pytest.mark.parametrize("batch", ["N", 1])
def test_multiply_adds_of_a_loop_count_each_of_its_turns(batch: str | int) -> None:
    proto = _looping(batch, turns=28)
    endless = _looping(batch, turns=2**62)

    counted, uncountable = (inspect_file(one.SerializeToString(), "loop").model for one in (proto, endless))

    assert (counted.macs, counted.not_counted) == (28 * 6 * 6, ())
    assert (uncountable.macs, uncountable.not_counted) == (0, ("1 x Loop",))


def _looping(batch: str | int, turns: int) -> proto.ModelProto:
    """A state of six numbers that is multiplied with the same weights in each turn, as converters write a GRU."""
    make, value = proto.helper.make_node, proto.helper.make_tensor_value_info
    flag, state = value("on", TensorProto.BOOL, []), value("state", TensorProto.FLOAT, ["n", 6])
    body = proto.helper.make_graph(
        [make("Identity", ["on"], ["still_on"]), make("MatMul", ["state", "weights"], ["next"])],
        "body",
        [value("turn", TensorProto.INT64, []), flag, state],
        [value("still_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, ["n", 6])],
    )
    graph = proto.helper.make_graph(
        [make("Loop", ["turns", "yes", "pixels"], ["logits"], body=body)],
        "loop",
        [value("pixels", TensorProto.FLOAT, [batch, 6])],
        [value("logits", TensorProto.FLOAT, [batch, 6])],
        [
            proto.numpy_helper.from_array(np.ones((6, 6), np.float32), "weights"),
            proto.numpy_helper.from_array(np.array(turns, np.int64), "turns"),
            proto.numpy_helper.from_array(np.array(True), "yes"),
        ],
    )
    return proto.helper.make_model(graph, opset_imports=[proto.helper.make_opsetid("", 17)], ir_version=8)


def test_a_file_that_cannot_be_made_leaves_the_others(tmp_path: Path) -> None:
    _stack(_conv(activation="gelu")).save(tmp_path / "own.keras")
    asked = (tmp_path / "own.keras", "--pixels", "0-1", "--outputs", "softmax", "--max-drop", 100)

    both = edge_mnist("export", *asked, "--float-only", "--out", tmp_path / "both")
    named = edge_mnist("export", *asked, "--float-only", "--format", "onnx", "--out", tmp_path / "named")

    bundle = open_bundle(tmp_path / "both")
    assert both.exit_code == 0, both.output
    assert [file.record.name for file in bundle.files] == ["own-float32.tflite"]
    assert bundle.export.missing
    assert [one.name for one in bundle.export.missing] == ["own-float32.onnx"]
    assert "Warning: own-float32.onnx could not be made: " in both.stderr
    assert "near chance" in both.stderr
    assert named.exit_code == 1
    assert "no file can be made from this model. own-float32.onnx: " in named.stderr
    assert not (tmp_path / "named").exists()


def test_a_lone_keras_file_is_quantized_and_keeps_the_int8_files_of_the_folder(trained: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.keras"
    own.write_bytes((trained / "model.keras").read_bytes())
    asked = (own, "--format", "tflite", "--max-drop", 2, *ONE_CALIBRATION, "--out", tmp_path / "out")

    first = edge_mnist("export", *asked)
    second = edge_mnist("export", *asked, "--float-only")

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    precisions = [file.precision for file in open_bundle(tmp_path / "out").files]
    assert precisions == ["float32", "int8"]
    assert edge_mnist("export", own, "--float-only", "--int8").exit_code == 2
