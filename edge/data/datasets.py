"""All data sets that can be trained on, by the name that `--data` takes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle.contract import IMAGE_SHAPE
from ..common.npz import read_npz
from ..common.processes.child import first_line
from .download import MNIST_FILES, DataError, IdxSource, load_idx_file
from .images import DIGITS, Images, Splits, first_per_class
from .picture_folder import PREFIX, load_pictures

SAMPLE_CALIBRATION_PER_DIGIT = 50


SAMPLE_PER_DIGIT = 500


SAMPLE_FILE = Path(__file__).parent / "sample" / "mnist-sample-5k.npz"


# Of all its pixels and labels.
SAMPLE_BYTES = 10 * SAMPLE_PER_DIGIT * (28 * 28 + 1)


# Of the 5,000 images and labels, as bytes, images first.
SAMPLE_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


MNIST = "mnist"


SAMPLE = "mnist-sample-5k"


def load_mnist(data_dir: Path | None = None) -> Splits:
    """Read MNIST with the project's fixed split: train 55,000, validation 5,000, test 10,000.

    Validation is the first 500 of each digit in train order.

    Args:
        data_dir: Folder to search first; then `$EDGE_MNIST_DATA`, the user's cache, and the mirrors.

    Raises:
        DataError: All four files were found nowhere and no mirror could be reached.
    """
    return split_idx(MNIST, MNIST_FILES, data_dir)


def load_sample() -> Images:
    """Read the 5,000 validation images, pixel for pixel, from a file of this package: MNIST without a network.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        with SAMPLE_FILE.open("rb") as file:
            arrays = read_npz(file, SAMPLE_BYTES)
        sample = Images(SAMPLE, SAMPLE, arrays["pixels"], arrays["labels"], np.arange(10 * SAMPLE_PER_DIGIT))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{SAMPLE_FILE} cannot be read ({first_line(error)}). Reinstall edge-mnist.") from error
    if sample.sha256 != SAMPLE_SHA256:
        raise DataError(f"{SAMPLE_FILE} has SHA-256 {sample.sha256}, expected {SAMPLE_SHA256}. Reinstall edge-mnist.")
    return sample


def split_sample_for_training(sample: Images | None = None) -> Splits:
    """Split the offline sample for a quick training run: 4,000 train, 500 validation, 500 test.

    A model trained on these has seen images that are validation for every other model, and is labelled accordingly.

    Args:
        sample: The 5,000 images if they are loaded already (MNIST's validation split is the same).
    """
    sample = sample or load_sample()
    place = np.arange(len(sample)) % SAMPLE_PER_DIGIT
    return Splits(
        SAMPLE,
        train=sample.take(np.flatnonzero(place < 400), "mnist-sample-train-4000"),
        validation=sample.take(np.flatnonzero((place >= 400) & (place < 450)), "mnist-sample-validation-500"),
        test=sample.take(np.flatnonzero(place >= 450), "mnist-sample-test-500"),
    )


def split_sample_for_export(sample: Images) -> tuple[Images, Images, Images]:
    """Divide the 5,000 images (the sample's, or validation's: they are the same) for an export.

    All of them are held out of the training of every model that was trained on `load_mnist().train`.

    Returns:
        500 images for calibration, 500 for choices, 4,000 for evaluation.
    """
    place = np.arange(len(sample)) % SAMPLE_PER_DIGIT
    chosen_on = 2 * SAMPLE_CALIBRATION_PER_DIGIT
    return (
        sample.take(np.flatnonzero(place < SAMPLE_CALIBRATION_PER_DIGIT), "mnist-sample-calibration-500"),
        sample.take(
            np.flatnonzero((place >= SAMPLE_CALIBRATION_PER_DIGIT) & (place < chosen_on)), "mnist-sample-choice-500"
        ),
        sample.take(np.flatnonzero(place >= chosen_on), "mnist-sample-evaluation-4000"),
    )


VALIDATION_PER_CLASS = 500


def split_idx(name: str, published: IdxSource, data_dir: Path | None, labels: tuple[str, ...] = DIGITS) -> Splits:
    """Read the four files: train 55,000, validation 5,000 (the first 500 of each class in train order), test 10,000.

    Args:
        name: Name of the data set; the names of its parts begin with it.
        published: Files of the data set.
        data_dir: Folder to search first; then `$EDGE_MNIST_DATA`, the user's cache, and the mirrors.
        labels: Names of the ten classes.

    Raises:
        DataError: All four files were found nowhere and no mirror could be reached.
    """
    files = {file: load_idx_file(file, data_dir, published) for file in published.sha256}
    full = _parse(f"{name}-train-60k", files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"])
    test = _parse(f"{name}-test-10k", files["t10k-images-idx3-ubyte"], files["t10k-labels-idx1-ubyte"])
    held_out = first_per_class(full.labels, VALIDATION_PER_CLASS)
    rest = np.setdiff1d(np.arange(len(full)), held_out)
    return Splits(
        name,
        train=full.take(rest, f"{name}-train-55k"),
        validation=full.take(held_out, f"{name}-validation-5k"),
        test=test,
        labels=labels,
    )


def _parse(source: str, images: bytes, labels: bytes) -> Images:
    """Parse a pair of idx files; their hashes are known, so their headers (16 and 8 bytes) are too."""
    pixels: NDArray[np.uint8] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, *IMAGE_SHAPE)
    classes = np.frombuffer(labels, np.uint8, offset=8)
    return Images(source, source, pixels, classes, np.arange(len(classes)))


FASHION = "fashion-mnist"
# In the order of its labels.
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_FILES = IdxSource(
    "Fashion-MNIST",
    {
        "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    gzipped=True,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    folders=(FASHION,),
)


def load_fashion(data_dir: Path | None = None) -> Splits:
    """Read Fashion-MNIST, split as MNIST is.

    Args:
        data_dir: Folder to search first, for a subfolder `fashion-mnist`; then `$EDGE_MNIST_DATA`, the user's cache,
            and the mirrors.

    Raises:
        DataError: All four files were found nowhere and no mirror could be reached.
    """
    return split_idx(FASHION, FASHION_FILES, data_dir, CLASSES)


DATASETS: dict[str, Callable[[Path | None], Splits]] = {
    MNIST: load_mnist,
    SAMPLE: lambda _: split_sample_for_training(),
    FASHION: load_fashion,
}


def load_splits(data: str, data_dir: Path | None) -> Splits:
    """Read a data set.

    Args:
        data: A key of `DATASETS`, or a folder with a subfolder of pictures for each class.
        data_dir: Folder to search first for the files of MNIST and Fashion-MNIST.

    Raises:
        DataError: It is not available, or its content is not the expected one.
        PictureError: A file in the folder is not a picture.
    """
    return DATASETS[data](data_dir) if data in DATASETS else load_pictures(Path(data))


def load_other(name: str, data_dir: Path | None) -> Splits:
    """Read the data set that a card names.

    Args:
        name: `fashion-mnist`, or `folder:NAME`.
        data_dir: Folder as for `load_fashion`; for pictures the folder itself, whatever its current name.

    Raises:
        DataError: It is not available, its folder was not given, or the data set is unknown.
    """
    if name == FASHION:
        return load_fashion(data_dir)
    if not name.startswith(PREFIX):
        raise DataError(f"expected a data set that this version knows, got {name!r}. Update edge-mnist.")
    if data_dir is None:
        folder = name.removeprefix(PREFIX)
        raise DataError(
            f"the model was trained on the pictures of a folder named {folder}: pass its path with --data-dir."
        )
    return load_pictures(data_dir, name)
