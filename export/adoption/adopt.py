"""Models of other projects: wrap them in this project's contract of raw pixels in and logits out.

A copy of the model gets a head that converts raw pixels to what the model reads, and loses the softmax (or other
function) at its end. The copy is flat: nested models become their layers, so that the export treats it like a model
of this project. It computes in float32, whatever precision the model was trained in.
"""

import re
from typing import Any

import keras
from keras import layers

from ...edge.bundle.contract import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER, Convention
from ..errors import ExportError
from .output_function import find_function, is_network, last_operation

# Input shapes that hold the 784 pixels of an image in the same order.
INPUT_SHAPES = {IMAGE_SHAPE, (28, 28), (784,), (1, 28, 28), (784, 1), (1, 784)}
# Scaling from [0, 1] to the model's range. For 0-255 the scaling layer only casts, which int8 files express exactly.
FURTHER_SCALING = {"-1-1": {"scale": 2.0, "offset": -1.0}}
HOW = "State its input range with --pixels 0-1, 0-255 or -1-1 (paper to ink)."
# Names of the head's layers. A foreign layer with such a name is renamed.
HEAD_NAMES = {"pixels", SCALING_LAYER, "to_own_range", "to_own_shape"}


def keeps_contract(model: keras.Model) -> bool:
    """Whether the model takes raw pixels through the scaling layer that exporters cut at, and computes in float32."""
    scaled = any(layer.name == SCALING_LAYER and isinstance(layer, layers.Rescaling) for layer in model.layers)
    in_float32 = all(getattr(layer, "compute_dtype", "float32") in {"float32", "uint8"} for layer in model.layers)
    return scaled and in_float32 and model.inputs[0].dtype == "uint8"


def check_shapes(model: keras.Model, path: Any) -> None:
    """Refuse a model that reads other pictures or has other classes.

    Raises:
        ExportError: The model does not have one input of 784 pixels, such as [N, 28, 28, 1], [N, 28, 28] or [N, 784],
            and one output [N, 10].
    """
    wanted = f"one input [N, {', '.join(map(str, IMAGE_SHAPE))}] or [N, 784] and one output [N, {NUM_CLASSES}]"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            f"{path}: expected {wanted}, got {len(model.inputs)} inputs and {len(model.outputs)} outputs."
        )
    shape, classes = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:])
    if shape not in INPUT_SHAPES or classes != (NUM_CLASSES,):
        raise ExportError(f"{path}: expected {wanted}, got {list(shape)} in and {list(classes)} out.")


def wrap_in_contract(model: keras.Model, convention: Convention, path: Any) -> keras.Model:
    """Wrap a model in the contract: raw pixels in, logits out.

    Args:
        model: A model with accepted shapes.
        convention: The range of its pixels and the kind of its outputs.
        path: The model's file, for error messages.

    Raises:
        ExportError: The model reads floats and the convention does not say which, or the reverse; it ends in a softmax
            that the convention does not mention, or in none that can be removed.
    """
    is_raw = model.inputs[0].dtype == "uint8"
    if is_raw != (convention.pixels == "uint8"):
        raise ExportError(
            f"{path}: reads raw uint8 pixels already. Leave out --pixels."
            if is_raw
            else f"{path}: reads {model.inputs[0].dtype} numbers in an unknown range. {HOW}"
        )
    _check_output(last_operation(model), convention, path)
    if keeps_contract(model) and convention.outputs == "logits":
        return model
    adopted = _Copy(convention, path).build(model)
    while find_function(last_operation(adopted)) == convention.outputs:
        # Once more, for a model that applies it twice.
        adopted = _Copy(convention, path).build(adopted, with_head=False)
    return adopted


def _check_output(last: Any, convention: Convention, path: Any) -> None:
    found = find_function(last)
    if found and found != convention.outputs:
        raise ExportError(f"{path}: expected {convention.outputs}, but the last layer applies {found}. "
                          f"Pass --outputs {found}.")  # fmt: skip
    if convention.outputs != "logits" and found is None:
        raise ExportError(
            f"{path}: --outputs {convention.outputs}, but the last layer, {last.name}, applies none that can "
            "be removed. Leave out --outputs if the model outputs logits. Otherwise save it without the "
            "function that computes probabilities."
        )


