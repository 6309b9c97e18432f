"""Quantization's own parts: equal channels, errors that cancel, a fair choice, and noise found where it begins."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import numpy_helper

from edge_mnist.edge import mnist
from edge_mnist.edge.card import SCALING_LAYER, Trial
from edge_mnist.export import onnx as onnx_format
from edge_mnist.export import tflite
from edge_mnist.export.calibrate import choose_calibration
from edge_mnist.export.equalize import LEAST_SHARE, Pair, equalize, find_pairs
from edge_mnist.export.noise import name_layers, onnx_noise, tflite_noise
from edge_mnist.export.rounding import MOST_INPUTS, input_moments, round_columns, round_weights
from edge_mnist.export.sweep import AS_TRAINED, REFINED, Quantizer, Weights, quantize, signal_to_noise_db
from edge_mnist.export.tflite_graph import pack, unpack
from edge_mnist.export.verify import Reference
from edge_mnist.train.zoo import ZOO

# Another order of additions in float32, relative to the largest number.
FLOAT_TOLERANCE = 1e-5
# Layers of a sound int8 file stay well above, what comes behind a layer with wrong weights well below.
SOUND_DB, DAMAGED_DB = 20, 6


# Channels of a batch norm reach from a tenth of the usual to ten times it: there is something to equalize.
DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "kernel": lambda rng, shape: rng.normal(0, 0.3, shape),
    "gamma": lambda rng, shape: 10 ** rng.uniform(-1, 1, shape),
    "beta": lambda rng, shape: rng.normal(0, 1, shape),
    "moving_mean": lambda rng, shape: rng.normal(0, 1, shape),
    "moving_variance": lambda rng, shape: rng.uniform(0.5, 2, shape),
}


def _numbered(model: keras.Model) -> keras.Model:
    """The same with weights, and batch norm's statistics, that are the same each time and none of them trivial."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        for weights in layer.weights:
            weights.assign(DISTRIBUTIONS.get(weights.name, DISTRIBUTIONS["kernel"])(rng, weights.shape))
    return model


def _chain(*hidden: keras.Layer) -> keras.Model:
    """Raw pixels, scaled, through these layers, to ten logits."""
    pixels = x = keras.Input((28, 28, 1), dtype="uint8")
    for layer in (layers.Rescaling(1 / 255, name=SCALING_LAYER), *hidden, layers.Dense(10, name="logits")):
        x = layer(x)
    return _numbered(keras.Model(pixels, x))


def _with_batch_norm() -> keras.Model:
    return _chain(
        layers.Conv2D(6, 3, strides=2, use_bias=False, name="first"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
    )


def _without_batch_norm() -> keras.Model:
    return _chain(
        layers.Conv2D(6, 3, strides=2, activation="relu", name="first"),
        layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="second"),
        layers.Dropout(0.5),
        layers.GlobalAveragePooling2D(),
    )


def _standard() -> keras.Model:
    return _numbered(ZOO["standard"].build())


NETWORKS = [
    pytest.param(_with_batch_norm, 1, id="batch norm, pooling, flatten"),
    pytest.param(_without_batch_norm, 2, id="activation within"),
    pytest.param(_standard, 5, id="standard"),
]


def _relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _reach(model: keras.Model, pair: Pair, pixels: np.ndarray) -> np.ndarray:
    """How far each channel of the pair's activation goes, [C]."""
    values = keras.Model(model.inputs, pair.activation).predict(pixels, verbose=0)
    return np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)


@pytest.fixture(scope="module")
def pixels(sample: mnist.Images) -> np.ndarray:
    return sample.pixels[::100]


@pytest.fixture(scope="module")
def calibration(sample: mnist.Images) -> mnist.Images:
    return choose_calibration(sample).take(np.arange(50))


@pytest.mark.parametrize(("build", "pairs"), NETWORKS)
def test_equalizing_changes_nothing_that_the_model_computes(
    build: Callable[[], keras.Model], pairs: int, pixels: np.ndarray
) -> None:
    model = build()
    weights, logits = model.get_weights(), model.predict(pixels, verbose=0)

    count = equalize(model, pixels)

    assert count == pairs
    assert any(_relative_error(now, before) > 0.1 for now, before in zip(model.get_weights(), weights, strict=True))
    assert _relative_error(model.predict(pixels, verbose=0), logits) < FLOAT_TOLERANCE


