"""Rounding weights so that the errors within a layer cancel, instead of each to its nearest integer.

Weights are rounded one input after the other; after each, those not yet rounded move a little so that the layer's
outputs on calibration images change least. The converters then find weights that lie on their integers already.

Source: E. Frantar et al., "GPTQ: Accurate post-training quantization for generative pre-trained transformers", ICLR
2023 (equations 2 and 3, and their Cholesky form).
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .equalize import mixes_channels

# Added to the diagonal, as a share of its mean, as in the paper: keeps the inverse tame where inputs hardly vary.
DAMPING = 0.01
# Number of input patches for a layer's statistics: ten times as many take longer and gave no less noise.
MOST_PATCHES = 40_000
# Largest number of inputs of an output: memory grows with its square, time with its cube. 9,216 take 4.4 GB and 43 s on
# two cores; 21,632 (32 channels of 26x26, flattened) would need more than 23 GB. Larger layers stay as they are.
MOST_INPUTS = 10_000


Moments = dict[str, NDArray[np.float32]]


def input_moments(model: keras.Model, inputs: NDArray[Any]) -> Moments:
    """Compute the input statistics for rounding each dense and ordinary convolution layer that is not too large.

    Args:
        model: A functional model.
        inputs: Calibration images as the model reads them, [N, 28, 28, 1].

    Returns:
        By layer name, the sum of x x^T over what the layer's kernel reads: float32 [inputs, inputs].
    """
    layers = [layer for layer in model.layers if _can_be_rounded(layer)]
    if not layers:
        return {}
    tensors = keras.Model(model.inputs, [layer.input for layer in layers]).predict(inputs, verbose=0)  # pyright: ignore[reportArgumentType]
    moments: Moments = {}
    for layer, values in zip(layers, tensors if len(layers) > 1 else [tensors], strict=True):
        patches = input_patches(layer, np.asarray(values))
        moments[layer.name] = patches.T @ patches
    return moments


def round_weights(model: keras.Model, moments: Moments, levels: int) -> None:
    """Put the weights of the layers with known inputs onto the converters' integer grid, in place.

    Batch norm may follow a layer: it scales whole output channels, and each of these has a scale of its own.

    Args:
        model: The model that the moments were computed on, or an equal one.
        moments: From `input_moments`.
        levels: The integer that the largest weight of each output channel becomes: 127 for 8 bits.
    """
    for name, layer_moments in moments.items():
        layer = model.get_layer(name)
        kernel = np.asarray(layer.kernel)
        rounded = round_columns(kernel.reshape(-1, kernel.shape[-1]), layer_moments, levels)
        layer.kernel.assign(rounded.reshape(kernel.shape))


def round_columns(weights: NDArray[np.float32], moments: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """Round a matrix of weights, each column (output) on a grid of its own.

    Args:
        weights: [inputs, outputs].
        moments: Second moments of the inputs, sum of x x^T: [inputs, inputs], positive semidefinite.
        levels: The largest integer; a column's scale is its largest absolute weight / `levels`.

    Returns:
        Multiples of the scales, [inputs, outputs]; in each column the largest weight is where it was.
    """
    scales = np.abs(weights).max(axis=0).astype(np.float64) / levels
    scales[scales == 0] = 1.0
    largest = np.abs(weights).argmax(axis=0)
    damped = moments.astype(np.float64)
    damped[np.diag_indices_from(damped)] += DAMPING * np.trace(damped) / len(damped) + np.finfo(np.float64).tiny
    # The most important inputs go first, while many others can still compensate for their rounding.
    order = np.argsort(-np.diag(damped))
    factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    remaining, rounded = weights[order].astype(np.float64), np.empty(weights.shape)
    for i, source in enumerate(order):
        steps = np.clip(np.rint(remaining[i] / scales), -levels, levels)
        # The converter derives the scale from the largest weight, so that weight must not change.
        steps = np.where(largest == source, np.sign(weights[source]) * levels, steps)
        rounded[source] = steps * scales
        remaining[i + 1 :] -= np.outer(factor[i, i + 1 :], (remaining[i] - rounded[source]) / factor[i, i])
    return rounded.astype(np.float32)


def _can_be_rounded(layer: Any) -> bool:
    """Whether each output reads all inputs by a column of one matrix, and not too many inputs."""
    return mixes_channels(layer) and math.prod(np.shape(layer.kernel)[:-1]) <= MOST_INPUTS


def input_patches(layer: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Extract what each output position reads, [positions, inputs], in the order of the kernel's own axes."""
    if isinstance(layer, keras.layers.Dense):
        return values
    patches = tf.image.extract_patches(
        values, [1, *layer.kernel_size, 1], [1, *layer.strides, 1], [1, *layer.dilation_rate, 1], layer.padding.upper()
    ).numpy()
    patches = patches.reshape(-1, patches.shape[-1])
    return patches[:: -(-len(patches) // MOST_PATCHES)]
