"""The plots of a training report: curves by epoch, classes, and the confusion matrix."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ...edge.bundle.contract import NUM_CLASSES
from ...edge.bundle.training_record import Epoch
from ...edge.common.pages.drawing import FIRST, INK, PAPER, SECOND, SIZE, draw, label_ends
from ...edge.common.pages.page import Svg
from ...edge.common.pages.scatter import ACCURACY_TICKS, error_of
from .figures import ValidationScores

# Inches.
SQUARE = (4.6, 4.6)
# Letters; ten longer names do not fit side by side.
LONGEST_LEVEL_NAME = 3
# The first digits to label between powers of ten, by the most powers of ten that the axis spans.
LABELLED = {0.5: "123456789", 1.0: "1234568", 1.5: "12346", math.inf: "25"}


def draw_accuracy(history: Sequence[Epoch], best_epoch: int, validation_count: int) -> Svg:
    """Plot training and validation accuracy by epoch, with the range near 100 % enlarged."""

    def paint(axes: Axes) -> None:
        axes.yaxis.set_inverted(True)
        _draw_curves(
            axes,
            [error_of(epoch.accuracy, validation_count) for epoch in history],
            [error_of(epoch.validation_accuracy, validation_count) for epoch in history],
        )
        _mark_best(axes, best_epoch, is_high=False)
        axes.set(ylabel="images read correctly, %")
        if _decades(axes) >= 1:
            axes.yaxis.set_major_locator(FixedLocator([1 - tick / 100 for tick in ACCURACY_TICKS]))
            axes.yaxis.set_minor_locator(NullLocator())
        _label(axes, lambda error: f"{100 * (1 - error):.6g}")

    return draw("Accuracy", SIZE, paint)


def draw_loss(history: Sequence[Epoch], best_epoch: int) -> Svg:
    """Plot training and validation loss by epoch, on a logarithmic axis."""

    def paint(axes: Axes) -> None:
        _draw_curves(axes, [epoch.loss for epoch in history], [epoch.validation_loss for epoch in history])
        _mark_best(axes, best_epoch, is_high=True)
        axes.set(ylabel="cross-entropy, nats")
        _label(axes, lambda loss: f"{loss:g}")

    return draw("Loss", SIZE, paint)


def draw_learning_rate(first: float, rates: Sequence[float], best_epoch: int) -> Svg:
    """Plot the learning rate at the first step and at the end of each epoch."""

    def paint(axes: Axes) -> None:
        axes.plot(range(len(rates) + 1), [first, *rates], color=FIRST, marker=_marker(len(rates)), markersize=4)
        axes.set(xlabel="epoch", ylabel="learning rate at its end", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _mark_best(axes, best_epoch, is_high=True)

    return draw("Learning rate", SIZE, paint)


def draw_seconds(history: Sequence[Epoch]) -> Svg:
    """Plot the duration of each epoch in seconds, including validation."""

    def paint(axes: Axes) -> None:
        axes.bar(range(1, len(history) + 1), [epoch.seconds for epoch in history], color=FIRST)
        axes.set(xlabel="epoch", ylabel="seconds")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return draw("Time per epoch", SIZE, paint)


def draw_classes(labels: Sequence[str], train: Sequence[int], validation: Sequence[int]) -> Svg:
    """Plot each class's share of the training and of the validation images, side by side; `labels` names them."""

    def paint(axes: Axes) -> None:
        width, places = 0.4, np.arange(NUM_CLASSES)
        shares = [100 * np.array(counts) / max(1, sum(counts)) for counts in (train, validation)]
        # Hatched as well, for readers who cannot tell two colours of equal brightness apart.
        hatched: Any = {"hatch": "////", "edgecolor": PAPER, "linewidth": 0}
        axes.bar(places - width / 2, shares[0], width, color=SECOND, label="training", **hatched)
        axes.bar(places + width / 2, shares[1], width, color=FIRST, label="validation")
        axes.set(xlabel="class", ylabel="share of the set, %")
        _name_across(axes, labels)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
        axes.legend(ncols=2, loc="upper center")
        axes.grid(visible=False, axis="x")

    return draw("Classes in each set", SIZE, paint)


def draw_confusion(labels: Sequence[str], scores: ValidationScores) -> Svg:
    """Plot the confusion matrix: true classes down, readings across; correct ones blue, mistakes orange."""
    matrix = np.array(scores.matrix)
    mistakes = matrix - np.diag(np.diag(matrix))

    def paint(axes: Axes) -> None:
        for label, predicted in np.argwhere(matrix > 0).tolist():
            right, count = label == predicted, int(matrix[label, predicted])
            depth = 0.35 * count / matrix[label].sum() if right else 0.15 + 0.5 * count / mistakes.max()
            box = (predicted - 0.5, label - 0.5)
            axes.add_patch(Rectangle(box, 1, 1, facecolor=FIRST if right else SECOND, alpha=depth, linewidth=0))
            axes.text(predicted, label, str(count), ha="center", va="center", fontsize=9.5)
        axes.set(xlabel="read as", ylabel="true class", xlim=(-0.5, 9.5), ylim=(9.5, -0.5))
        axes.set(aspect="equal")
        _name_across(axes, labels)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xticks(np.arange(NUM_CLASSES + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(NUM_CLASSES + 1) - 0.5, minor=True)
        axes.grid(visible=False, which="major")
        axes.grid(visible=True, which="minor")
        axes.tick_params(which="both", length=0)

    return draw("Confusion matrix", SQUARE, paint)


def _draw_curves(axes: Axes, train: Sequence[float], validation: Sequence[float]) -> None:
    """Draw both curves on a logarithmic axis, each with its name at its end."""
    epochs = range(1, len(train) + 1)
    marker = _marker(len(train))
    axes.plot(epochs, train, color=SECOND, linestyle="--", marker=marker, markersize=4)
    axes.plot(epochs, validation, color=FIRST, marker=marker, markersize=4)
    axes.set_xlabel("epoch")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_ends(axes, {"training": (len(train), train[-1], SECOND), "validation": (len(train), validation[-1], FIRST)})


def _name_across(axes: Axes, labels: Sequence[str]) -> None:
    """Draw a tick for each class; names too long to stand side by side are turned."""
    turned = max(map(len, labels)) > LONGEST_LEVEL_NAME
    slope: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    axes.set_xticks(range(len(labels)), labels, **slope)


def _marker(epochs: int) -> str | None:
    """Return a marker if there are few epochs, since a single one would draw no line."""
    return "o" if epochs <= 12 else None


def _mark_best(axes: Axes, best_epoch: int, is_high: bool) -> None:
    """Draw a line at the best epoch, with its name where the curves leave room: above or below."""
    axes.axvline(best_epoch, color=INK, linestyle=":", linewidth=1.2)
    place, align = (0.97, "top") if is_high else (0.03, "bottom")
    axes.annotate(f"best epoch: {best_epoch}", (best_epoch, place), (-2, 0), axes.get_xaxis_transform(), rotation=90,
                  textcoords="offset points", ha="right", va=align, fontsize=9)  # fmt: skip


def _decades(axes: Axes) -> float:
    """Count the powers of ten that the vertical axis spans."""
    low, high = sorted(axes.get_ylim())
    return math.log10(high / low)


def _label(axes: Axes, write: Callable[[float], str]) -> None:
    """Label powers of ten and, between them, as many figures as fit: fewer on an axis that spans more."""
    spanned = _decades(axes)
    digits = next(digits for decades, digits in LABELLED.items() if spanned < decades)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: write(value) if f"{value:e}"[0] in digits else ""))