@pytest.mark.parametrize(("build", "pairs"), NETWORKS)
def test_equalized_channels_reach_equally_far(build: Callable[[], keras.Model], pairs: int, pixels: np.ndarray) -> None:
    model = build()
    before = [_reach(model, pair, pixels) for pair in find_pairs(model)]

    equalize(model, pixels)

    for pair, reach in zip(find_pairs(model), before, strict=True):
        live = reach > LEAST_SHARE * reach.max()
        equalized = _reach(model, pair, pixels)[live]
        assert live.sum() >= pairs
        assert np.ptp(reach[live]) > 0.5 * reach.max()
        assert equalized.max() / equalized.min() < 1 + FLOAT_TOLERANCE


def test_a_flattened_channel_has_its_factor_at_every_position(pixels: np.ndarray) -> None:
    model = _with_batch_norm()
    dense, norm = model.get_layer("logits"), model.get_layer("norm")
    kernel, gamma = dense.get_weights()[0], norm.get_weights()[0]

    equalize(model, pixels)

    factors = gamma / norm.get_weights()[0]
    per_position = (dense.get_weights()[0] / kernel).reshape(-1, len(factors), 10)
    assert per_position.shape[0] == 6 * 6
    assert np.ptp(factors) > 0.5
    assert per_position == pytest.approx(np.broadcast_to(factors[:, None], per_position.shape), rel=FLOAT_TOLERANCE)


@pytest.mark.parametrize("dead", [[2], [0, 1, 2, 3, 4, 5]], ids=["one", "all"])
def test_dead_channels_make_no_absurd_weights(dead: list[int], pixels: np.ndarray) -> None:
    model = _without_batch_norm()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., dead], bias[dead] = 0, -1
    model.get_layer("first").set_weights([kernel, bias])
    logits = model.predict(pixels, verbose=0)

    equalize(model, pixels)

    largest = max(float(np.abs(weights).max()) for weights in model.get_weights())
    assert largest < 1 / LEAST_SHARE
    assert _relative_error(model.predict(pixels, verbose=0), logits) < FLOAT_TOLERANCE


def _pairs(model: keras.Model) -> list[tuple[str, str]]:
    return [(pair.producer.name, pair.consumer.name) for pair in find_pairs(model)]


def _norm(**options: object) -> keras.Layer:
    return layers.BatchNormalization(name="norm", **options)


@pytest.mark.parametrize(
    ("between", "producer"),
    [
        ([], "first"),
        ([layers.ReLU], "first"),
        ([lambda: layers.LeakyReLU(0.1)], "first"),
        ([lambda: layers.Activation("relu")], "first"),
        ([_norm, layers.ReLU, layers.MaxPooling2D, lambda: layers.Dropout(0.2), layers.ZeroPadding2D], "norm"),
        ([lambda: layers.ReLU(6.0)], None),
        ([lambda: layers.ReLU(threshold=0.5)], None),
        ([lambda: layers.Activation("softmax")], None),
        ([lambda: layers.Activation("gelu")], None),
        ([lambda: layers.Activation("tanh")], None),
        ([lambda: layers.DepthwiseConv2D(3)], None),
        ([layers.LayerNormalization], None),
        ([lambda: _norm(scale=False), layers.ReLU], None),
        ([lambda: _norm(center=False), layers.ReLU], None),
        ([lambda: layers.MaxPooling2D(data_format="channels_first")], None),
    ],
    ids=["nothing", "ReLU", "LeakyReLU", "Activation", "many", "ReLU6", "threshold", "softmax", "gelu", "tanh",
         "depthwise", "layer norm", "no scale", "no center", "other axis"],
)  # fmt: skip
def test_factors_pass_only_what_is_homogeneous(
    between: Iterable[Callable[[], keras.Layer]], producer: str | None
) -> None:
    model = _chain(
        layers.Conv2D(4, 3, name="first"),
        *(make() for make in between),
        layers.Conv2D(4, 1, activation="tanh", name="second"),
        layers.Flatten(),
    )

    assert _pairs(model) == ([(producer, "second")] if producer else [])


