"""The zoo: every architecture this project trains, one function each, and a table of them at the end.

All read raw pixels, uint8 [N, 28, 28, 1] with 0 = paper and 255 = ink, and give logits, float32 [N, 10]. The scaling to
[0, 1] is a layer of the model, so no caller can get it wrong; the softmax is in the loss, so no file computes it.

`standard`, `nano` (and `nano-2890`) and `max` are this project's own.
`logistic` is the baseline that convolutional networks have to beat. The others are popular starting points, rebuilt
from their published descriptions: if a description leaves something open, the function states the choice and its
reason. They train by this project's recipe or by the published one, see `recipe.py`; `edge/bundle/catalogue.py` lists
the claims of the descriptions.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..edge.bundle.contract import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER

# Keras's default of 0.99 lags hundreds of steps behind, which spoils the validation of short runs.
BATCH_NORM_MOMENTUM = 0.95


@dataclass(frozen=True)
class Residual:
    """Layers whose outputs are added to their input, or to the output of `shortcut`; a ReLU follows the sum."""

    branch: tuple[keras.Layer, ...]
    shortcut: tuple[keras.Layer, ...] = ()


def standard() -> keras.Model:
    """Build five 3x3 convolutions, two of them strided, then the global average.

    Strides instead of pooling, and no layer at full resolution after the first. Most weights lie where the picture is
    smallest, 7x7, and cost least; the receptive field of 27 pixels spans the whole 20x20 digit.
    """
    return _network(
        "standard",
        *_conv_norm(16, strides=2),
        *_conv_norm(32),
        *_conv_norm(64, strides=2),
        *_conv_norm(64),
        *_conv_norm(128, padding="valid"),
        layers.GlobalAveragePooling2D(),
    )


def nano() -> keras.Model:
    """Build as many layers as `standard` with about a twentieth of the parameters, for int8 files of 14 kB.

    The first layer looks at every pixel: strided, it made more mistakes on validation. Eight and sixteen channels fill
    a processor's vectors; six and ten would leave half of them empty.
    """
    return _network(
        "nano",
        *_conv_norm(8),
        *_conv_norm(8, strides=2),
        *_conv_norm(16),
        *_conv_norm(16, strides=2),
        *_conv_norm(16, padding="valid"),
        *_average_quarters(5),
    )


def nano_2890() -> keras.Model:
    """Build a network of at most 2,890 parameters, including batch norm's moving statistics.

    Depthwise separable convolutions make six layers of so few parameters.
    """
    return _network(
        "nano-2890",
        *_conv_norm(14),
        *_separable_norm(16, strides=2),
        *_separable_norm(16),
        *_separable_norm(16),
        *_separable_norm(16, strides=2),
        *_separable_norm(12, padding="valid"),
        *_average_quarters(5),
    )


def maximal() -> keras.Model:
    """Build ten convolutions, eight of them in residual blocks, for accuracy; named `max`, which is a Python built-in.

    Plain blocks after He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (CVPR 2016): each
    convolution with its batch norm becomes one int8 operator. It has a third more weights than `standard`, so the files
    stay small, and over two and a half times the multiplications, half of them in the two blocks at 14x14.
    """
    return _network(
        "max",
        *_conv_norm(16),
        *_conv_norm(32, strides=2),
        _block(32),
        _block(32),
        _block(64, strides=2),
        _block(64),
        *_average_quarters(7),
    )


def logistic() -> keras.Model:
    """Build multinomial logistic regression: one weight for each pixel and digit."""
    return _network("logistic", layers.Flatten())


def compact_8_16() -> keras.Model:
    """Build two small convolutions, and ten units with a ReLU before the ten outputs.

    The description asks for 'same' padding of the first convolution alone, so the second has none: 7,184 parameters
    ('same' would make 9,264). The claimed 2,890 fit neither. Its normalization is the scaling layer of the zoo.
    """
    return _network(
        "compact-8-16",
        _conv(8, kernel_size=4, padding="same"),
        layers.MaxPooling2D(),
        _conv(16),
        layers.MaxPooling2D(),
        layers.Flatten(),
        _dense(10),
    )


def two_conv_122k() -> keras.Model:
    """Build two convolutions, each with pooling, and a dense layer.

    Kernels and padding are not given. Chosen: 3x3 without padding, which is Keras's default and makes the 121,930
    parameters that its name rounds.
    """
    return _network("two-conv-122k", *_pooled_convs(32, 64), layers.Flatten(), _dense(64))


def dropout_cnn() -> keras.Model:
    """Build a stack of convolutions and pooling, a dense layer, dropout.

    The layers are not given. Chosen: two convolutions before each of three poolings, with twice as many filters after
    each, because it claims much more accuracy than `two_conv_122k` reaches (docs/results/index.md); and twice that
    network's dense layer, because a dropout of 0.5 keeps half of it. The first two and the last convolution have no
    padding: that saves multiplications on empty paper, and makes the input of the last pooling even.
    """
    return _network(
        "dropout-cnn",
        _conv(32),
        *_pooled_convs(32),
        _conv(64, padding="same"),
        _conv(64, padding="same"),
        layers.MaxPooling2D(),
        _conv(128, padding="same"),
        *_pooled_convs(128),
        layers.Flatten(),
        _dense(128),
        layers.Dropout(0.5),
    )


def one_hot_cnn() -> keras.Model:
    """Build one convolution, one pooling, one dropout and one dense layer.

    The layers are not given. Chosen: the shortest network that has them all in this order. The only convolution is 5x5;
    nearly all of the 592,074 parameters lie in the dense layer behind it.
    """
    return _network(
        "one-hot-cnn",
        _conv(32, kernel_size=5),
        layers.MaxPooling2D(),
        layers.Dropout(0.2),
        layers.Flatten(),
        _dense(128),
    )


def batchnorm_905k() -> keras.Model:
    """Build three convolutions with batch norm, two of them pooled, and two dense layers with dropout.

    905,418 parameters come out exactly if the convolutions keep the bias that batch norm makes superfluous, and the
    batch norm's 448 moving statistics count. Whether it comes before or after the ReLU is not given and changes no
    count. Chosen: before, where it folds into the convolution on export.
    """
    return _network(
        "batchnorm-905k",
        *_conv_norm(32, use_bias=True),
        layers.MaxPooling2D(),
        *_conv_norm(64, use_bias=True),
        layers.MaxPooling2D(),
        *_conv_norm(128, use_bias=True),
        layers.Flatten(),
        _dense(128),
        layers.Dropout(0.5),
        _dense(64),
        layers.Dropout(0.3),
    )


def _network(name: str, *hidden: keras.Layer | Residual) -> keras.Model:
    """Build a network from the common input and output layers, and these in between: pixels, scaling, ..., logits."""
    pixels = keras.Input(IMAGE_SHAPE, dtype="uint8", name="pixels")
    x, names = layers.Rescaling(1 / 255, name=SCALING_LAYER)(pixels), Counter[str]()
    for step in hidden:
        x = _apply(step, x, names)
    return keras.Model(pixels, layers.Dense(NUM_CLASSES, name="logits")(x), name=name)


def _apply(step: keras.Layer | Residual, x: Any, names: Counter[str]) -> Any:
    """Apply a step. Layers are numbered within their network, so that another network can take over their weights."""
    if isinstance(step, Residual):
        added = [_apply_all(step.branch, x, names), _apply_all(step.shortcut, x, names)]
        return _apply_all((layers.Add(), layers.ReLU()), added, names)
    kind = re.sub(r"_\d+$", "", step.name)
    step.name = f"{kind}_{names[kind]}" if names[kind] else kind
    names[kind] += 1
    return step(x)


def _apply_all(steps: tuple[keras.Layer, ...], x: Any, names: Counter[str]) -> Any:
    for step in steps:
        x = _apply(step, x, names)
    return x


def _conv_norm(
    filters: int, strides: int = 1, padding: str = "same", use_bias: bool = False, kernel_size: int = 3
) -> tuple[keras.Layer, ...]:
    """Make a convolution, batch norm and ReLU, which fold into one operator on export."""
    return (
        layers.Conv2D(filters, kernel_size, strides=strides, padding=padding, use_bias=use_bias),
        layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM),
        layers.ReLU(),
    )


def _separable_norm(filters: int, strides: int = 1, padding: str = "same") -> tuple[keras.Layer, ...]:
    """Make a 3x3 convolution of each channel by itself, a 1x1 convolution of all of them, batch norm, ReLU.

    After Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017),
    without the layers that they put between the two.
    """
    return (
        layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False),
        *_conv_norm(filters, kernel_size=1),
    )


def _average_quarters(size: int) -> tuple[keras.Layer, ...]:
    """Average an odd number of positions each way to 2x2 separate values; both halves share the middle row and column.

    The average over all positions would forget where in the picture a stroke was: `nano` made more mistakes with it
    (docs/decisions/0011-four-quarters-instead-of-one-average.md).
    """
    return layers.AveragePooling2D(size // 2 + 1, strides=size // 2), layers.Flatten()


def _block(filters: int, strides: int = 1) -> Residual:
    """Make two 3x3 convolutions; if the shape changes, a 1x1 convolution fits the shortcut to it."""
    shortcut = _conv_norm(filters, strides, kernel_size=1)[:-1] if strides > 1 else ()
    return Residual((*_conv_norm(filters, strides), *_conv_norm(filters)[:-1]), shortcut)


def _pooled_convs(*filters: int) -> tuple[keras.Layer, ...]:
    """Make a 3x3 convolution without padding, a ReLU and a 2x2 maximum for each number of filters."""
    return tuple(layer for count in filters for layer in (_conv(count), layers.MaxPooling2D()))


def _conv(filters: int, kernel_size: int = 3, padding: str = "valid") -> keras.Layer:
    return layers.Conv2D(filters, kernel_size, padding=padding, activation="relu")


def _dense(units: int) -> keras.Layer:
    return layers.Dense(units, activation="relu")


# By the name of `--model`, which is also that of the model and its bundle: functions that build it with fresh weights.
ZOO: dict[str, Callable[[], keras.Model]] = {
    "standard": standard,
    "nano": nano,
    "nano-2890": nano_2890,
    "max": maximal,
    "logistic": logistic,
    "compact-8-16": compact_8_16,
    "two-conv-122k": two_conv_122k,
    "dropout-cnn": dropout_cnn,
    "one-hot-cnn": one_hot_cnn,
    "batchnorm-905k": batchnorm_905k,
}
