"""Rounding: weights lie on the converters' grid, errors cancel within a layer, and converters keep them."""

from collections.abc import Callable

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import numpy_helper

from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats import onnx as onnx_format
from edge_mnist.export.formats import tflite
from edge_mnist.export.formats.tflite_edits import unpack
from edge_mnist.export.quantize.rounding import MOST_INPUTS, input_moments, round_columns, round_weights
from tests.builders.networks import FLOAT_TOLERANCE, chain, numbered, relative_error, weight_nodes, weight_tensors


@pytest.fixture(scope="module")
def calibration(sample: mnist.Images) -> mnist.Images:
    return choose_calibration(sample).take(np.arange(50))


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
    model = numbered(keras.Model(inputs, built(inputs)))
    values = np.random.default_rng(1).normal(size=(4, *inputs.shape[1:])).astype(np.float32)

    moments = input_moments(model, values)[built.name]

    outputs = model.predict(values, verbose=0).reshape(-1, 3)
    kernel = built.get_weights()[0].reshape(-1, 3)
    assert relative_error(kernel.T @ moments @ kernel, outputs.T @ outputs) < FLOAT_TOLERANCE


def test_layers_that_cannot_be_rounded_stay_as_they_are() -> None:
    inputs = keras.Input((12, 12, 4))
    x = layers.Conv2D(4, 3, groups=2)(inputs)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.Conv2DTranspose(4, 3)(x)
    x = layers.Dense(5)(layers.Reshape((100, 4))(x))
    model = numbered(keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x))))
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
    return chain(
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


def _tflite_weights(content: bytes) -> list[np.ndarray]:
    """What the file's 8-bit weights stand for, inputs x outputs, in the order of the network."""
    model = unpack(content)
    weights = []
    for tensor in weight_tensors(model):
        steps = model.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape[0], -1)
        weights.append((steps * tensor.quantization.scale[:, None]).T)
    return weights


def _onnx_weights(content: bytes) -> list[np.ndarray]:
    graph = onnx.load_from_string(content).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    weights = []
    for node in weight_nodes(graph):
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