def test_channels_are_measured_behind_the_activation_and_before_pooling() -> None:
    model = _with_batch_norm()

    (pair,) = find_pairs(model)

    (activation,) = (layer for layer in model.layers if isinstance(layer, layers.ReLU))
    assert pair.activation is activation.output


@pytest.mark.parametrize("activation", ["relu6", "softmax", "gelu", "tanh", "sigmoid"])
def test_a_layer_with_another_activation_cannot_be_scaled(activation: str) -> None:
    model = _chain(layers.Conv2D(4, 3, activation=activation), layers.Flatten())

    assert _pairs(model) == []


def _residual(x: Any) -> Any:
    return layers.Add()([x, layers.Conv2D(4, 3, padding="same", activation="tanh")(x)])


def _residual_by_operator(x: Any) -> Any:
    return x + layers.Conv2D(4, 3, padding="same", activation="tanh")(x)


def _read_twice(x: Any) -> Any:
    return layers.Concatenate()([layers.Conv2D(4, 3, activation="tanh")(x) for _ in range(2)])


def _read_by_a_model_within(x: Any) -> Any:
    inner_input = keras.Input(x.shape[1:])
    inner = keras.Model(inner_input, layers.Activation("tanh")(inner_input))
    return layers.Concatenate()([inner(x), layers.Conv2D(4, 3, padding="same", activation="tanh")(x)])


def _layer_called_twice(x: Any) -> Any:
    layer = layers.Conv2D(4, 3, padding="same", activation="relu")
    return layers.Activation("tanh")(layer(layer(x)))


def _norm_called_twice(x: Any) -> Any:
    norm = layers.BatchNormalization()
    return norm(layers.Conv2D(4, 3, activation="tanh")(norm(x)))


def _relu_called_twice(x: Any) -> Any:
    relu = layers.ReLU()
    return layers.Activation("tanh")(layers.Conv2D(8, 3)(relu(layers.Conv2D(5, 3)(relu(x)))))


FORKS = [
    _residual,
    _residual_by_operator,
    _read_twice,
    _read_by_a_model_within,
    _layer_called_twice,
    _norm_called_twice,
    _relu_called_twice,
]


@pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.__name__.strip("_"))
def test_what_is_read_or_called_twice_is_left_alone(fork: Callable[[Any], Any], pixels: np.ndarray) -> None:
    inputs = keras.Input((28, 28, 1))
    x = fork(layers.Conv2D(4, 3, activation="relu")(inputs))
    model = _numbered(keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))))
    weights, images = model.get_weights(), pixels / np.float32(255)

    count = equalize(model, images)

    assert count == 0
    assert all(np.array_equal(now, before) for now, before in zip(model.get_weights(), weights, strict=True))


def test_an_output_of_the_model_is_never_scaled() -> None:
    inputs = keras.Input((28, 28, 1))
    features = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    logits = layers.Dense(10)(layers.Flatten()(features))

    assert len(_pairs(keras.Model(inputs, logits))) == 1
    assert _pairs(keras.Model(inputs, [logits, features])) == []


def _correlated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights [count, 16], and second moments of inputs that hang together as neighbouring pixels do."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(500, count)) @ rng.normal(size=(count, count)) * rng.uniform(0.2, 2, count)
    return rng.normal(size=(count, 16)).astype(np.float32), (inputs.T @ inputs).astype(np.float32)


def _to_nearest(weights: np.ndarray, levels: int) -> np.ndarray:
    scales = np.abs(weights).max(axis=0) / levels
    return np.rint(weights / scales) * scales


def _output_error(rounded: np.ndarray, weights: np.ndarray, moments: np.ndarray) -> float:
    """Sum of squared differences of all outputs on the inputs behind the moments."""
    change = rounded.astype(np.float64) - weights
    return float(np.einsum("io,ij,jo->", change, moments.astype(np.float64), change))


