"""Train the context network with Keras and quantize it to the integers of `edge/reading/context.py`.

Batch normalization is folded into the convolutions. Each output has its own scale. Activations are limited to 6:
their levels 0 to 255 are steps of 6/255, and no calibration is needed.
"""

import io
import os
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....edge.common.native_log import quiet_native_log
from ....edge.reading.context import SIDE, ContextNetwork, Windows
from ...errors import BenchmarkError
from .collect import AMBIGUOUS, DIGIT, Examples

CHANNELS, UNITS, DROPOUT = (8, 16, 24), 24, 0.2
# Highest activation.
CEILING = 6
BATCH, LEARNING_RATE, WEIGHT_DECAY, SMOOTHING = 256, 4e-3, 1e-3, 0.02
# Shapes that score less than this, in nats, count little: the classifier refuses them anyway.
LEAST_SCORE, HOPELESS_WEIGHT = -1.5, 0.15
PREDICTED_AT_ONCE = 512
MOST_WEIGHT, MOST_LEVEL = 127, 255
# Sums below are exact in float32, in whatever order they are added.
EXACT = 2**24


def load_keras() -> Any:
    """Load Keras and its backend.

    Raises:
        BenchmarkError: One of them is not installed.
    """
    # Silences TensorFlow's start-up messages; read at its first import.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_native_log():
            keras = import_module("keras")
            # Loaded here because it would write pages of messages when it is first used.
            import_module(keras.config.backend())
            return keras
    except ImportError as error:
        raise BenchmarkError(
            f"measure context needs the package {error.name}: pip install 'edge-mnist[train]'"
        ) from error


def train_network(examples: Examples, epochs: int, seed: int) -> Any:
    """Train the network on all examples that are not ambiguous.

    Returns:
        A Keras model: windows, uint8 [N, 32, 32, 2], to log odds in nats, float32 [N, 1].

    Raises:
        BenchmarkError: Keras is missing, or digits or other shapes are.
    """
    keras = load_keras()
    examples = examples.take(examples.labels != AMBIGUOUS)
    weights = weigh_examples(examples)
    keras.utils.set_random_seed(seed)
    model = build_network()
    steps = max(1, epochs * (len(examples) // BATCH))
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=SMOOTHING),
    )
    labels = (examples.labels == DIGIT).astype(np.float32)[:, None]
    model.fit(examples.windows, labels, sample_weight=weights, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def build_network() -> Any:
    """Build the Keras model with random weights."""
    layers = load_keras().layers
    inputs = load_keras().Input((SIDE, SIDE, 2))
    values = layers.Rescaling(1 / MOST_LEVEL)(inputs)
    for channels in CHANNELS:
        values = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(values)
        values = layers.ReLU(CEILING)(layers.BatchNormalization()(values))
    values = layers.Dropout(DROPOUT)(layers.Flatten()(values))
    values = layers.ReLU(CEILING)(layers.Dense(UNITS)(values))
    return load_keras().Model(inputs, layers.Dense(1)(values))


def weigh_examples(examples: Examples) -> NDArray[np.float64]:
    """Weigh digits together as much as all other shapes together: float64 [N], 1 on average.

    Raises:
        BenchmarkError: Digits or other shapes are missing.
    """
    weights = np.where(examples.scores > LEAST_SCORE, 1.0, HOPELESS_WEIGHT)
    are_digits = examples.labels == DIGIT
    if are_digits.all() or not are_digits.any():
        raise BenchmarkError(
            f"expected digits and other shapes, got {int(are_digits.sum()):,} digits among {len(examples):,} shapes. "
            "Compose more frames."
        )
    weights[are_digits] *= weights[~are_digits].sum() / weights[are_digits].sum()
    return weights / weights.mean()


def predict(model: Any, windows: Windows) -> NDArray[np.float64]:
    """Compute the log odds of windows with the Keras model: float64 [N], nats."""
    return model.predict(windows, batch_size=PREDICTED_AT_ONCE, verbose=0)[:, 0].astype(np.float64)


def run_quantized(network: ContextNetwork, windows: Windows) -> NDArray[np.float64]:
    """Compute the log odds of windows with the quantized network: float64 [N], nats."""
    starts = range(0, len(windows), PREDICTED_AT_ONCE)
    parts = [network(windows[start : start + PREDICTED_AT_ONCE]) for start in starts]
    return np.concatenate([np.empty(0, np.float32), *parts]).astype(np.float64)


def quantize_network(model: Any) -> ContextNetwork:
    """Quantize a Keras model of `build_network`.

    Raises:
        BenchmarkError: A layer's sums may be too large for float32 to hold them exactly.
    """
    layers = _fold_layers(model)
    columns: tuple[list[NDArray[np.float32]], ...] = ([], [], [])
    step = 1 / MOST_LEVEL
    for place, (weights, bias) in enumerate(layers):
        largest = np.abs(weights).max(axis=0)
        scale = np.where(largest > 0, largest, 1.0) / MOST_WEIGHT
        next_step = 1.0 if place == len(layers) - 1 else CEILING / MOST_LEVEL
        integers = np.rint(weights / scale).clip(-MOST_WEIGHT, MOST_WEIGHT)
        offsets = np.rint(bias / (scale * step))
        if (MOST_LEVEL * np.abs(integers).sum(axis=0) + np.abs(offsets)).max() >= EXACT:
            raise BenchmarkError(f"layer {place}: expected sums below {EXACT:,}, got larger ones. Try another seed.")
        for column, values in zip(columns, (integers, offsets, scale * step / next_step), strict=True):
            column.append(values.astype(np.float32))
        step = next_step
    return ContextNetwork(*(tuple(column) for column in columns))


def _fold_layers(model: Any) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Fold batch normalization: the weights [inputs, outputs] and the biases [outputs] of each layer."""
    layers = load_keras().layers
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    folded = []
    for convolution, norm in zip(convolutions, norms, strict=True):
        weights = _as_float64(convolution.get_weights()[0])
        scale, shift, mean, variance = map(_as_float64, norm.get_weights())
        factor = scale / np.sqrt(variance + norm.epsilon)
        folded.append(((weights * factor).reshape(-1, weights.shape[-1]), shift - mean * factor))
    dense = [layer.get_weights() for layer in model.layers if isinstance(layer, layers.Dense)]
    return [*folded, *((_as_float64(weights), _as_float64(bias)) for weights, bias in dense)]


def _as_float64(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values.astype(np.float64)


def pack_network(network: ContextNetwork) -> bytes:
    """Pack a network as an npz file: int8 weights, int32 biases and float32 multipliers of each layer."""
    kinds = {"weights": np.int8, "biases": np.int32, "multipliers": np.float32}
    arrays = {
        f"{name}_{place}": values.astype(kind)
        for name, kind in kinds.items()
        for place, values in enumerate(getattr(network, name))
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
