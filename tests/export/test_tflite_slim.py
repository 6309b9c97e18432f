"""Slim TFLite files: fewer operators and bytes, the same numbers, for any number of images."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import BuiltinOperator
from keras import layers

from edge_mnist.edge.data.images import Images
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats import tflite
from edge_mnist.export.formats.tflite_edits import slim, unpack
from tests.builders.networks import chain, numbered, weight_tensors

CONVERT: dict[str, Callable[[keras.Model, Images], bytes]] = {
    "float32": lambda model, _: tflite.convert_float32(model),
    "dynamic": lambda model, _: tflite.convert_dynamic(model),
    "int8": tflite.convert_int8,
    "int16x8": tflite.convert_int16x8,
}
# What the converter makes of the largest weight of a channel.
WEIGHT_LEVELS = 127
OPERATORS = {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}


@pytest.fixture(scope="module")
def calibration(sample: Images) -> Images:
    return choose_calibration(sample).take(np.arange(20))


def _flattened() -> keras.Model:
    return chain(layers.Conv2D(6, 3, strides=2, activation="relu"), layers.MaxPooling2D(), layers.Flatten())


def _averaged(padding: str = "valid") -> keras.Model:
    convolution = layers.Conv2D(6, 3, strides=2, activation="relu")
    return chain(convolution, layers.AveragePooling2D(3, strides=2, padding=padding, name="average"), layers.Flatten())


def _operators(content: bytes) -> list[str]:
    model: Any = unpack(content)
    return [OPERATORS[model.operatorCodes[one.opcodeIndex].builtinCode] for one in model.subgraphs[0].operators]


def _outputs(content: bytes, images: np.ndarray) -> np.ndarray:
    """All in one call."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


def _assert_same(content: bytes, slimmed: bytes) -> None:
    for count in (1, 7):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28, 1), np.uint8)
        assert np.array_equal(_outputs(slimmed, images), _outputs(content, images))


@pytest.mark.parametrize("precision", CONVERT)
def test_nothing_is_flattened_for_a_dense_operator(calibration: Images, precision: str) -> None:
    content = CONVERT[precision](_flattened(), calibration)

    slimmed = slim(content)

    assert {"SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"} < {*_operators(content)}
    assert [one for one in _operators(slimmed) if one not in {"CAST", "QUANTIZE", "DEQUANTIZE", "MUL"}] == [
        "CONV_2D",
        "MAX_POOL_2D",
        "FULLY_CONNECTED",
    ]
    _assert_same(content, slimmed)
    assert slim(slimmed) == slimmed


def test_no_tensor_kind_or_buffer_is_left_of_what_went(calibration: Images) -> None:
    model: Any = unpack(slim(tflite.convert_int8(_flattened(), calibration)))

    (graph,) = model.subgraphs
    read = [int(index) for one in graph.operators for index in (*one.inputs, *one.outputs)]
    assert {*read, *map(int, graph.inputs), *map(int, graph.outputs)} == {*range(len(graph.tensors))}
    assert {one.opcodeIndex for one in graph.operators} == {*range(len(model.operatorCodes))}
    assert {tensor.buffer for tensor in graph.tensors} | {entry.buffer for entry in model.metadata} == {
        *range(len(model.buffers))
    }
    (signature,) = model.signatureDefs
    assert [entry.tensorIndex for entry in signature.inputs] == [*graph.inputs]
    assert [entry.tensorIndex for entry in signature.outputs] == [*graph.outputs]


def test_what_others_read_is_still_reshaped() -> None:
    # Rows of numbers become a picture again, which a convolution reads: a shape is needed there.
    content = tflite.convert_float32(chain(layers.Reshape((14, 56, 1)), layers.Conv2D(4, 3), layers.Flatten()))

    slimmed = slim(content)

    assert _operators(content).count("RESHAPE") == 2
    assert [one for one in _operators(slimmed) if one in {"SHAPE", "RESHAPE"}] == ["SHAPE", "RESHAPE"]
    _assert_same(content, slimmed)


def test_a_flattened_picture_that_two_read_is_flattened_for_neither() -> None:
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(pixels))
    both = layers.Concatenate()([layers.Dense(4)(flat), layers.Dense(6)(flat)])
    content = tflite.convert_float32(numbered(keras.Model(pixels, both)))

    slimmed = slim(content)

    assert "RESHAPE" in _operators(content)
    assert "RESHAPE" not in _operators(slimmed)
    _assert_same(content, slimmed)


def test_int8_averages_are_convolutions_with_equal_and_exact_weights(calibration: Images) -> None:
    content = tflite.convert_int8(_averaged(), calibration)

    assert "DEPTHWISE_CONV_2D" in _operators(content)
    assert "AVERAGE_POOL_2D" not in _operators(content)
    model: Any = unpack(content)
    average = weight_tensors(model)[1]
    weights = np.frombuffer(bytes(model.buffers[average.buffer].data), np.int8)
    assert len(weights) == 3 * 3 * 6
    assert {*weights} == {WEIGHT_LEVELS}
    assert np.allclose(average.quantization.scale * WEIGHT_LEVELS, 1 / 9)


def test_averages_that_a_border_makes_smaller_stay_averages(calibration: Images) -> None:
    content = tflite.convert_int8(_averaged(padding="same"), calibration)

    assert "AVERAGE_POOL_2D" in _operators(content)
    assert "DEPTHWISE_CONV_2D" not in _operators(content)


def test_int8_averages_lose_no_more_as_convolutions(
    calibration: Images, sample: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = sample.pixels[:200]
    expected = _outputs(tflite.convert_float32(_averaged()), pixels)

    def measure_noise() -> float:
        content = tflite.convert_int8(_averaged(), calibration)
        _, logits = tflite.describe_tensors(content)
        assert logits.scale is not None
        assert logits.zero_point is not None
        found = (_outputs(content, pixels).astype(np.float32) - logits.zero_point) * logits.scale
        return float(np.std(found - expected))

    as_convolutions = measure_noise()
    monkeypatch.setattr(tflite, "_is_plain_average", lambda _layer: False)

    assert 0 < as_convolutions < 1.05 * measure_noise()