@pytest.mark.parametrize("levels", [127, 64, 7])
def test_rounded_columns_lie_on_their_grids(levels: int) -> None:
    weights, moments = _correlated(40, seed=1)
    scales = np.abs(weights).max(axis=0).astype(np.float64) / levels

    rounded = round_columns(weights, moments, levels)

    steps = rounded / scales
    assert steps == pytest.approx(np.rint(steps), abs=1e-4)
    assert np.abs(np.rint(steps)).max(axis=0).tolist() == [levels] * 16
    assert np.abs(rounded - weights).max() > 0


def test_the_largest_weight_of_a_column_stays() -> None:
    weights, moments = _correlated(40, seed=2)
    largest = np.abs(weights).argmax(axis=0), np.arange(16)

    rounded = round_columns(weights, moments, 64)

    assert rounded.dtype == np.float32
    assert (rounded[largest] == weights[largest]).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [127, 64])
def test_errors_cancel_better_than_by_rounding_to_the_nearest(seed: int, levels: int) -> None:
    weights, moments = _correlated(60, seed)

    rounded = round_columns(weights, moments, levels)

    error, nearest = (_output_error(one, weights, moments) for one in (rounded, _to_nearest(weights, levels)))
    assert error < 0.7 * nearest


def test_without_moments_rounding_is_to_the_nearest() -> None:
    weights, _ = _correlated(20, seed=3)

    rounded = round_columns(weights, np.zeros((20, 20), np.float32), 127)

    assert rounded == pytest.approx(_to_nearest(weights, 127), rel=1e-6)


def test_a_column_of_zeros_stays_zero() -> None:
    weights, moments = _correlated(20, seed=4)
    weights[:, 5] = 0

    rounded = round_columns(weights, moments, 127)

    assert np.isfinite(rounded).all()
    assert (rounded[:, 5] == 0).all()


def test_a_single_input_keeps_its_weights() -> None:
    weights = np.array([[0.3, -2.0, 0.0]], np.float32)

    assert (round_columns(weights, np.array([[4.0]], np.float32), 127) == weights).all()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(3, 3, use_bias=False),
        lambda: layers.Conv2D(3, (2, 5), use_bias=False),
        lambda: layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False),
        lambda: layers.Conv2D(3, 4, strides=(3, 2), use_bias=False),
        lambda: layers.Conv2D(3, 3, dilation_rate=2, padding="same", use_bias=False),
        lambda: layers.Dense(3, use_bias=False),
    ],
    ids=["valid", "oblong", "strided, padded", "strided both ways", "dilated", "dense"],
)
def test_moments_are_those_of_what_the_kernel_reads(layer: Callable[[], keras.Layer]) -> None:
    """Only inputs in the kernel's own order give the moments of the layer's outputs."""
    built = layer()
    inputs = keras.Input((11, 13, 2) if isinstance(built, layers.Conv2D) else (40,))
    model = _numbered(keras.Model(inputs, built(inputs)))
    values = np.random.default_rng(1).normal(size=(4, *inputs.shape[1:])).astype(np.float32)

    moments = input_moments(model, values)[built.name]

    outputs = model.predict(values, verbose=0).reshape(-1, 3)
    kernel = built.get_weights()[0].reshape(-1, 3)
    assert _relative_error(kernel.T @ moments @ kernel, outputs.T @ outputs) < FLOAT_TOLERANCE


def test_layers_that_cannot_be_rounded_stay_as_they_are() -> None:
    inputs = keras.Input((12, 12, 4))
    x = layers.Conv2D(4, 3, groups=2)(inputs)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.Conv2DTranspose(4, 3)(x)
    x = layers.Dense(5)(layers.Reshape((100, 4))(x))
    model = _numbered(keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x))))
    before = model.get_weights()

    moments = input_moments(model, np.random.default_rng(1).normal(size=(8, 12, 12, 4)).astype(np.float32))
    round_weights(model, moments, 127)

    changed = [not np.array_equal(now, old) for now, old in zip(model.get_weights(), before, strict=True)]
    assert list(moments) == ["logits"]
    assert [weights.path for weights, is_new in zip(model.weights, changed, strict=True) if is_new] == ["logits/kernel"]


