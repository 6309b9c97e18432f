"""Find the model to export. Keras is not imported, so that a wrong path is reported at once."""

import re
from dataclasses import dataclass
from pathlib import Path

from ...edge.bundle.contract import Convention
from ...edge.bundle.folder import MOST_FILE_BYTES, Bundle, open_bundle
from ...edge.bundle.shipped import SHIPPED
from ...edge.common.files import open_file, read_file
from ...edge.common.kinds import PROBE_BYTES, describe_mistake
from ..errors import ExportError


@dataclass(frozen=True)
class ModelSource:
    """A bundle or a single `.keras` file, with the convention of its model's inputs and outputs."""

    path: Path
    bundle: Bundle | None
    convention: Convention

    @property
    def name(self) -> str:
        """Name of the bundle made of a single file: anything but letters, digits, dots and dashes becomes a dash."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.path.stem).strip("._-") or "model"

    @property
    def default_out(self) -> Path:
        """Default output folder: a user's bundle itself, else a folder in the working directory."""
        return self.path if self.bundle and self.path.parent != SHIPPED.parent else Path(self.name)

    @property
    def trained_on(self) -> str | None:
        """Name of the training data; None if unknown."""
        return self.bundle.card.training.dataset if self.bundle and self.bundle.card.training else None

    def read(self) -> bytes:
        """Read the bytes of the `.keras` file.

        Raises:
            EdgeMnistError: The file cannot be read, is larger than any model for such images, or is not what the card
                describes.
        """
        return self.bundle.read(self.bundle.card.source) if self.bundle else read_file(self.path, MOST_FILE_BYTES)


def find_source(path: Path | None, convention: Convention | None = None) -> ModelSource:
    """Find the model that a path names; without a path, the shipped bundle.

    Args:
        path: A bundle or a `.keras` file.
        convention: The convention of a single file; a bundle's card states its own.

    Raises:
        ExportError: There is nothing at the path, or neither a bundle nor a `.keras` file; or a convention is given for
            a bundle.
        ModelCardError: The bundle's card or hashes are wrong.
    """
    path = path or SHIPPED
    if path.is_dir():
        if convention not in {None, Convention()}:
            raise ExportError(
                f"{path}: --pixels and --outputs are for single .keras files; a bundle's card states both. Leave "
                "them out."
            )
        bundle = open_bundle(path)
        return ModelSource(path, bundle, bundle.card.convention)
    if not path.exists():
        raise ExportError(f"{path}: no such file or folder. Expected a bundle or a .keras file.")
    if path.suffix != ".keras":
        with open_file(path) as file:
            found = describe_mistake(file.read(PROBE_BYTES))
        raise ExportError(
            f"{path}: expected a bundle or a .keras file, {found} (HDF5, .h5, and pickles can run code when "
            "loaded. If you trust the file, convert it: keras.models.load_model(...).save('model.keras').)"
        )
    return ModelSource(path, None, convention or Convention())
