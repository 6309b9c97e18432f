"""What a trained model makes of its validation images: class by class, which it takes for which, and every mistake.

Classes are numbers here, 0 to 9; the card has their names.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.abstention import estimate_class_probability
from ..edge.card import NUM_CLASSES
from ..edge.mnist import Images
from ..edge.statistics import mcnemar_p, wilson_interval


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the classification report; `support` is how many images the class has.

    `precision` is None where nothing was taken for the class, `recall` where it has no image, `f1` where neither.
    """

    label: int
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often one class was taken for another one."""

    label: int
    predicted: int
    count: int


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A misread image: its index in its source file, and the softmax of the class it was taken for, uncalibrated."""

    index: int
    label: int
    predicted: int
    confidence: float


class ValidationScores(msgspec.Struct, frozen=True, kw_only=True):
    """The kept weights on validation.

    Attributes:
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        matrix: How many images of each class (row) were taken for each (column).
        confusions: The commonest first.
        mistakes: The surest first.
    """

    correct: int
    count: int
    interval: tuple[float, float]
    matrix: list[list[int]]
    classes: list[ClassScore]
    confusions: list[Confusion]
    mistakes: list[Mistake]


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """The model beside logistic regression on the same validation images.

    Attributes:
        baseline_correct: Images that logistic regression reads correctly.
        gain_pp: Accuracy gained over it, in percentage points.
        won: Images that the model reads and the baseline does not.
        lost: The reverse.
        p: Exact McNemar p-value of the two.
        seconds: The baseline's fit took.
    """

    baseline_correct: int
    interval: tuple[float, float]
    gain_pp: float
    won: int
    lost: int
    p: float
    seconds: float


def score_validation(logits: NDArray[np.float32], images: Images) -> ValidationScores:
    """Score logits, float32 [N, 10], of these images."""
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
    """Compare two readings of the same images in pairs; all [N]."""
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