def test_a_layer_that_would_take_all_memory_is_left_alone() -> None:
    """A flattened layer of 26x26x32, as first attempts have it, would take 24 GB."""
    inputs = keras.Input((MOST_INPUTS + 1,))
    x = layers.Dense(4, name="large")(inputs)
    model = keras.Model(inputs, layers.Dense(4, name="small")(x))

    assert list(input_moments(model, np.ones((2, MOST_INPUTS + 1), np.float32))) == ["small"]


def test_a_model_without_such_layers_has_no_moments() -> None:
    inputs = keras.Input((28, 28, 1))
    model = keras.Model(inputs, layers.DepthwiseConv2D(3)(inputs))

    assert input_moments(model, np.zeros((2, 28, 28, 1), np.float32)) == {}


def _for_converters() -> keras.Model:
    """Kernels of unlike shapes, so that a file's weights can be told apart by theirs."""
    return _chain(
        layers.Conv2D(6, 3, strides=2, use_bias=False, name="first"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.Conv2D(5, 3, strides=2, activation="relu", name="second"),
        layers.GlobalAveragePooling2D(),
    )


def _folded(model: keras.Model) -> list[np.ndarray]:
    """The kernels, inputs x outputs, with the batch norm behind the first multiplied in."""
    norm = model.get_layer("norm")
    gamma, _, _, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    kernels = [model.get_layer(name).get_weights()[0] for name in ("first", "second", "logits")]
    return [kernel.reshape(-1, kernel.shape[-1]) for kernel in (kernels[0] * scale, *kernels[1:])]


def _weight_tensors(model: Any) -> list[Any]:
    """A TFLite file's 8-bit weights, in the order of the network."""
    graph = model.subgraphs[0]
    return [graph.tensors[operator.inputs[1]] for operator in graph.operators if len(operator.inputs) == 3]


def _tflite_weights(content: bytes) -> list[np.ndarray]:
    """What the file's 8-bit weights stand for, inputs x outputs, in the order of the network."""
    model = unpack(content)
    weights = []
    for tensor in _weight_tensors(model):
        steps = model.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape[0], -1)
        weights.append((steps * tensor.quantization.scale[:, None]).T)
    return weights


def _weight_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """What dequantizes an ONNX file's weights, in the order of the network."""
    producers = {name: node for node in graph.node for name in node.output}
    return [producers[node.input[1]] for node in graph.node if node.op_type in {"Conv", "MatMul", "Gemm"}]


def _onnx_weights(content: bytes) -> list[np.ndarray]:
    graph = onnx.load_from_string(content).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    weights = []
    for node in _weight_nodes(graph):
        steps, scales = constants[node.input[0]], constants[node.input[1]]
        in_kernels_order = steps.transpose(2, 3, 1, 0) if steps.ndim == 4 else steps
        weights.append(in_kernels_order.reshape(-1, len(scales)) * scales)
    return weights


CONVERTERS = [
    pytest.param(tflite.convert_int8, _tflite_weights, 127, id="tflite"),
    pytest.param(onnx_format.convert_int8, _onnx_weights, 64, id="onnx"),
]
Convert = Callable[[keras.Model, mnist.Images], bytes]


@pytest.mark.parametrize(("convert", "read", "levels"), CONVERTERS)
def test_converters_keep_rounded_weights(
    convert: Convert, read: Callable[[bytes], list[np.ndarray]], levels: int, calibration: mnist.Images
) -> None:
    model = _for_converters()
    before = _folded(model)
    round_weights(model, input_moments(model, calibration.pixels), levels)

    found = read(convert(model, calibration))

    for stored, rounded, trained in zip(found, _folded(model), before, strict=True):
        assert stored == pytest.approx(rounded, rel=1e-5, abs=1e-7)
        assert np.abs(rounded - _to_nearest(trained, levels)).max() > 1e-3


