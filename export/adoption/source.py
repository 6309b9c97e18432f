"""What is to be exported: find it, load it safely, and cut off its scaling."""

import re
from dataclasses import dataclass
from pathlib import Path

import keras

from ...edge.bundle.card import SCALING_LAYER, Convention
from ...edge.bundle.folder import MOST_FILE_BYTES, Bundle, open_bundle
from ...edge.bundle.shipped import SHIPPED
from ...edge.common.files import open_file, read_file
from ...edge.common.kinds import PROBE_BYTES, describe_mistake
from ...edge.runtimes.keras_files import load_keras_file
from ..errors import ExportError
from .adopt import check_shapes, wrap_in_contract


@dataclass(frozen=True)
class ModelSource:
    """A bundle, or a lone `.keras` file, and what the model in it reads and gives."""

    path: Path
    bundle: Bundle | None
    convention: Convention

    @property
    def name(self) -> str:
        """For a lone file's bundle: what is not a letter, digit, dot or dash becomes a dash."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.path.stem).strip("._-") or "model"

    @property
    def default_out(self) -> Path:
        """A bundle of one's own is extended in place; a shipped one and a lone file get a folder here."""
        return self.path if self.bundle and self.path.parent != SHIPPED.parent else Path(self.name)

    @property
    def trained_on(self) -> str | None:
        """The name of the training data, None where nobody knows."""
        return self.bundle.card.training.dataset if self.bundle and self.bundle.card.training else None

    def read(self) -> bytes:
        """The `.keras` file's bytes.

        Raises:
            EdgeMnistError: It cannot be read, is larger than any model for such images, or is not what the card says.
        """
        return self.bundle.read(self.bundle.card.source) if self.bundle else read_file(self.path, MOST_FILE_BYTES)


def find_source(path: Path | None, convention: Convention | None = None) -> ModelSource:
    """Decide what a path means; without one, the shipped bundle.

    Args:
        path: A bundle or a `.keras` file.
        convention: What a lone file reads and gives; a bundle's card knows.

    Raises:
        ExportError: There is nothing, or something that is neither a bundle nor a `.keras` file; or a convention for a
            bundle.
        ModelCardError: A bundle whose card or hashes do not hold.
    """
    path = path or SHIPPED
    if path.is_dir():
        if convention not in {None, Convention()}:
            raise ExportError(f"{path}: --pixels and --outputs are for lone .keras files; a bundle's card knows.")
        bundle = open_bundle(path)
        return ModelSource(path, bundle, bundle.card.convention)
    if not path.exists():
        raise ExportError(f"{path}: no such file or folder. Expected a bundle or a .keras file.")
    if path.suffix != ".keras":
        with open_file(path) as file:
            found = describe_mistake(file.read(PROBE_BYTES))
        raise ExportError(
            f"{path}: expected a bundle or a .keras file, {found} (HDF5, .h5, and pickles can run code when loaded, "
            "whatever is asked; if you trust yours, convert it: keras.models.load_model(...).save('model.keras').)"
        )
    return ModelSource(path, None, convention or Convention())


def load_source(path: Path, shown_as: Path, convention: Convention | None = None) -> keras.Model:
    """Load a `.keras` file, in Keras's safe mode, which refuses code hidden in lambda layers, and adopt it.

    Args:
        path: The file.
        shown_as: What error messages call it.
        convention: What it reads and gives; by default what this project's own models do.

    Returns:
        Raw pixels, uint8 [N, 28, 28, 1], in; logits, [N, 10], out; a layer named `SCALING_LAYER` at the head.

    Raises:
        KerasFileError: Not a `.keras` file, or one that cannot be loaded safely.
        ExportError: The contract does not fit it.
    """
    model = load_keras_file(path.read_bytes(), str(shown_as))
    if not isinstance(model, (keras.Sequential, keras.models.Model)) or not getattr(model, "inputs", None):
        raise ExportError(f"{shown_as}: expected a functional or sequential Keras model, got {type(model).__name__}.")
    check_shapes(model, shown_as)
    return wrap_in_contract(model, convention or Convention(), shown_as)


def behind_scaling(model: keras.Model) -> keras.Model:
    """The network without its scaling layer: float32 [N, 28, 28, 1] in [0, 1] (or [0, 255]) in, logits out.

    A full-integer file says "integer * 1/255" by its input's scale, so that raw pixels enter without an operator. The
    weights are the same, not copies.
    """
    return keras.Model(model.get_layer(SCALING_LAYER).output, model.output, name=model.name)


def input_scale(model: keras.Model) -> float:
    """What the scaling layer multiplies a pixel by: 1/255, or 1 for a network that wants 0 to 255."""
    return float(model.get_layer(SCALING_LAYER).scale)
