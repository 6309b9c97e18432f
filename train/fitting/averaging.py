"""The model that is evaluated and kept: the moving average of the weights, with its own batch norm statistics.

Batch norm's moving statistics belong to the weights that each step used. Averaged weights give other activations, so
their statistics are measured again on training images; without this, validation jumps in the first epochs.

Source: P. Izmailov et al., "Averaging weights leads to wider optima and better generalization" (UAI 2018), section 3.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import IMAGE_SHAPE, SCALING_LAYER
from .backend import predict_batches

ops: Any = keras.ops
# Training images to take statistics from: the error of a mean is a sixtieth of the deviation, or less.
STATISTICS_IMAGES = 4_000
STATISTICS_BATCH = 500


def copy_network(model: keras.Model, precision: str) -> keras.Model:
    """Copy the network with its weights, all in float32, but computing in this precision.

    Scaling and logits stay in float32: there, rounding would be visible.
    """

    def copy_layer(layer: Any) -> Any:
        config = layer.get_config()
        if precision != "float32" and layer.name not in {SCALING_LAYER, model.layers[-1].name}:
            config["dtype"] = precision
        return type(layer).from_config(config)

    copied: Any = keras.models.clone_model(model, clone_function=copy_layer)
    copied.set_weights(model.get_weights())
    return copied


def put_average(model: keras.Model, trained: keras.Model, optimizer: Any) -> None:
    """Give a model the moving average of the weights of an equal model in training, which keeps its own weights."""
    current = [_read(variable) for variable in trained.trainable_variables]
    optimizer.finalize_variable_values(trained.trainable_variables)
    # Copied: on JAX, average and weight would share one buffer, which the next step donates.
    averages = [_read(variable) for variable in trained.trainable_variables]
    for variable, value in zip(trained.trainable_variables, current, strict=True):
        variable.assign(value)
    model.set_weights(trained.get_weights())
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        variable.assign(average)


class NormStatistics:
    """The batch norm statistics of a model, which can be measured again."""

    def __init__(self, model: keras.Model, pixels: NDArray[np.uint8]) -> None:
        """Prepare for a model whose weights will change.

        Args:
            model: A functional model, with or without batch norms.
            pixels: Training images as the model sees them in training, uint8 [N, 28, 28, 1].
        """
        self._norms: list[Any] = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        self._pixels = pixels
        if self._norms:
            inputs = keras.Model(model.inputs, [layer.input for layer in self._norms])
            images = keras.Input(IMAGE_SHAPE, dtype="uint8")
            self._probe = keras.Model(images, _Moments(inputs)(images))

    def renew(self) -> None:
        """Set mean and variance of every batch norm to those of its inputs, each batch normalized by its own."""
        if not self._norms:
            return
        moments = predict_batches(self._probe, self._pixels, STATISTICS_BATCH).mean(axis=0, dtype=np.float64)
        channels = [norm.moving_mean.shape[0] for norm in self._norms]
        parts = np.split(moments, np.cumsum([count for count in channels for _ in range(2)])[:-1])
        for norm, mean, square in zip(self._norms, parts[::2], parts[1::2], strict=True):
            norm.moving_mean.assign(mean.astype(np.float32))
            norm.moving_variance.assign(np.maximum(square - mean**2, 0).astype(np.float32))


class _Moments(keras.layers.Layer):
    """Images to mean and mean square of each channel of some tensors within a network: float32 [N, 2 C]."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, pixels: Any) -> Any:
        """Run in training mode, in which every batch norm uses the statistics of the batch."""
        tensors = keras.tree.flatten(self.network(pixels, training=True))
        return ops.concatenate([_mean(one) for tensor in tensors for one in (tensor, ops.square(tensor))], axis=1)


def _mean(tensor: Any) -> Any:
    """Average over all positions: [N, ..., C] to [N, C]."""
    return ops.mean(tensor, axis=tuple(range(1, len(tensor.shape) - 1)))


def _read(variable: Any) -> NDArray[np.float32]:
    return np.array(ops.convert_to_numpy(variable))
