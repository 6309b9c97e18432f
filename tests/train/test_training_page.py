"""The training report's page: what it says of one run, that no two runs look alike, and axes that can be read."""

import html
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.training_record import Ancestor, Epoch
from edge_mnist.edge.common.pages.scatter import ACCURACY_TICKS
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.recipe import Recipe
from edge_mnist.train.report import plots
from edge_mnist.train.report import report as report_module
from edge_mnist.train.report.figures import TrainingReport, score_validation
from edge_mnist.train.report.page import MOST_CONFUSIONS, format_page
from edge_mnist.train.report.report import report_path

TEACHERS = tuple(Ancestor(name=name, sha256="a" * 64, datasets=("mnist",)) for name in ("old", "older"))


@pytest.fixture(scope="module")
def report(trained: Path) -> TrainingReport:
    """What training left beside the bundle."""
    return msgspec.json.decode(report_path(trained).with_suffix(".json").read_bytes(), type=TrainingReport)


def _format(report: TrainingReport, **changes: object) -> str:
    """The page of a training that was otherwise."""
    changed = msgspec.structs.replace(report, training=msgspec.structs.replace(report.training, **changes))
    album = report_module._fill_album(mnist.split_sample_for_training(), Recipe(epochs=4, seed=1), report.validation)
    return format_page(changed, album)


def test_the_page_tells_apart_the_two_losses_of_a_model_that_was_taught(report: TrainingReport) -> None:
    recipe = {**report.training.recipe, "teacher_weight": 0.75, "temperature": 4}

    taught, alone = _format(report, recipe=recipe, teachers=TEACHERS), _format(report, recipe=recipe)

    assert (
        "training's is 0.25 times that, and 12 times the one with the answers of old and older, for which logits are "
        "divided by 4." in html.unescape(taught)
    )
    assert "different quantities" not in alone


def test_pages_of_different_runs_of_a_network_have_different_titles(report: TrainingReport) -> None:
    runs: list[dict[str, object]] = [
        {}, {"seed": 2}, {"dataset": "other"}, {"start": TEACHERS[0]}, {"teachers": TEACHERS[:1]},
        {"teachers": TEACHERS},
    ]  # fmt: skip

    pages = [_format(report, **run) for run in runs]

    for pattern in ("<title>(.*?): training report</title>", "<h1>(.*?): how it was trained</h1>"):
        titles = [re.findall(pattern, page)[0] for page in pages]
        assert len(set(titles)) == len(runs)
        assert titles[0] == f"{report.name} on {report.training.dataset}, seed 1"
        assert titles[-1] == f"{titles[0]}, taught by old and older"


def _with_confusions(report: TrainingReport, counts: list[int]) -> TrainingReport:
    """Each count is of a confusion of its own, the commonest first."""
    pairs = [(label, predicted) for label in range(10) for predicted in range(10) if label != predicted]
    wrong = [pair for pair, count in zip(pairs, counts, strict=False) for _ in range(count)]
    labels, predicted = (np.array(side, np.uint8) for side in zip(*wrong, strict=True))
    images = mnist.Images("some", "some", np.zeros((len(wrong), 28, 28, 1), np.uint8), labels, np.arange(len(wrong)))
    scores = score_validation(np.eye(10, dtype=np.float32)[predicted], images)
    # Its mistakes are not of these images.
    return msgspec.structs.replace(
        report, validation=msgspec.structs.replace(report.validation, confusions=scores.confusions)
    )


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [([], None), ([1], "And 1 more, once."), ([1, 1, 1], "And 3 more, once each."), ([2], "And 1 more, 2 times."),
     ([2, 2], "And 2 more, 2 times each."), ([3, 1], "And 2 more, 3 times at most.")],
)  # fmt: skip
def test_the_page_says_which_confusions_its_table_leaves_out(
    report: TrainingReport, left_out: list[int], sentence: str | None
) -> None:
    page = _format(_with_confusions(report, [4] * MOST_CONFUSIONS + left_out))

    said = re.findall(r"And \d+ more, [^<]*", page)
    assert said == ([sentence] if sentence else [])


def test_on_paper_nothing_is_cut_off(report: TrainingReport) -> None:
    printed = _format(report).partition("@media print {")[2].partition("</style>")[0]

    assert ".scroll { overflow: visible; }" in printed
    assert "figure, tr, dd, svg, img { break-inside: avoid; }" in printed


def _epochs(*values: float) -> list[Epoch]:
    """As loss and as error, in training and on validation."""
    return [
        Epoch(loss=value, accuracy=1 - value, validation_loss=value, validation_accuracy=1 - value, seconds=1)
        for value in values
    ]


def _upright_labels(svg: str) -> list[float]:
    """The figures beside the upright axis."""
    return [float(text) for text in re.findall(r"<text[^>]*text-anchor: end[^>]*>([\d.]+)</text>", svg)]


@pytest.mark.parametrize(
    "values",
    [(1.5, 1.15), (0.9, 0.5), (0.75, 0.3), (0.02, 0.011), (0.5, 0.06)],
    ids=lambda one: f"{one[0]} to {one[1]}",
)
def test_axes_of_short_trainings_have_enough_figures(values: tuple[float, float]) -> None:
    history = _epochs(*values)

    loss = _upright_labels(plots.draw_loss(history, best_epoch=2))
    accuracy = _upright_labels(plots.draw_accuracy(history, best_epoch=2, validation_count=500))

    assert 4 <= len(loss) <= 10
    assert values[0] > 1 or 4 <= len(accuracy) <= 10


def test_axes_of_long_trainings_are_not_crowded() -> None:
    history = _epochs(0.9, 0.1, 0.01, 0.002)

    loss = _upright_labels(plots.draw_loss(history, best_epoch=4))
    accuracy = _upright_labels(plots.draw_accuracy(history, best_epoch=4, validation_count=500))

    assert {f"{figure:e}"[0] for figure in loss} == {"1", "2", "5"}
    assert set(accuracy) <= set(ACCURACY_TICKS)
    assert max(len(loss), len(accuracy)) <= 12