class _Copy:
    """A model's graph, rebuilt operation by operation with the same weights."""

    def __init__(self, convention: Convention, path: Any) -> None:
        self._convention = convention
        self._path = path
        self._copies: dict[Any, Any] = {}
        self._names = set(HEAD_NAMES)
        self._last: Any = None

    def build(self, model: keras.Model, with_head: bool = True) -> keras.Model:
        """Build the copy: behind raw pixels unless it reads them already, and without the function at its end."""
        if self._convention.outputs != "logits":
            self._last = last_operation(model)
        pixels = keras.Input(IMAGE_SHAPE, dtype="uint8", name="pixels")
        try:
            start = self._head(pixels, tuple(model.inputs[0].shape[1:])) if with_head else pixels
            if not with_head:
                self._names.clear()
            output = self._run(model, start)
            copy = keras.Model(pixels, output, name=_scope_name(model.name))
        except Exception as error:
            # Layers of any kind run their own code here.
            raise ExportError(f"{self._path}: cannot be rebuilt with raw pixels as input ({error}).") from error
        for original, rebuilt in self._copies.items():
            if isinstance(original, layers.Layer) and original.weights:
                rebuilt.set_weights(original.get_weights())
        return copy

    def _head(self, pixels: Any, shape: tuple[int, ...]) -> Any:
        """Convert raw pixels to what the model reads."""
        scale = 1.0 if self._convention.pixels in {"uint8", "0-255"} else 1 / 255
        x = layers.Rescaling(scale, name=SCALING_LAYER, dtype="float32")(pixels)
        if self._convention.pixels in FURTHER_SCALING:
            x = layers.Rescaling(**FURTHER_SCALING[self._convention.pixels], name="to_own_range", dtype="float32")(x)
        return x if shape == IMAGE_SHAPE else layers.Reshape(shape, name="to_own_shape")(x)

    def _run(self, network: Any, tensors: Any) -> Any:
        """Call copies of a network's operations on these tensors; nested networks are unrolled."""

        def call(operation: Any, *arguments: Any, **options: Any) -> Any:
            if is_network(operation):
                return self._run(operation, arguments[0])
            copy = self._copies.get(operation) or self._copies.setdefault(operation, self._clone(operation))
            # The replacement of a softmax takes no mask.
            return copy(*arguments, **({} if operation is self._last else options))

        graph = keras.Model(network.inputs, network.outputs)
        outputs = graph._run_through_graph(tensors, operation_fn=lambda operation: operation, call_fn=call)
        return keras.tree.flatten(outputs)[0] if len(network.outputs) == 1 else outputs

    def _clone(self, operation: Any) -> Any:
        """Copy an operation in float32, without its output function if it is the last one."""
        changes: dict[str, Any] = {}
        if operation is self._last:
            if not _keeps_weights(operation):
                return layers.Identity(name=self._free_name(operation.name))
            changes["activation"] = "linear"
        config = _in_float32(operation.get_config()) | changes
        if "name" in config:
            config["name"] = self._free_name(config["name"])
        return type(operation).from_config(config)

    def _free_name(self, name: str) -> str:
        """Return a name that TensorFlow accepts as a scope and that no other layer of the copy has."""
        name = _scope_name(name)
        free, number = f"own_{name}" if name in HEAD_NAMES & self._names else name, 1
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free


def _keeps_weights(operation: Any) -> bool:
    """Whether the function is the activation of a layer that does more, such as a dense one."""
    return hasattr(operation, "activation") and not isinstance(operation, layers.Activation)


def _scope_name(name: str) -> str:
    return re.sub(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_.-]", "_", name).lstrip("_") or "layer"


def _in_float32(config: Any) -> Any:
    """Return a layer's configuration with mixed or half precision replaced by float32, also in nested layers."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config | {"config": {"name": "float32"}} if _is_low(config["config"]["name"]) else config
        return {
            key: "float32" if key == "dtype" and isinstance(value, str) and _is_low(value) else _in_float32(value)
            for key, value in config.items()
        }
    return [_in_float32(value) for value in config] if isinstance(config, list) else config


def _is_low(policy: str) -> bool:
    return policy in {"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"}
