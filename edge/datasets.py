"""Every data set that can be trained on, by the name that `--data` takes."""

from collections.abc import Callable
from pathlib import Path

from .fashion import FASHION, load_fashion
from .images import Splits
from .mnist import MNIST, SAMPLE, load_mnist, sample_splits
from .picture_folder import load_pictures

DATASETS: dict[str, Callable[[Path | None], Splits]] = {
    MNIST: load_mnist,
    SAMPLE: lambda _: sample_splits(),
    FASHION: load_fashion,
}


def load_splits(data: str, data_dir: Path | None) -> Splits:
    """Read a data set.

    Args:
        data: A key of `DATASETS`, or a folder with a subfolder of pictures for each class.
        data_dir: Where the files of MNIST and Fashion-MNIST are looked for first.

    Raises:
        DataError: It cannot be had, or it is not what was expected.
        PictureError: A file in the folder is no picture.
    """
    return DATASETS[data](data_dir) if data in DATASETS else load_pictures(Path(data))
