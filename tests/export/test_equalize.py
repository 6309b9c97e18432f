"""Equalizing: the model computes the same, its channels reach equally far, and what cannot be scaled is left alone."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.quantize.equalize import LEAST_SHARE, Pair, equalize, find_pairs
from tests.builders.networks import (
    FLOAT_TOLERANCE,
    NETWORKS,
    chain,
    numbered,
    relative_error,
    with_batch_norm,
    without_batch_norm,
)


@pytest.fixture(scope="module")
def pixels(sample: mnist.Images) -> np.ndarray:
    return sample.pixels[::100]


def _reach(model: keras.Model, pair: Pair, pixels: np.ndarray) -> np.ndarray:
    """How far each channel of the pair's activation goes, [C]."""
    values = keras.Model(model.inputs, pair.activation).predict(pixels, verbose=0)
    return np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)


@pytest.mark.parametrize(("build", "pairs"), NETWORKS)
def test_equalizing_changes_nothing_that_the_model_computes(
    build: Callable[[], keras.Model], pairs: int, pixels: np.ndarray
) -> None:
    model = build()
    weights, logits = model.get_weights(), model.predict(pixels, verbose=0)

    count = equalize(model, pixels)

    assert count == pairs
    assert any(relative_error(now, before) > 0.1 for now, before in zip(model.get_weights(), weights, strict=True))
    assert relative_error(model.predict(pixels, verbose=0), logits) < FLOAT_TOLERANCE


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
    model = with_batch_norm()
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
    model = without_batch_norm()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., dead], bias[dead] = 0, -1
    model.get_layer("first").set_weights([kernel, bias])
    logits = model.predict(pixels, verbose=0)

    equalize(model, pixels)

    largest = max(float(np.abs(weights).max()) for weights in model.get_weights())
    assert largest < 1 / LEAST_SHARE
    assert relative_error(model.predict(pixels, verbose=0), logits) < FLOAT_TOLERANCE


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
    model = chain(
        layers.Conv2D(4, 3, name="first"),
        *(make() for make in between),
        layers.Conv2D(4, 1, activation="tanh", name="second"),
        layers.Flatten(),
    )

    assert _pairs(model) == ([(producer, "second")] if producer else [])


def test_channels_are_measured_behind_the_activation_and_before_pooling() -> None:
    model = with_batch_norm()

    (pair,) = find_pairs(model)

    (activation,) = (layer for layer in model.layers if isinstance(layer, layers.ReLU))
    assert pair.activation is activation.output


@pytest.mark.parametrize("activation", ["relu6", "softmax", "gelu", "tanh", "sigmoid"])
def test_a_layer_with_another_activation_cannot_be_scaled(activation: str) -> None:
    model = chain(layers.Conv2D(4, 3, activation=activation), layers.Flatten())

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
    model = numbered(keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))))
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
