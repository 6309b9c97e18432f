"""A trained model's figures on its validation images: scores per class, confusions, and every mistake.

Classes are numbers here, 0 to 9; the card has their names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import NUM_CLASSES, ArchitectureRecord
from ...edge.bundle.training_record import Epoch, Training
from ...edge.common.statistics import mcnemar_p, wilson_interval
from ...edge.data.images import Images
from ...edge.runtimes.abstention import estimate_class_probability
from ..augmentation.outliers import DrawnImages
from ..fitting.backend import in_batches, use_xla
from ..zoo import logistic

REPORT_VERSION = 2


@dataclass(frozen=True)
class PagePictures:
    """The pictures of the page.

    Attributes:
        samples: The first training images of each class, uint8 [SAMPLES, 28, 28, 1]; fewer if a class has fewer.
        variants: For each class an image, unchanged and then distorted, uint8 [1 + VARIANTS, 28, 28, 1].
        extras: Examples of the extra images, if any are drawn.
        mistakes: The misread validation images, uint8 [N, 28, 28, 1], in the order of the report.
    """

    samples: list[NDArray[np.uint8]]
    variants: list[NDArray[np.uint8]]
    extras: DrawnImages
    mistakes: NDArray[np.uint8]


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the classification report; `support` is the number of images of the class.

    `precision` is None if nothing was read as the class, `recall` if it has no image, `f1` if both hold.
    """

    label: int
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """The number of times that one class was read as another."""

    label: int
    predicted: int
    count: int


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A misread image: its index in its source file, and the uncalibrated softmax of the class it was read as."""

    index: int
    label: int
    predicted: int
    confidence: float


class ValidationScores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of the kept weights on validation.

    Attributes:
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        matrix: Number of images of each class (row) that were read as each class (column), [10][10].
        confusions: Confusions, the most common first.
        mistakes: Misread images, the most certain first.
    """

    correct: int
    count: int
    interval: tuple[float, float]
    matrix: list[list[int]]
    classes: list[ClassScore]
    confusions: list[Confusion]
    mistakes: list[Mistake]


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """The model compared with logistic regression on the same validation images.

    Attributes:
        baseline_correct: Images that logistic regression reads correctly.
        gain_pp: Accuracy gained over the baseline, in percentage points.
        won: Number of images that only the model reads correctly.
        lost: Number of images that only the baseline reads correctly.
        p: Exact McNemar p-value of the comparison.
        seconds: Duration of the baseline's fit, in seconds.
    """

    baseline_correct: int
    interval: tuple[float, float]
    gain_pp: float
    won: int
    lost: int
    p: float
    seconds: float


def score_validation(logits: NDArray[np.float32], images: Images) -> ValidationScores:
    """Score logits, float32 [N, 10], on these images."""
    predicted = logits.argmax(axis=1)
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    np.add.at(matrix, (images.labels, predicted), 1)
    correct = int(np.trace(matrix))
    return ValidationScores(
        correct=correct,
        count=len(images),
        interval=wilson_interval(correct, len(images)),
        matrix=matrix.tolist(),
        classes=[_score_class(matrix, label) for label in range(NUM_CLASSES)],
        confusions=_rank_confusions(matrix),
        mistakes=_list_mistakes(logits, images),
    )


def compare_with_baseline(
    predicted: NDArray[np.int64], baseline: NDArray[np.int64], labels: NDArray[np.uint8], seconds: float
) -> Gain:
    """Compare two readings of the same images in pairs; all arrays are [N]."""
    right, baseline_right = predicted == labels, baseline == labels
    won, lost = int((right & ~baseline_right).sum()), int((baseline_right & ~right).sum())
    correct = int(baseline_right.sum())
    return Gain(
        baseline_correct=correct,
        interval=wilson_interval(correct, len(labels)),
        gain_pp=100 * (won - lost) / len(labels),
        won=won,
        lost=lost,
        p=mcnemar_p(won, lost),
        seconds=round(seconds, 2),
    )


def _score_class(matrix: NDArray[np.int64], label: int) -> ClassScore:
    hits, read, shown = (int(n) for n in (matrix[label, label], matrix[:, label].sum(), matrix[label].sum()))
    return ClassScore(
        label=label,
        precision=hits / read if read else None,
        recall=hits / shown if shown else None,
        f1=2 * hits / (read + shown) if read + shown else None,
        support=shown,
    )


