"""The zoo: every architecture this project trains, one function each, and a table of them at the end.

All take raw pixels, uint8 [N, 28, 28, 1] with 0 = paper and 255 = ink, and give logits, float32 [N, 10]. The scaling
to [0, 1] is a layer of the model, so no caller can get it wrong; the softmax is in the loss, so no file computes it.

`standard`, `nano` (and `nano-2890`) and `max` are this project's own.
`logistic` is the baseline that anything convolutional has to beat. The others are
starting points that people publish, rebuilt from their descriptions: where a description leaves something open, the
function says what was chosen and why. They train by this project's recipe or, as `described.py` has it, by theirs;
`edge/bundle/catalogue.py` lists what their descriptions claim.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..edge.bundle.card import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER

# Keras's default of 0.99 lags hundreds of steps behind, which spoils the validation of short runs.
BATCH_NORM_MOMENTUM = 0.95


@dataclass(frozen=True)
class Residual:
    """Layers whose outputs are added to their input, or to what `shortcut` makes of it; a ReLU follows the sum."""

    branch: tuple[keras.Layer, ...]
    shortcut: tuple[keras.Layer, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """A member of the zoo.

    Attributes:
        name: What `--model` takes, and what the model and its bundle are called.
        build: Makes the model with fresh weights.
    """

    name: str
    build: Callable[[], keras.Model]


def standard() -> keras.Model:
    """Five 3x3 convolutions, two of them strided, then the global average.

    Strides, not pooling, and no layer at full resolution after the first. Most of its weights lie where the picture is
    smallest, 7x7, and cost least; its receptive field of 27 pixels spans the whole 20x20 digit.
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
    """As many layers as `standard` in about a twentieth of the parameters, for int8 files of 14 kB.

    The first layer looks at every pixel: strided it made more mistakes on validation. Eight and sixteen channels fill a
    processor's vectors, which six and ten would leave half empty.
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
    """What a network of at most 2,890 parameters can do, batch norm's moving statistics included.

    Depthwise separable convolutions make six layers of so few.
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
    """Ten convolutions, eight of them in residual blocks, for accuracy; `max` to the world, where no built-in has it.

    Plain blocks after He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (CVPR 2016): each
    convolution with its batch norm becomes one int8 operator. A third more weights than `standard`, for the files stay
    small so, and more than two and a half times the multiplications, half of them in the two blocks at 14x14.
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
    """One weight for each pixel and digit: multinomial logistic regression."""
    return _network("logistic", layers.Flatten())


def compact_8_16() -> keras.Model:
    """Two small convolutions, and ten units with a ReLU before the ten of the output.

    The description asks for 'same' padding of the first convolution alone, so the second has none: 7,184 parameters
    ('same' would make 9,264). The 2,890 that it claims fit neither. Its normalization is the scaling that all have.
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
    """Two convolutions, each pooled, and a dense layer.

    Kernels and padding are not given. Chosen: 3x3 without padding, which is Keras's default and makes the 121,930
    parameters that its name rounds.
    """
    return _network("two-conv-122k", *_pooled_convs(32, 64), layers.Flatten(), _dense(64))


def dropout_cnn() -> keras.Model:
    """A stack of convolutions and pooling, a dense layer, dropout.

    The layers are not given. Chosen: two convolutions before each of three poolings, twice as many filters after each,
    for much more is claimed of it than `two_conv_122k` reaches (docs/results.md); and twice that one's dense layer,
    because a dropout of 0.5 leaves half of it standing. The first two and the last convolution have no padding: that
    saves multiplications where there is only paper, and the last pooling comes out even.
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
    """Convolution, pooling, dropout, dense: one of each.

    The layers are not given. Chosen: the shortest network that has them all in this order. As the only convolution
    there is, it is 5x5; nearly all of the 592,074 parameters lie in the dense layer behind it.
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
    """Three convolutions with batch norm, two of them pooled, and two dense layers with dropout.

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
    """The head and the tail that all share, and these layers between: pixels, scaled to [0, 1], ..., logits."""
    pixels = keras.Input(IMAGE_SHAPE, dtype="uint8", name="pixels")
    x, names = layers.Rescaling(1 / 255, name=SCALING_LAYER)(pixels), Counter[str]()
    for step in hidden:
        x = _apply(step, x, names)
    return keras.Model(pixels, layers.Dense(NUM_CLASSES, name="logits")(x), name=name)


def _apply(step: keras.Layer | Residual, x: Any, names: Counter[str]) -> Any:
    """A step's output. Layers are numbered within their network, so that weights find their places in another one."""
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
    """Convolution, batch norm, ReLU: the three fold into one operator on export."""
    return (
        layers.Conv2D(filters, kernel_size, strides=strides, padding=padding, use_bias=use_bias),
        layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM),
        layers.ReLU(),
    )


def _separable_norm(filters: int, strides: int = 1, padding: str = "same") -> tuple[keras.Layer, ...]:
    """A 3x3 convolution of each channel by itself, a 1x1 convolution of them all, batch norm, ReLU.

    After Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017),
    without what they put between the two.
    """
    return (
        layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False),
        *_conv_norm(filters, kernel_size=1),
    )


def _average_quarters(size: int) -> tuple[keras.Layer, ...]:
    """An odd number of positions each way to 2x2, the middle row and column in both, each kept apart from the others.

    The average over all positions would forget where in the picture a stroke was: `nano` made more mistakes with it
    (docs/decisions/0011-four-quarters-instead-of-one-average.md).
    """
    return layers.AveragePooling2D(size // 2 + 1, strides=size // 2), layers.Flatten()


def _block(filters: int, strides: int = 1) -> Residual:
    """Two 3x3 convolutions; where the shape changes, a 1x1 convolution makes the shortcut fit."""
    shortcut = _conv_norm(filters, strides, kernel_size=1)[:-1] if strides > 1 else ()
    return Residual((*_conv_norm(filters, strides), *_conv_norm(filters)[:-1]), shortcut)


def _pooled_convs(*filters: int) -> tuple[keras.Layer, ...]:
    """A 3x3 convolution without padding, ReLU and 2x2 maximum for each."""
    return tuple(layer for count in filters for layer in (_conv(count), layers.MaxPooling2D()))


def _conv(filters: int, kernel_size: int = 3, padding: str = "valid") -> keras.Layer:
    return layers.Conv2D(filters, kernel_size, padding=padding, activation="relu")


def _dense(units: int) -> keras.Layer:
    return layers.Dense(units, activation="relu")


ZOO = {
    name: Architecture(name, build)
    for name, build in (
        ("standard", standard),
        ("nano", nano),
        ("nano-2890", nano_2890),
        ("max", maximal),
        ("logistic", logistic),
        ("compact-8-16", compact_8_16),
        ("two-conv-122k", two_conv_122k),
        ("dropout-cnn", dropout_cnn),
        ("one-hot-cnn", one_hot_cnn),
        ("batchnorm-905k", batchnorm_905k),
    )
}
