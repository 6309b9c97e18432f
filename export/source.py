"""The Keras model to export: load it safely, check that it keeps the contract, and cut off its scaling."""

import zipfile
from pathlib import Path
from typing import Any

import keras

from ..edge.card import IMAGE_SHAPE, NUM_CLASSES, SCALING_LAYER
from .calibrate import ExportError


def load_source(path: Path, shown_as: Path) -> keras.Model:
    """Load a `.keras` file, in Keras's safe mode, which refuses code hidden in lambda layers.

    Args:
        path: The file.
        shown_as: What error messages call it.

    Raises:
        ExportError: Not a `.keras` file, one that cannot be loaded safely, or one that breaks the contract.
    """
    try:
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise ExportError(f"{shown_as}: cannot be loaded as a Keras model ({_first_line(error)}).") from error
    _check_contract(model, shown_as)
    return model


def behind_scaling(model: keras.Model) -> keras.Model:
    """The network without its scaling layer: float32 [N, 28, 28, 1] in [0, 1] in, logits out, the same weights.

    A full-integer file says "integer * 1/255" by its input's scale, so that raw pixels enter without an operator.
    """
    return keras.Model(model.get_layer(SCALING_LAYER).output, model.output, name=model.name)


def _check_contract(model: keras.Model, path: Path) -> None:
    wanted = f"uint8 [N, {', '.join(map(str, IMAGE_SHAPE))}] in, [N, {NUM_CLASSES}] logits out"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(f"{path}: expected one input and one output ({wanted}), got {len(model.inputs)} and "
                          f"{len(model.outputs)}.")  # fmt: skip
    shape, dtype, classes = model.inputs[0].shape[1:], model.inputs[0].dtype, model.outputs[0].shape[1:]
    if (shape, dtype, classes) != (IMAGE_SHAPE, "uint8", (NUM_CLASSES,)):
        raise ExportError(f"{path}: expected {wanted}, got {dtype} {shape} in, {classes} out.")
    if not any(layer.name == SCALING_LAYER and isinstance(layer, keras.layers.Rescaling) for layer in model.layers):
        raise ExportError(
            f"{path}: expected the first layer to be keras.layers.Rescaling(1 / 255, name={SCALING_LAYER!r})."
        )
    if getattr(model.layers[-1], "activation", None) is keras.activations.softmax:
        raise ExportError(f"{path}: expected logits, but the last layer applies softmax. Remove its activation.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
