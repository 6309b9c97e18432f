"""The zoo: every architecture this project trains, one function each.

All take raw pixels, uint8 [N, 28, 28, 1] with 0 = paper and 255 = ink, and give logits, float32 [N, 10]. The scaling
to [0, 1] is a layer of the model, so no caller can get it wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..edge.card import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER

# Keras's default of 0.99 lags hundreds of steps behind, which spoils the validation of short runs.
BATCH_NORM_MOMENTUM = 0.95


@dataclass(frozen=True)
class Architecture:
    """A member of the zoo.

    Attributes:
        name: What `--model` takes.
        build: Makes the model with fresh weights.
        summary: One line for people.
    """

    name: str
    build: Callable[[], keras.Model]
    summary: str


def standard() -> keras.Model:
    """Five 3x3 convolutions, two of them strided, then the global average.

    Strides, not pooling, and no layer at full resolution after the first: at 9.1 million multiply-adds it runs as
    fast in LiteRT's int8 kernels as the four-layer shape 32/2-64-64/2-128, and its receptive field (27 pixels
    instead of 19) spans the whole 20x20 digit.
    """
    pixels, x = _pixels()
    x = _conv(x, 32, strides=2)
    x = _conv(x, 64)
    x = _conv(x, 64, strides=2)
    x = _conv(x, 64)
    x = _conv(x, 128, padding="valid")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Dense(NUM_CLASSES, name="logits")(x), name="standard")


ZOO = {
    architecture.name: architecture
    for architecture in (Architecture("standard", standard, "small strided CNN, quick on the edge"),)
}


def _pixels() -> tuple[Any, Any]:
    """The head that all share: the input, and the input scaled to [0, 1]."""
    pixels = keras.Input(IMAGE_SHAPE, dtype="uint8", name="pixels")
    return pixels, layers.Rescaling(1 / 255, name=SCALING_LAYER)(pixels)


def _conv(x: keras.KerasTensor, filters: int, strides: int = 1, padding: str = "same") -> keras.KerasTensor:
    """3x3 convolution, batch norm, ReLU: the three fold into one operator on export."""
    x = layers.Conv2D(filters, 3, strides=strides, padding=padding, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
