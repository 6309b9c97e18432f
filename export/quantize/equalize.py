"""Cross-layer equalization: let every channel use the whole range that one scale gives to all channels of a tensor.

Activations have one scale per tensor, so a channel that stays small is stored in few of the 255 steps. Dividing a
channel by a number and multiplying it back in the next layer's weights changes nothing in exact arithmetic, because
positive factors pass through the layers between (ReLU, pooling, dropout, zero padding); afterwards all channels have
the same range.

Source: M. Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019; the
factors here come from calibration images as in G. Xiao et al., "SmoothQuant", ICML 2023, with all of the burden (their
alpha = 1) on the weights, whose channels have scales of their own and whose rounding is compensated for afterwards.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

# Activations that positive factors pass through unchanged.
ACTIVATIONS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.Activation)
HOMOGENEOUS = (
    *ACTIVATIONS[:2],
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Flatten,
)
HOMOGENEOUS_ACTIVATIONS = (keras.activations.linear, keras.activations.relu, keras.activations.leaky_relu)
# A channel's range counts as at least this fraction of the largest: dead channels would get absurd factors.
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Pair:
    """A layer whose output channels can be scaled, the only layer that reads them, and the tensor with their ranges.

    `activation` is the tensor after the producer's activation, before pooling makes it smaller.
    """

    producer: Any
    consumer: Any
    activation: Any


def equalize(model: keras.Model, inputs: NDArray[Any]) -> int:
    """Equalize the channels between the layers of a model, in place.

    Args:
        model: A functional model; layers that cannot be equalized (residual sums, depthwise convolutions, activations
            that no factor passes through) stay as they are.
        inputs: Calibration images as the model reads them, [N, 28, 28, 1].

    Returns:
        The number of pairs of layers that were equalized.
    """
    pairs = find_pairs(model)
    if pairs:
        activations = keras.Model(model.inputs, [pair.activation for pair in pairs]).predict(inputs, verbose=0)  # pyright: ignore[reportArgumentType]
        for pair, values in zip(pairs, activations if len(pairs) > 1 else [activations], strict=True):
            _scale(pair, _factors(np.asarray(values)))
    return len(pairs)


def find_pairs(model: keras.Model) -> list[Pair]:
    """Find all pairs of layers with only homogeneous layers between them, in the order of the model's layers."""
    uses = _count_uses(model)
    found = [_find_pair(layer, uses) for layer in model.layers if mixes_channels(layer)]
    return [pair for pair in found if pair is not None]


def _find_pair(consumer: Any, uses: Counter[int]) -> Pair | None:
    """Walk back over homogeneous layers to one whose channels can be scaled; None if the way is blocked."""
    layer: Any = consumer
    activation: Any = None
    # A layer that is called twice has two inputs, and its weights serve both.
    while uses[id(layer)] == 1 and uses[id(layer.input)] == 1:
        tensor: Any = layer.input
        layer = tensor._keras_history.operation
        if _is_scalable(layer):
            return Pair(layer, consumer, tensor if activation is None else activation) if uses[id(layer)] == 1 else None
        if not _lets_factors_pass(layer):
            return None
        if isinstance(layer, ACTIVATIONS):
            activation = tensor
    return None


def _lets_factors_pass(layer: Any) -> bool:
    if isinstance(layer, keras.layers.Activation):
        return layer.activation in HOMOGENEOUS_ACTIVATIONS
    if isinstance(layer, keras.layers.ReLU):
        return layer.max_value is None and layer.threshold == 0
    return isinstance(layer, HOMOGENEOUS) and _has_channels_last(layer)


def _is_scalable(layer: Any) -> bool:
    """Whether each output channel is an affine function with weights of its own, and a homogeneous activation."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return layer.scale and layer.center and layer.axis in {-1, 3}
    is_affine = isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)) and _has_channels_last(layer)
    return is_affine and layer.activation in HOMOGENEOUS_ACTIVATIONS


def mixes_channels(layer: Any) -> bool:
    """Whether every output reads every input channel by a weight of its own, channels last."""
    if isinstance(layer, keras.layers.Dense):
        return len(layer.input.shape) == 2  # pyright: ignore[reportAttributeAccessIssue]
    return isinstance(layer, keras.layers.Conv2D) and layer.groups == 1 and _has_channels_last(layer)


def _has_channels_last(layer: Any) -> bool:
    """Whether channels are the last axis of a layer, as for layers that do not distinguish axes."""
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def _count_uses(model: keras.Model) -> Counter[int]:
    """Count, by id, how often each layer is called and each tensor read; a model's output counts as one more read."""
    # On the graph's nodes, since operators such as x + y are no layers, and a nested model's `input` is another tensor.
    nodes = [node for depth in keras.Function(model.inputs, model.outputs)._nodes_by_depth.values() for node in depth]
    called = [node.operation for node in nodes]
    read = [tensor for node in nodes for tensor in node.input_tensors]
    return Counter(map(id, [*called, *read, *model.outputs]))


def _factors(activations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute each channel's range relative to their geometric mean: [..., C] to float32 [C], > 0."""
    reach = np.abs(activations).reshape(-1, activations.shape[-1]).max(axis=0)
    reach = np.maximum(reach, max(LEAST_SHARE * reach.max(), np.finfo(np.float32).tiny))
    return (reach / np.exp(np.log(reach).mean())).astype(np.float32)


def _scale(pair: Pair, factors: NDArray[np.float32]) -> None:
    """Divide the producer's channels by the factors, and multiply them back where the consumer reads them."""
    producer, consumer = pair.producer, pair.consumer
    divided = (
        (producer.gamma, producer.beta)
        if isinstance(producer, keras.layers.BatchNormalization)
        else (producer.kernel, producer.bias)
    )
    for variable in divided:
        if variable is not None:
            variable.assign(np.asarray(variable) / factors)
    kernel = np.asarray(consumer.kernel)
    # A flattened tensor repeats the channels position by position.
    repeated = np.tile(factors, kernel.shape[-2] // len(factors))
    consumer.kernel.assign(kernel * repeated[:, None])
