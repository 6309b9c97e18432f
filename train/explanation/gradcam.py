"""Grad-CAM: the parts of an image that support the digit that a Keras model reads there.

Each channel of the last convolution is weighted by how much the digit's logit would rise with it, the weighted channels
are summed, and negative values are dropped.

Source: R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: visual explanations from deep
networks via gradient-based localization" (ICCV 2017). Unlike there, the coarse map is not stretched over the image but
placed where its cells look: without padding, a convolution's outermost cells do not see the image's outermost pixels.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import IMAGE_SHAPE
from ..errors import TrainError

# Layers with coarser or randomly zeroed outputs: the map is taken before them.
PASSED_OVER = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
)


# Layers whose outputs are maps, each with a window that moves over its input.
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Explanation:
    """The reading of N images, and its reasons.

    Attributes:
        logits: The model's logits, float32 [N, 10].
        heat: Heat maps, float32 [N, 28, 28] in [0, 1], each image's maximum 1; all 0 if nothing supports the digit.
        layer: The layer of the map, e.g. `re_lu_4 (5x5)`.
    """

    logits: NDArray[np.float32]
    heat: NDArray[np.float32]
    layer: str


@dataclass(frozen=True)
class Grid:
    """The positions that the cells of a map look at, in pixels: the first one's centre, and the cells' distance."""

    first: float
    step: float


def explain_images(model: Any, pixels: NDArray[np.uint8]) -> Explanation:
    """Explain the likeliest digit of each image.

    Args:
        model: A model of the zoo, on Keras's TensorFlow backend: raw pixels in, logits out.
        pixels: Images, uint8 [N, 28, 28, 1], 0 = paper, 255 = ink.

    Raises:
        TrainError: The backend is not TensorFlow, or the network has no convolution.
    """
    check_backend()
    layer = find_layer(model)
    body, head = keras.Model(model.inputs[0], layer.output), keras.Model(layer.output, model.outputs[0])
    features = body(pixels, training=False)
    logits, gradients = _differentiate(head, features)
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    coarse = np.maximum((weights * keras.ops.convert_to_numpy(features)).sum(axis=-1), 0)
    rows, columns = coarse.shape[1:]
    return Explanation(logits, _spread(coarse, locate_cells(model, layer)), f"{layer.name} ({rows}x{columns})")


def check_backend() -> None:
    """Check for gradients, which Keras leaves to its backends; a saved model loads on any of them.

    Raises:
        TrainError: The backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise TrainError(
            f"explain computes gradients with TensorFlow, but the backend is {keras.backend.backend()}. Set "
            "KERAS_BACKEND=tensorflow; the model may have been trained on any backend."
        )


def find_layer(model: Any) -> Any:
    """Find the last layer whose output is a map, before pooling and dropout: the last convolution with its ReLU.

    An output of a single cell, as of a global pooling that keeps its dimensions, is not a map.

    Raises:
        TrainError: There is no such layer.
    """
    kernels = [i for i, layer in enumerate(model.layers) if isinstance(layer, CONVOLUTIONS)]
    behind = model.layers[kernels[0] :] if kernels else []
    maps = [layer for layer in behind if len(layer.output.shape) == 4 and layer.output.shape[1] > 1]
    within = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if not maps and within:
        raise TrainError(
            f"{model.name}: contains nested models ({', '.join(within)}), in which Grad-CAM finds no feature "
            "map. Build the model from their layers (`for layer in inner.layers`), and export again."
        )
    if not maps:
        raise TrainError(
            f"{model.name}: has no convolution, so Grad-CAM has no feature map. Choose a network with a convolution."
        )
    return [layer for layer in maps if not isinstance(layer, PASSED_OVER)][-1]


def locate_cells(model: Any, layer: Any) -> Grid:
    """Locate where the cells of a layer's output look, through every stride and padding before it.

    Raises:
        TrainError: A layer changes the grid in another way, as padding and resizing do.
    """
    grid = Grid(first=0.0, step=1.0)
    for each in _path_to(layer):
        kernel, stride = _window(each)
        if isinstance(each, keras.layers.Conv2DTranspose) or (kernel, stride) == (1, 1):
            raise TrainError(
                f"{model.name}: {each.name} ({type(each).__name__}) shifts the grid in an unsupported way, so "
                "the heat map would be misplaced. Choose a network of convolutions and pooling."
            )
        size, cells = _map_before(each).shape[1], each.output.shape[1]
        # 'same' puts the smaller half of the padding first; 'valid' has no padding.
        padded = max(0, (cells - 1) * stride + kernel - size) // 2
        grid = Grid(grid.first + grid.step * ((kernel - 1) / 2 - padded), grid.step * stride)
    return grid


def _map_before(layer: Any) -> Any:
    return layer.input[0] if isinstance(layer.input, list) else layer.input


def _path_to(layer: Any) -> list[Any]:
    """List the layers that change the map's grid, first to last; branches that merge agree, so the first one counts."""
    path: list[Any] = []
    while not isinstance(layer, keras.layers.InputLayer):
        tensor = _map_before(layer)
        if _window(layer) != (1, 1) or (len(tensor.shape) == 4 and tensor.shape[1:3] != layer.output.shape[1:3]):
            path.append(layer)
        layer = tensor._keras_history.operation
    return path[::-1]


def _window(layer: Any) -> tuple[int, int]:
    """Return how many pixels a layer looks at along a side, and its step."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None) or (1,)
    strides, dilation = getattr(layer, "strides", (1,)), getattr(layer, "dilation_rate", (1,))
    return (int(size[0]) - 1) * int(dilation[0]) + 1, int(strides[0])


def _differentiate(head: Any, features: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute logits [N, 10], and each image's gradient of the largest by the features [N, rows, columns, channels]."""
    import tensorflow as tf  # noqa: PLC0415 - other backends must be able to import this module

    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = head(features, training=False)
        largest = tf.reduce_sum(tf.reduce_max(logits, axis=1))
    return logits.numpy(), tape.gradient(largest, features).numpy()


def _spread(coarse: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Interpolate maps [N, n, n] at every pixel, falling to 0 one cell beyond the outermost; the maximum becomes 1."""
    cells = coarse.shape[1]
    places = (np.arange(IMAGE_SHAPE[0]) - grid.first) / grid.step
    weights = np.clip(1 - np.abs(places[:, None] - np.arange(cells)), 0, 1)
    heat = weights @ coarse @ weights.T
    largest = heat.max(axis=(1, 2), keepdims=True)
    return (heat / np.where(largest > 0, largest, 1)).astype(np.float32)