@pytest.mark.parametrize(("convert", "read", "levels"), CONVERTERS)
def test_converters_round_other_weights_to_the_nearest(
    convert: Convert, read: Callable[[bytes], list[np.ndarray]], levels: int, calibration: mnist.Images
) -> None:
    """The grid that rounding aims at is the converter's own."""
    model = _for_converters()

    found = read(convert(model, calibration))

    for stored, trained in zip(found, _folded(model), strict=True):
        half_a_step = np.abs(trained).max(axis=0) / levels / 2
        assert (np.abs(stored - trained) <= half_a_step * (1 + 1e-4)).all()


PLAIN_SIZE, SMALL_SIZE = 500, 100
METHODS = ("minmax", "percentile", "entropy")


@pytest.fixture(scope="module")
def weights(calibration: mnist.Images) -> Weights:
    return Weights(_chain(layers.Flatten()), calibration)


@pytest.fixture(scope="module")
def validation(sample: mnist.Images) -> Reference:
    """A hundred images, all read correctly, each by a hair."""
    images = sample.take(np.arange(0, 5_000, 50))
    logits = np.zeros((100, 10), np.float32)
    logits[np.arange(100), images.labels] = 1.0
    logits[np.arange(100), (images.labels + 1) % 10] = 0.99
    return Reference(images, logits)


def _fake_quantizer(model: keras.Model, **options: Any) -> Quantizer:
    """Its files are made of the way that they were made."""

    def convert(given: keras.Model, images: mnist.Images, method: str) -> bytes:
        return f"{AS_TRAINED if given is model else REFINED}, {method}, {len(images)}".encode()

    return Quantizer(convert, **{"methods": METHODS, "sizes": (PLAIN_SIZE, SMALL_SIZE)} | options)


def _quantize(
    weights: Weights, sample: mnist.Images, validation: Reference, errors: dict[str, float], **options: Any
) -> tuple[str, list[Trial], Any]:
    """Choose between ways whose logits are wrong by these shares, others by all."""
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED], **options)

    def classify(content: bytes, pixels: np.ndarray) -> np.ndarray:
        assert len(pixels) == min(len(validation.images), quantizer.most_validation)
        return validation.first(quantizer.most_validation).logits * (1 + errors.get(content.decode(), 1))

    content, record = quantize(quantizer, weights, choose_calibration(sample), validation, classify)
    return content.decode(), list(record.trials), record


@pytest.mark.parametrize(
    "best",
    [
        f"{AS_TRAINED}, minmax, 500",
        f"{REFINED}, minmax, 500",
        f"{AS_TRAINED}, entropy, 500",
        f"{AS_TRAINED}, minmax, 100",
    ],
)
def test_the_least_noisy_way_is_taken(weights: Weights, sample: mnist.Images, validation: Reference, best: str) -> None:
    content, trials, record = _quantize(weights, sample, validation, {f"{AS_TRAINED}, minmax, 500": 0.5, best: 0.1})

    assert content == best
    assert f"{record.chosen.weights}, {record.chosen.method}, {record.chosen.calibration_images}" == best
    assert record.chosen.snr_db == max(trial.snr_db for trial in trials) == 20


def test_choices_follow_each_other_with_the_best_so_far(
    weights: Weights, sample: mnist.Images, validation: Reference
) -> None:
    errors = {f"{REFINED}, minmax, 500": 0.5, f"{REFINED}, percentile, 500": 0.1, f"{REFINED}, percentile, 100": 0.2}

    content, trials, record = _quantize(weights, sample, validation, errors, weight_levels=64)

    assert [(trial.weights, trial.method, trial.calibration_images, trial.snr_db) for trial in trials] == [
        (AS_TRAINED, "minmax", 500, 0),
        (REFINED, "minmax", 500, 6.02),
        (REFINED, "percentile", 500, 20),
        (REFINED, "entropy", 500, 0),
        (REFINED, "percentile", 100, 13.98),
    ]
    assert content == f"{REFINED}, percentile, 500"
    assert [trial.correct for trial in trials] == [100] * 5
    assert (record.weight_levels, record.validation) == (64, validation.images.describe())


