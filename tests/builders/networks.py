"""Small networks and fixtures that several tests of quantization share: their weights are the same each time."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from edge_mnist.edge.bundle.contract import SCALING_LAYER
from edge_mnist.train.zoo import ZOO

# Another order of additions in float32, relative to the largest number.
FLOAT_TOLERANCE = 1e-5


# Channels of a batch norm reach from a tenth of the usual to ten times it: there is something to equalize.
DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "kernel": lambda rng, shape: rng.normal(0, 0.3, shape),
    "gamma": lambda rng, shape: 10 ** rng.uniform(-1, 1, shape),
    "beta": lambda rng, shape: rng.normal(0, 1, shape),
    "moving_mean": lambda rng, shape: rng.normal(0, 1, shape),
    "moving_variance": lambda rng, shape: rng.uniform(0.5, 2, shape),
}


def numbered(model: keras.Model) -> keras.Model:
    """The same with weights, and batch norm's statistics, that are the same each time and none of them trivial."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        for weights in layer.weights:
            weights.assign(DISTRIBUTIONS.get(weights.name, DISTRIBUTIONS["kernel"])(rng, weights.shape))
    return model


def chain(*hidden: keras.Layer) -> keras.Model:
    """Raw pixels, scaled, through these layers, to ten logits."""
    pixels = x = keras.Input((28, 28, 1), dtype="uint8")
    for layer in (layers.Rescaling(1 / 255, name=SCALING_LAYER), *hidden, layers.Dense(10, name="logits")):
        x = layer(x)
    return numbered(keras.Model(pixels, x))


def with_batch_norm() -> keras.Model:
    return chain(
        layers.Conv2D(6, 3, strides=2, use_bias=False, name="first"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
    )


def without_batch_norm() -> keras.Model:
    return chain(
        layers.Conv2D(6, 3, strides=2, activation="relu", name="first"),
        layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="second"),
        layers.Dropout(0.5),
        layers.GlobalAveragePooling2D(),
    )


def standard_with_statistics() -> keras.Model:
    return numbered(ZOO["standard"]())


NETWORKS = [
    pytest.param(with_batch_norm, 1, id="batch norm, pooling, flatten"),
    pytest.param(without_batch_norm, 2, id="activation within"),
    pytest.param(standard_with_statistics, 5, id="standard"),
]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def weight_tensors(model: Any) -> list[Any]:
    """A TFLite file's 8-bit weights, in the order of the network."""
    graph = model.subgraphs[0]
    return [graph.tensors[operator.inputs[1]] for operator in graph.operators if len(operator.inputs) == 3]


def weight_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """What dequantizes an ONNX file's weights, in the order of the network."""
    producers = {name: node for node in graph.node for name in node.output}
    return [producers[node.input[1]] for node in graph.node if node.op_type in {"Conv", "MatMul", "Gemm"}]
