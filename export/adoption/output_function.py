"""The function that a model applies to its logits: found in its graph, and recognized in its numbers.

A bundle's files give logits, so a softmax, log-softmax or sigmoid at the end of a foreign model is removed. It may be
the activation of the last layer, a layer, an operation such as `keras.ops.softmax`, or the end of a nested model. What
the graph does not show, the numbers do.
"""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ...edge.bundle.contract import OutputFunction

# How far a sum of ten probabilities in float32 (or in half precision, rounded to 0.001) may be from 1.
SUM_TOLERANCE = 5e-3
ACTIVATIONS = {
    keras.activations.softmax: "softmax",
    keras.activations.log_softmax: "log-softmax",
    keras.activations.sigmoid: "sigmoid",
}
# Classes of `keras.ops` by name, since the classes themselves are not public.
OPERATIONS = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "sigmoid"}
# Layers and operations that pass every number on unchanged.
PASSING = {"Dropout", "Flatten", "Reshape", "Identity", "Cast", "Squeeze", "ExpandDims", "InputLayer"}

Kind = Literal["softmax", "log-softmax", "sigmoid", "not finite", "constant"]


def last_operation(model: Any) -> Any:
    """Find the operation that computes the model's output, also inside nested models.

    Layers after it that change no number, such as a dropout, are skipped.
    """
    tensor = model.outputs[0]
    while True:
        operation, node_index, _ = tensor._keras_history
        if is_network(operation):
            tensor = operation.outputs[0]
        elif _passes(operation) and len(inputs := operation._inbound_nodes[node_index].input_tensors) == 1:
            tensor = inputs[0]
        else:
            return operation


def is_network(operation: Any) -> bool:
    """Whether an operation is a model with a graph of its own, which can be unrolled."""
    return isinstance(operation, keras.Model) and bool(getattr(operation, "inputs", None))


def find_function(operation: Any) -> OutputFunction | None:
    """Return the function that an operation applies at its end; None if it applies none of these."""
    if isinstance(operation, layers.Softmax):
        return "softmax"
    activation = ACTIVATIONS.get(getattr(operation, "activation", None))  # pyright: ignore[reportArgumentType]
    if activation is None and type(operation).__module__.startswith("keras.src.ops"):
        activation = OPERATIONS.get(type(operation).__name__)
    return activation  # pyright: ignore[reportReturnType]


def recognize_function(outputs: NDArray[np.floating]) -> Kind | None:
    """Recognize what outputs are if they are not logits; None if they may be logits.

    Args:
        outputs: A model's outputs for many different digits, [N, 10].
    """
    if not np.isfinite(outputs).all():
        return "not finite"
    if np.ptp(outputs, axis=0).max() == 0:
        return "constant"
    if outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        return "softmax"
    if outputs.max() <= SUM_TOLERANCE and np.abs(np.exp(outputs).sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        return "log-softmax"
    return "sigmoid" if outputs.min() >= 0 and outputs.max() <= 1 else None


def _passes(operation: Any) -> bool:
    if isinstance(operation, layers.Activation):
        return operation.activation is keras.activations.linear
    return type(operation).__name__ in PASSING