def test_of_equally_noisy_ways_the_plainest_is_taken(
    weights: Weights, sample: mnist.Images, validation: Reference
) -> None:
    content, _, _ = _quantize(weights, sample, validation, {})

    assert content == f"{AS_TRAINED}, minmax, 500"


def test_slow_files_are_tried_on_fewer_images(weights: Weights, sample: mnist.Images, validation: Reference) -> None:
    _, _, record = _quantize(weights, sample, validation, {}, most_validation=20)

    assert record.validation.count == 20
    assert record.validation.name == f"20 of {validation.images.name}"
    assert {trial.correct for trial in record.trials} == {20}


@pytest.mark.parametrize(("wrong", "chosen"), [(5, REFINED), (6, AS_TRAINED)], ids=["by chance", "significantly"])
def test_a_way_that_reads_significantly_fewer_is_out_however_little_noise_it_has(
    weights: Weights, calibration: mnist.Images, validation: Reference, wrong: int, chosen: str
) -> None:
    """Losing five of five that differ has p = 0.06, six of six p = 0.03."""
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED], methods=("minmax",), sizes=(PLAIN_SIZE,))
    nudged = validation.logits.copy()
    nudged[np.arange(wrong), (validation.images.labels[:wrong] + 1) % 10] = 1.01

    def classify(content: bytes, _: np.ndarray) -> np.ndarray:
        return 1.5 * validation.logits if content.decode().startswith(AS_TRAINED) else nudged

    _, record = quantize(quantizer, weights, calibration, validation, classify)

    plain, refined = record.trials
    assert record.chosen.weights == chosen
    assert refined.snr_db > plain.snr_db + 20
    assert (plain.correct, refined.correct) == (100, 100 - wrong)


def test_refining_leaves_the_model_as_trained(calibration: mnist.Images) -> None:
    model = _without_batch_norm()
    before, logits = model.get_weights(), model.predict(calibration.pixels, verbose=0)
    weights = Weights(model, calibration)

    models = weights.models(127)

    assert models[AS_TRAINED] is weights.before_rounding(AS_TRAINED) is model
    assert all(np.array_equal(now, old) for now, old in zip(model.get_weights(), before, strict=True))
    assert _relative_error(weights.before_rounding(REFINED).get_weights()[0], before[0]) > 0.1
    unrounded = weights.before_rounding(REFINED).predict(calibration.pixels, verbose=0)
    rounded = models[REFINED].predict(calibration.pixels, verbose=0)
    assert _relative_error(unrounded, logits) < FLOAT_TOLERANCE < 1e-4 < _relative_error(rounded, logits) < 0.05


@pytest.mark.parametrize(
    ("expected", "found", "snr_db"),
    [
        ([10.0, 0.0], [10.0, 1.0], 20),
        ([3.0, 4.0], [3.0, 6.5], 6.02),
        ([1.0, 0.0], [1.0, 10.0], -20),
        ([1.0, 2.0], [1.0, 2.0], 200),
        ([0.0, 0.0], [0.0, 0.0], 200),
        ([0.0, 0.0], [0.0, 1.0], 0),
        ([1.0, 2.0], [1.0, np.nan], -200),
        ([1.0, 2.0], [1.0, np.inf], -200),
        ([1e-38, 0.0], [0.0, 1e38], -200),
    ],
    ids=["ten", "two", "more noise", "equal", "both zero", "no signal", "NaN", "infinite", "nothing left"],
)
def test_decibels_of_known_noise(expected: list[float], found: list[float], snr_db: float) -> None:
    assert signal_to_noise_db(np.array(expected, np.float32), np.array(found, np.float32)) == snr_db


@pytest.mark.parametrize("count", [10, 20, 250, 4_999])
def test_the_first_images_of_a_reference_are_spread_over_the_labels(sample: mnist.Images, count: int) -> None:
    reference = Reference(sample, np.eye(10, dtype=np.float32)[sample.labels])

    first = reference.first(count)

    per_digit = np.bincount(first.images.labels, minlength=10)
    assert len(first.images) == len(set(first.images.indices)) == count
    assert np.ptp(per_digit) <= 1
    assert (first.logits.argmax(axis=1) == first.images.labels).all()


