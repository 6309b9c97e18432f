"""The source of an export: load it safely, and remove its scaling layer."""

from pathlib import Path

import keras

from ...edge.bundle.contract import SCALING_LAYER, Convention
from ...edge.runtimes.keras_files import load_keras_file
from ..errors import ExportError
from .adopt import check_shapes, wrap_in_contract


def load_source(path: Path, shown_as: Path, convention: Convention | None = None) -> keras.Model:
    """Load a `.keras` file and adopt it; Keras's safe mode refuses code hidden in lambda layers.

    Args:
        path: The file.
        shown_as: The path to show in error messages.
        convention: The convention of inputs and outputs; by default that of this project's own models.

    Returns:
        A model with raw pixels, uint8 [N, 28, 28, 1], in; logits, [N, 10], out; a layer named `SCALING_LAYER` first.

    Raises:
        EdgeMnistError: The file is not a `.keras` file, or cannot be loaded safely.
        ExportError: The model does not fit the contract.
    """
    model = load_keras_file(path.read_bytes(), str(shown_as))
    if not isinstance(model, (keras.Sequential, keras.models.Model)) or not getattr(model, "inputs", None):
        raise ExportError(f"{shown_as}: expected a functional or sequential Keras model, got {type(model).__name__}.")
    check_shapes(model, shown_as)
    return wrap_in_contract(model, convention or Convention(), shown_as)


def behind_scaling(model: keras.Model) -> keras.Model:
    """Return the network without its scaling layer: float32 [N, 28, 28, 1] in [0, 1] (or [0, 255]) in, logits out.

    A full-integer file states "integer * 1/255" as its input's scale, so that raw pixels enter without an operator. The
    weights are shared, not copied.
    """
    return keras.Model(model.get_layer(SCALING_LAYER).output, model.output, name=model.name)


def input_scale(model: keras.Model) -> float:
    """Return the factor of the scaling layer: 1/255, or 1 for a network that reads 0 to 255."""
    return float(model.get_layer(SCALING_LAYER).scale)
