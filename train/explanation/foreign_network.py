"""Models of other projects for Grad-CAM: the preparation of their inputs, and their logits.

A bundle that was exported from a foreign model keeps that model unchanged, and its card states what it reads and gives.
Pixels are converted to what it reads before it is called. A softmax at its end is removed: gradients vanish where it is
certain. A nested model behind nothing but scaling is explained in place of the outer one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import Convention
from ..errors import TrainError

# The scaling of pixels: factor and offset.
SCALINGS = {"uint8": (1.0, 0.0), "0-1": (1 / 255, 0.0), "0-255": (1.0, 0.0), "-1-1": (1 / 127.5, -1.0)}
# Layers and operations that pass every number on unchanged.
PASSING = {"Dropout", "Identity"}
FUNCTIONS = {"Softmax", "LogSoftmax", "Sigmoid", "Activation"}


@dataclass(frozen=True)
class ExplainedNetwork:
    """A model whose layers can be examined, and the conversion of raw pixels, uint8 [N, 28, 28, 1], to its inputs."""

    model: Any
    to_inputs: Callable[[NDArray[np.uint8]], Any]


def take_apart(loaded: Any, convention: Convention, origin: str) -> ExplainedNetwork:
    """Make a network that Grad-CAM can explain from a saved model.

    Args:
        loaded: The model as loaded by Keras for this call alone: its last layer is changed.
        convention: The convention of inputs and outputs, from the card.
        origin: The model's name in error messages.

    Raises:
        TrainError: The model calls a layer more than once, or ends in a function that cannot be removed.
    """
    factor, offset = SCALINGS[convention.pixels]
    shape, is_raw = tuple(loaded.inputs[0].shape[1:]), convention.pixels == "uint8"

    def scale(pixels: NDArray[np.uint8]) -> Any:
        images = pixels if is_raw else pixels.astype(np.float32) * np.float32(factor) + np.float32(offset)
        return images.reshape(len(pixels), *shape)

    steps, model = list[Any](), loaded
    while (operation := _last(model)) and isinstance(operation, keras.Model):
        steps.append(keras.Model(model.inputs[0], _inputs_of(model)[0]))
        model = operation
    output = model.outputs[0] if convention.outputs == "logits" else _logits(model, origin)

    def to_inputs(pixels: NDArray[np.uint8]) -> Any:
        inputs = scale(pixels)
        for step in steps:
            inputs = step(inputs, training=False)
        return inputs

    # Layers of a sequential or nested model also belong to other graphs; copies belong to this one alone. And saving
    # turns the only input into a list; this takes the input itself.
    network = keras.Model(model.inputs[0], output, name=model.name)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    _check_layers(copy, origin)
    return ExplainedNetwork(copy, to_inputs)


def _check_layers(model: Any, origin: str) -> None:
    """Refuse a layer that is called more than once, since it has no unique output to map.

    Raises:
        TrainError: A layer is called more than once.
    """
    shared = [layer.name for layer in model.layers if len(layer._inbound_nodes) > 1]
    if shared:
        raise TrainError(
            f"{origin}: calls {', '.join(shared)} more than once, so Grad-CAM has no single feature map. Use a "
            "separate layer for each call, and export again."
        )


def _last(model: Any) -> Any:
    return model.outputs[0]._keras_history.operation


def _inputs_of(model: Any) -> list[Any]:
    """Return the inputs of the operation at the end of a model."""
    history = model.outputs[0]._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors


def _logits(model: Any, origin: str) -> Any:
    """Return the output of a model without the function at its end, which is the last layer's activation or a layer."""
    operation = _last(model)
    while type(operation).__name__ in PASSING:
        model = keras.Model(model.inputs[0], _inputs_of(model)[0])
        operation = _last(model)
    if type(operation).__name__ in FUNCTIONS:
        return _inputs_of(model)[0]
    if not hasattr(operation, "activation"):
        raise TrainError(
            f"{origin}: ends in {operation.name}, and the function that computes probabilities cannot be "
            "removed from it. Save the model so that it outputs logits, and export again."
        )
    # The model's graph calls the layer again whenever it runs.
    operation.activation = keras.activations.linear
    return model.outputs[0]
