"""Models that did not come from this project: put its contract around what they read and give.

A copy of the model gets a head that takes raw pixels to what the model wants, and loses its softmax. The copy is as
flat as the model was, so that everything else works on it as on a model of our own.
"""

import re
from typing import Any

import keras
import numpy as np
from keras import layers

from ..edge.card import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER, Convention
from ..edge.mnist import Images
from ..edge.shares import format_share
from .calibrate import ExportError

# From [0, 1] to what the model reads. For 0-255 the scaling layer itself only casts, which int8 files express exactly.
FURTHER_SCALING = {"-1-1": {"scale": 2.0, "offset": -1.0}}
# A convention is contradicted where another makes the model read this many points more.
CONTRADICTION = 0.10
HOW = "Say what it reads with --pixels 0-1, 0-255 or -1-1 (paper to ink)."


def keeps_contract(model: keras.Model) -> bool:
    """Whether the model takes raw pixels through the scaling layer that exporters cut at."""
    scaled = any(layer.name == SCALING_LAYER and isinstance(layer, layers.Rescaling) for layer in model.layers)
    return scaled and model.inputs[0].dtype == "uint8"


def check_shapes(model: keras.Model, path: Any) -> None:
    """Refuse a model for other pictures or classes.

    Raises:
        ExportError: Not one input [N, 28, 28, 1] (or [N, 28, 28]) and one output [N, 10].
    """
    wanted = f"one input [N, {', '.join(map(str, IMAGE_SHAPE))}] and one output [N, {NUM_CLASSES}]"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            f"{path}: expected {wanted}, got {len(model.inputs)} inputs and {len(model.outputs)} outputs."
        )
    shape, classes = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:])
    if shape not in {IMAGE_SHAPE, IMAGE_SHAPE[:2]} or classes != (NUM_CLASSES,):
        raise ExportError(f"{path}: expected {wanted}, got {list(shape)} in and {list(classes)} out.")


def adopt(model: keras.Model, convention: Convention, path: Any) -> keras.Model:
    """Put the contract around a model: raw pixels in, logits out.

    Args:
        model: With the right shapes.
        convention: What it reads and gives.
        path: What error messages call it.

    Raises:
        ExportError: It reads floats and the convention does not say which, or the reverse; it has a softmax that the
            convention does not mention, or none that can be taken off.
    """
    is_raw = model.inputs[0].dtype == "uint8"
    if is_raw != (convention.pixels == "uint8"):
        raise ExportError(
            f"{path}: reads raw uint8 pixels; leave out --pixels."
            if is_raw
            else f"{path}: reads {model.inputs[0].dtype} numbers, and which is not known. {HOW}"
        )
    last = model.outputs[0]._keras_history.operation
    _check_softmax(last, convention, path)
    if keeps_contract(model) and convention.outputs == "logits":
        return model
    head = _Head(convention, flat=len(model.inputs[0].shape) == 3)
    return _copy(model, head, last if convention.outputs == "softmax" else None, path)


def check_convention(model: keras.Model, convention: Convention, images: Images, path: Any) -> None:
    """Refuse a convention that the model's own accuracy contradicts.

    Args:
        model: Adopted.
        convention: It was adopted with.
        images: Some that it should read.
        path: What error messages call it.

    Raises:
        ExportError: Under another convention, or inverted, it reads clearly more of them; or it cannot be run at all.
    """
    pixels = images.pixels.astype(np.float32)
    rivals = {"inverted (0 = ink)": 255 - pixels}
    if convention.pixels == "0-1":
        rivals |= {"0-255": pixels * 255, "-1-1": pixels * 2 - 255}
    elif convention.pixels == "0-255":
        rivals |= {"0-1": pixels / 255, "-1-1": pixels / 127.5 - 1}
    elif convention.pixels == "-1-1":
        rivals |= {"0-1": (pixels / 255 + 1) * 127.5, "0-255": (pixels + 1) * 127.5}
    try:
        network = _behind_cast(model)
        declared = _accuracy(network, pixels, images)
        found = {name: _accuracy(network, changed, images) for name, changed in rivals.items()}
    except Exception as error:
        # The model's own layers run here for the first time.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{path}: cannot be run ({reason}).") from error
    best = max(found, key=lambda name: found[name])
    if found[best] > declared + CONTRADICTION:
        advice = "Train it with 0 = paper." if best.startswith("inverted") else f"Pass --pixels {best}."
        raise ExportError(
            f"{path}: reads {format_share(declared, 0)} of {len(images)} digits as {convention.pixels}, but "
            f"{format_share(found[best], 0)} as {best}. {advice}"
        )