def _rank_confusions(matrix: NDArray[np.int64]) -> list[Confusion]:
    found = [
        Confusion(label=label, predicted=predicted, count=int(matrix[label, predicted]))
        for label, predicted in np.argwhere(matrix > 0).tolist()
        if label != predicted
    ]
    return sorted(found, key=lambda one: (-one.count, one.label, one.predicted))


def _list_mistakes(logits: NDArray[np.float32], images: Images) -> list[Mistake]:
    predicted, confidence = logits.argmax(axis=1), estimate_class_probability(logits, temperature=1.0)
    wrong = np.flatnonzero(predicted != images.labels)
    return [
        Mistake(
            index=int(images.indices[place]),
            label=int(images.labels[place]),
            predicted=int(predicted[place]),
            confidence=round(float(confidence[place]), 4),
        )
        for place in wrong[np.argsort(-confidence[wrong], kind="stable")]
    ]


# Shares of the validation images. Runs on MNIST are compared at 99.4 and 99.7 %; the others lead there.
ACCURACIES = (0.98, 0.99, 0.994, 0.995, 0.997, 0.998)


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """An accuracy, and when each run first reached it on validation; None if it never did.

    Attributes:
        accuracy: Accuracy in [0, 1].
        epochs: First epoch with this accuracy in each run, counted from 1.
        seconds: Time in each run from the start of the first epoch, including compilation, to the end of that epoch,
            including validation.
    """

    accuracy: float
    epochs: list[int | None]
    seconds: list[float | None]


def find_milestones(histories: Sequence[Sequence[Epoch]]) -> list[Milestone]:
    """Find when runs of one recipe reached each of `ACCURACIES`, in their order.

    Args:
        histories: All epochs of each run. Interruptions between epochs do not count.
    """
    return [_find(accuracy, histories) for accuracy in ACCURACIES]


def _find(accuracy: float, histories: Sequence[Sequence[Epoch]]) -> Milestone:
    epochs = [
        next((place for place, epoch in enumerate(history, 1) if epoch.validation_accuracy >= accuracy), None)
        for history in histories
    ]
    seconds = [
        None if place is None else round(sum(epoch.seconds for epoch in history[:place]), 1)
        for place, history in zip(epochs, histories, strict=True)
    ]
    return Milestone(accuracy=accuracy, epochs=epochs, seconds=seconds)


# Enough for validation accuracy to stop rising on MNIST.
EPOCHS = 8
BATCH = 100
LEARNING_RATE = 0.01


def fit_baseline(train: Images, seed: int) -> keras.Model:
    """Fit logistic regression to undistorted training images, by Adam with a learning rate that falls to 0."""
    keras.utils.set_random_seed(seed)
    model: Any = logistic()
    steps = EPOCHS * -(-len(train) // BATCH)
    rate: Any = keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, steps, end_learning_rate=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=use_xla())
    random = np.random.default_rng(seed)
    silent: Any = 0  # Keras's annotation of `verbose` is wrong
    for _ in range(EPOCHS):
        order = random.permutation(len(train))
        model.fit(**in_batches(BATCH, train.pixels[order], train.labels[order]), shuffle=False, verbose=silent)
    return model


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a run.

    Attributes:
        model_sha256: SHA-256 of the bundle's `model.keras`.
        labels: The names of the ten classes, as in the card.
        training: The card's record: command, seed, recipe, every epoch, the best one, device, versions.
        learning_rates: Learning rate at the end of each epoch.
        median_epoch_seconds: Median duration of an epoch, including validation.
        milestones: When each seed reached which accuracy; in the order of the seeds.
        train_counts: Number of training images of each class; `validation_counts` likewise for validation.
        extras_per_epoch: Images drawn beside the training images, most of which belong to no class.
        gain: Comparison with logistic regression.
    """

    report_version: int = REPORT_VERSION
    name: str
    model_sha256: str
    labels: tuple[str, ...]
    architecture: ArchitectureRecord
    training: Training
    learning_rates: list[float]
    median_epoch_seconds: float
    milestones: list[Milestone]
    train_counts: list[int]
    validation_counts: list[int]
    extras_per_epoch: int
    validation: ValidationScores
    gain: Gain
