"""How soon a run got where: the seconds until validation first reached an accuracy."""

from collections.abc import Sequence

import msgspec

from ..edge.card import Epoch

# Shares of the validation images. 99.4 and 99.7 % are where runs on MNIST are compared; the rest leads there.
ACCURACIES = (0.98, 0.99, 0.994, 0.995, 0.997, 0.998)


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """An accuracy and when each run first reached it on validation; None where it never did.

    Attributes:
        accuracy: In [0, 1].
        epochs: Counted from 1, of each run.
        seconds: From the beginning of the first epoch, whose compilation counts, to the end of that one, whose
            validation counts; of each run.
    """

    accuracy: float
    epochs: list[int | None]
    seconds: list[float | None]


def find_milestones(histories: Sequence[Sequence[Epoch]]) -> list[Milestone]:
    """When runs of one recipe reached each of `ACCURACIES`, in their order.

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