# Of its layers: whose network has such names, too, gets others for his.
HEAD_NAMES = {"pixels", SCALING_LAYER, "to_own_range", "without_channel"}


class _Head:
    """What stands between raw pixels and the model's first layers; built when first reached."""

    def __init__(self, convention: Convention, flat: bool) -> None:
        self.pixels = keras.Input(IMAGE_SHAPE, dtype="uint8", name="pixels")
        scale = 1.0 if convention.pixels in {"uint8", "0-255"} else 1 / 255
        x = layers.Rescaling(scale, name=SCALING_LAYER)(self.pixels)
        if convention.pixels in FURTHER_SCALING:
            x = layers.Rescaling(**FURTHER_SCALING[convention.pixels], name="to_own_range")(x)
        self.tensor = layers.Reshape(IMAGE_SHAPE[:2], name="without_channel")(x) if flat else x


def _copy(model: keras.Model, head: _Head, without_softmax: Any, path: Any) -> keras.Model:
    """Rebuild the model's graph behind the head, layer by layer, with the same weights."""
    copies: dict[Any, Any] = {}

    def copy(layer: Any) -> Any:
        if layer not in copies:
            copies[layer] = _without_softmax(layer) if layer is without_softmax else _clone(layer)
        return copies[layer]

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        behind_head: Any = keras.tree.map_structure(
            lambda tensor: head.tensor if tensor is head.pixels else tensor, arguments
        )
        # What took the softmax's place takes no mask.
        return layer(*behind_head, **({} if layer is copies.get(without_softmax) else options))

    functional = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    try:
        built: Any = keras.models.clone_model(
            functional, input_tensors=head.pixels, clone_function=copy, call_function=call
        )
    except Exception as error:
        # Layers of all kinds run their own code here.
        raise ExportError(f"{path}: cannot be rebuilt behind raw pixels ({error}).") from error
    for original, rebuilt in copies.items():
        if isinstance(original, layers.Layer) and original.weights:
            rebuilt.set_weights(original.get_weights())
    return built


def _clone(layer: Any, **changes: Any) -> Any:
    """A layer like this one, by a name that TensorFlow takes for a scope and the head has not taken."""
    config = layer.get_config() | changes
    if "name" in config:
        name = re.sub(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_.-]", "_", config["name"]).lstrip("_") or "layer"
        config["name"] = f"own_{name}" if name in HEAD_NAMES else name
    return type(layer).from_config(config)


def _check_softmax(last: Any, convention: Convention, path: Any) -> None:
    ends_in_softmax = isinstance(last, layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax
    if ends_in_softmax and convention.outputs == "logits":
        raise ExportError(f"{path}: expected logits, but the last layer applies softmax. Pass --outputs softmax.")
    if not ends_in_softmax and convention.outputs == "softmax":
        raise ExportError(f"{path}: --outputs softmax, but the last layer, {last.name}, applies none. Leave it out.")


def _without_softmax(layer: Any) -> Any:
    if isinstance(layer, layers.Softmax):
        return layers.Activation("linear", name=layer.name)
    return _clone(layer, activation="linear")


def _behind_cast(model: keras.Model) -> keras.Model:
    """The whole model as a function of float pixels, so that other ranges can be tried."""
    pixels = keras.Input(IMAGE_SHAPE)
    unit = layers.Rescaling(model.get_layer(SCALING_LAYER).scale)(pixels)
    return keras.Model(pixels, keras.Model(model.get_layer(SCALING_LAYER).output, model.output)(unit))


def _accuracy(network: keras.Model, pixels: np.ndarray, images: Images) -> float:
    logits = network.predict(pixels, batch_size=500, verbose=0)  # pyright: ignore[reportArgumentType]
    return float((logits.argmax(axis=1) == images.labels).mean())
