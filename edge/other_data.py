"""Data sets other than MNIST, by the names that cards give them."""

from pathlib import Path

from .fashion import FASHION, load_fashion
from .images import Splits
from .mnist_files import DataError
from .picture_folder import PREFIX, load_pictures


def load_other(name: str, data_dir: Path | None) -> Splits:
    """Read the data set that a card names.

    Args:
        name: `fashion-mnist`, or `folder:NAME`.
        data_dir: See `load_fashion`; for pictures the folder itself, whatever it is called here.

    Raises:
        DataError: It cannot be had, or nobody said where it is, or no such data set is known.
    """
    if name == FASHION:
        return load_fashion(data_dir)
    if not name.startswith(PREFIX):
        raise DataError(f"expected a data set that this version knows, got {name!r}. Update edge-mnist.")
    if data_dir is None:
        folder = name.removeprefix(PREFIX)
        raise DataError(f"the model was trained on the pictures of a folder named {folder}: say where with --data-dir.")
    return load_pictures(data_dir, name)
