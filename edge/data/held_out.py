"""MNIST with its fixed split, and the 5,000 of its images that stand in for it without a network.

Every choice in this project (epoch, architecture, calibration, threshold) is made on validation, and test is
read only to report, so the split must be the same for everyone. It lives here, in the one stage that all others
may import.
"""

from dataclasses import dataclass
from pathlib import Path

from ..common.terminal.output import echo
from .datasets import (
    MNIST,
    SAMPLE,
    load_mnist,
    load_other,
    load_sample,
    split_sample_for_export,
    split_sample_for_training,
)
from .download import DataError
from .images import Images, Splits, first_per_class  # noqa: F401 - read from here by other stages


@dataclass(frozen=True)
class HeldOut:
    """Images on which a trained model may be calibrated, tuned and evaluated.

    Attributes:
        calibration_pool: Training images, or the part of the sample that is used for neither choices nor evaluation.
        validation: Images for every choice that an export makes.
        evaluations: Evaluation sets, the most meaningful first; figures are reported on that one.
        certain: Whether the model is known not to have been trained on the evaluation images.
    """

    calibration_pool: Images
    validation: Images
    evaluations: tuple[Images, ...]
    certain: bool


def held_out_images(trained_on: str | None, data_dir: Path | None = None) -> HeldOut:
    """Choose the evaluation images for a model: MNIST's test set, or a part of the sample if MNIST is not available.

    A model of another data set is evaluated on that set's own test images. Falling back to the sample is reported on
    stderr, and the sets' names carry it into every report.

    Args:
        trained_on: Name of the data set as in the card; None if it is unknown.
        data_dir: Folder as for `load_mnist` and `load_other`.

    Raises:
        DataError: The other data set is not available, or the sample in this installation is damaged.
    """
    if trained_on not in {MNIST, SAMPLE, None}:
        return _held_out(load_other(str(trained_on), data_dir))
    try:
        splits = load_mnist(data_dir)
    except DataError as error:
        sample = _held_out_of_sample(trained_on)
        echo(f"{error} Until then, the 5,000 images of {SAMPLE} are used.", err=True)
        return sample
    if trained_on == SAMPLE:
        return HeldOut(
            splits.train, split_sample_for_training(splits.validation).validation, (splits.test,), certain=True
        )
    # The sample is part of MNIST's training file, so only a model of our split is known not to have seen it.
    sample = (split_sample_for_export(splits.validation)[2],) if trained_on == MNIST else ()
    return HeldOut(splits.train, splits.validation, (splits.test, *sample), certain=True)


def _held_out_of_sample(trained_on: str | None) -> HeldOut:
    if trained_on == SAMPLE:
        return _held_out(split_sample_for_training())
    calibration, choice, evaluation = split_sample_for_export(load_sample())
    return HeldOut(calibration, choice, (evaluation,), certain=trained_on == MNIST)


def _held_out(splits: Splits) -> HeldOut:
    return HeldOut(splits.train, splits.validation, (splits.test,), certain=True)
