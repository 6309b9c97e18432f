"""Models of other projects for Grad-CAM: what stands before their layers, and their logits.

A bundle that was exported from a foreign model keeps that model as it was, and its card says what it reads and gives.
Pixels are brought to what it reads before it is called. A softmax at its end is taken off: gradients vanish where it is
sure. A model behind nothing but scaling is explained in place of the one around it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.card import Convention
from .gradcam import ExplainError

# What pixels become, as a factor and what is added.
SCALINGS = {"uint8": (1.0, 0.0), "0-1": (1 / 255, 0.0), "0-255": (1.0, 0.0), "-1-1": (1 / 127.5, -1.0)}
# Layers and operations that hand every number on as it is.
PASSING = {"Dropout", "Identity"}
FUNCTIONS = {"Softmax", "LogSoftmax", "Sigmoid", "Activation"}


@dataclass(frozen=True)
class ExplainedNetwork:
    """A model whose layers can be looked at, and what makes its inputs of raw pixels, uint8 [N, 28, 28, 1]."""

    model: Any
    to_inputs: Callable[[NDArray[np.uint8]], Any]


def take_apart(loaded: Any, convention: Convention, origin: str) -> ExplainedNetwork:
    """Make a network that Grad-CAM can explain of a model as it was saved.

    Args:
        loaded: By Keras, of this call alone: its last layer is changed.
        convention: What the card says that it reads and gives.
        origin: What error messages call it.

    Raises:
        ExplainError: It calls a layer more than once, or ends in a function that cannot be taken off.
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

    # Layers of a sequential or nested model know graphs beside this one; copies know this alone. And saving makes a
    # list of the only input; this takes it as it is.
    network = keras.Model(model.inputs[0], output, name=model.name)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    _check_layers(copy, origin)
    return ExplainedNetwork(copy, to_inputs)


def _check_layers(model: Any, origin: str) -> None:
    """Refuse a layer that is called more than once: which of its outputs would be the map?

    Raises:
        ExplainError: There is one.
    """
    shared = [layer.name for layer in model.layers if len(layer._inbound_nodes) > 1]
    if shared:
        raise ExplainError(
            f"{origin}: calls {', '.join(shared)} more than once, so Grad-CAM has no single map. Give each call a "
            "layer of its own, and export that."
        )


def _last(model: Any) -> Any:
    return model.outputs[0]._keras_history.operation


def _inputs_of(model: Any) -> list[Any]:
    """What the operation at the end of a model is called with."""
    history = model.outputs[0]._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors


def _logits(model: Any, origin: str) -> Any:
    """The output of a model without the function at its end, which is the last layer's activation, or a layer."""
    operation = _last(model)
    while type(operation).__name__ in PASSING:
        model = keras.Model(model.inputs[0], _inputs_of(model)[0])
        operation = _last(model)
    if type(operation).__name__ in FUNCTIONS:
        return _inputs_of(model)[0]
    if not hasattr(operation, "activation"):
        raise ExplainError(
            f"{origin}: ends in {operation.name}, and the function that makes probabilities cannot be taken off it. "
            "Save the model so that it gives logits, and export that."
        )
    # The graph of the model calls the layer once more whenever it is run.
    operation.activation = keras.activations.linear
    return model.outputs[0]