def test_a_reference_with_no_more_images_stays_itself(sample: mnist.Images) -> None:
    reference = Reference(sample, np.zeros((5_000, 10), np.float32))

    assert reference.first(5_000) is reference


KERAS_LAYERS = ["pixels", "pixels_to_unit", "conv2d", "batch_normalization", "conv2d_1", "re_lu", "logits"]


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        ([], []),
        (["StatefulPartitionedCall_1:0"], ["logits"]),
        (["net_1/conv2d/Relu", "net_1/conv2d_1/Relu", "out"], ["conv2d", "conv2d_1", "logits"]),
        (["net_1/conv2d_1/Relu;net_1/x", "net_1/conv2d_1_2/Relu;net_1/x", "o"], ["conv2d", "conv2d_1", "logits"]),
        (["net_1/conv2d_5/BiasAdd", "net_1/conv2d_5/Relu", "o"], ["conv2d", "conv2d", "logits"]),
        (["net_1/conv2d_1/Conv", "net_1/re_lu_1/Relu", "o"], ["conv2d", "re_lu", "logits"]),
        (["pixels_quantized", "net_1/conv2d_1/Relu", "o"], ["pixels_quantized", "conv2d", "logits"]),
        (["Relu;net_1/conv2d/Relu", "o"], ["Relu;net_1/conv2d/Relu", "logits"]),
        (["net_1/conv2dx/Relu", "net_1/pool/Max", "o"], ["net_1/conv2dx/Relu", "net_1/pool/Max", "logits"]),
    ],
    ids=["none", "only logits", "as in Keras", "counted up", "two of one layer", "activation apart", "no scope",
         "of others", "unknown"],
)  # fmt: skip
def test_tensors_are_called_by_their_layers(tensors: list[str], names: list[str]) -> None:
    assert name_layers(tensors, KERAS_LAYERS) == names


def test_layer_names_are_no_patterns() -> None:
    assert name_layers(["net/conv_1/Relu", "net/conv.1/Relu", "o"], ["conv.1"]) == [
        "net/conv_1/Relu",
        "conv.1",
        "logits",
    ]


def _damage_tflite(content: bytes, layer: int) -> bytes:
    """Turn the sign of a layer's weights around."""
    model = unpack(content)
    buffer = model.buffers[_weight_tensors(model)[layer].buffer]
    buffer.data = (-buffer.data.view(np.int8)).view(np.uint8)
    return pack(model)


def _damage_onnx(content: bytes, layer: int) -> bytes:
    model = onnx.load_from_string(content)
    (constant,) = (one for one in model.graph.initializer if one.name == _weight_nodes(model.graph)[layer].input[0])
    constant.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(constant), constant.name))
    return model.SerializeToString()


@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize(
    ("convert", "damage", "measure"),
    [
        pytest.param(tflite.convert_int8, _damage_tflite, tflite_noise, id="tflite"),
        pytest.param(onnx_format.convert_int8, _damage_onnx, onnx_noise, id="onnx"),
    ],
)
def test_noise_begins_where_the_weights_are_wrong(
    convert: Convert,
    damage: Callable[[bytes, int], bytes],
    measure: Callable,
    damaged: int,
    calibration: mnist.Images,
) -> None:
    model = _without_batch_norm()
    content = convert(model, calibration)

    sound = measure(model, content, calibration.pixels)
    found = measure(model, damage(content, damaged), calibration.pixels)

    names = [one.layer for one in found]
    first_noisy = next(i for i, one in enumerate(found) if one.snr_db < DAMAGED_DB)
    assert [name for name in names if name in {"first", "second", "logits"}] == ["first", "second", "logits"]
    assert min(one.snr_db for one in sound) > SOUND_DB
    assert names[first_noisy] == ("first", "second", "logits")[damaged]
    assert found[:first_noisy] == sound[:first_noisy]
