"""The training report: true figures, of training and validation alone, on a page that stands by itself."""

import dataclasses
import hashlib
import html
import re
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.training_record import Ancestor, Epoch, SeedRun, SeedTrials
from edge_mnist.edge.common.pages.drawing import VARIABLES
from edge_mnist.edge.common.terminal.formatting import format_confidence
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.data.images import Images
from edge_mnist.train.augmentation.augment import Augment
from edge_mnist.train.augmentation.distortion import Distortion
from edge_mnist.train.errors import TrainError
from edge_mnist.train.fitting import fit as fit_module
from edge_mnist.train.fitting.backend import predict_batches
from edge_mnist.train.fitting.seeds import TrainedModel
from edge_mnist.train.recipe import Recipe
from edge_mnist.train.report import plots
from edge_mnist.train.report import report as report_module
from edge_mnist.train.report.figures import (
    TrainingReport,
    compare_with_baseline,
    find_milestones,
    fit_baseline,
    score_validation,
)
from edge_mnist.train.report.page import format_page
from edge_mnist.train.report.report import report_path, write_report
from edge_mnist.train.schedule import make_schedule, sample_schedule
from edge_mnist.train.zoo import ZOO
from tests.builders.parsed_page import ParsedPage
from tests.conftest import edge_mnist

# As the fixture `trained` is.
RECIPE = Recipe(epochs=4, seed=1, batch_size=64)
DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def bundle(trained: Path) -> Bundle:
    return open_bundle(trained)


@pytest.fixture(scope="module")
def report(bundle: Bundle) -> TrainingReport:
    """What training left beside the bundle."""
    return msgspec.json.decode(report_path(bundle.path).with_suffix(".json").read_bytes(), type=TrainingReport)


@pytest.fixture(scope="module")
def page(bundle: Bundle) -> str:
    return report_path(bundle.path).read_text()


@pytest.fixture(scope="module")
def run(bundle: Bundle) -> TrainedModel:
    """What training had in its hands when it wrote the report."""
    training = bundle.card.training
    assert training is not None
    model: Any = keras.saving.load_model(bundle.path / "model.keras", compile=False)
    return TrainedModel(model, RECIPE, training.history, training.best_epoch)


def _score(labels: list[int], predicted: list[int]) -> Any:
    images = mnist.Images(
        "some", "some", np.zeros((len(labels), 28, 28, 1), np.uint8), np.array(labels, np.uint8), np.arange(len(labels))
    )
    return score_validation(np.eye(10, dtype=np.float32)[predicted], images)


def test_the_report_names_the_model_that_it_is_about(bundle: Bundle, report: TrainingReport) -> None:
    assert report.model_sha256 == hashlib.sha256((bundle.path / "model.keras").read_bytes()).hexdigest()
    assert report.training == bundle.card.training
    assert report.architecture == bundle.card.architecture


def test_the_report_says_when_training_reached_what(report: TrainingReport) -> None:
    assert report.milestones == find_milestones([report.training.history])


def test_the_kept_weights_score_what_training_said_of_them(report: TrainingReport) -> None:
    best = report.training.history[report.training.best_epoch - 1]

    assert report.validation.correct / report.validation.count == pytest.approx(best.validation_accuracy)
    assert report.validation.count == report.training.validation.count == sum(report.validation_counts)


def test_all_figures_are_of_one_confusion_matrix(report: TrainingReport) -> None:
    matrix = np.array(report.validation.matrix)
    wrong = report.validation.count - report.validation.correct

    assert (matrix.trace(), matrix.sum()) == (report.validation.correct, report.validation.count)
    assert matrix.sum(axis=1).tolist() == report.validation_counts
    assert sum(one.count for one in report.validation.confusions) == len(report.validation.mistakes) == wrong
    assert [one.support for one in report.validation.classes] == report.validation_counts


def test_precision_recall_and_f1_of_a_class() -> None:
    scores = _score([3, 3, 3, 3, 5], [3, 3, 3, 8, 3])

    three, five, eight, nine = (scores.classes[label] for label in (3, 5, 8, 9))
    assert (three.precision, three.recall, three.f1, three.support) == (0.75, 0.75, 0.75, 4)
    assert (five.precision, five.recall, five.f1) == (None, 0.0, 0.0)
    assert (eight.precision, eight.recall, eight.f1) == (0.0, None, 0.0)
    assert (nine.precision, nine.recall, nine.f1) == (None, None, None)


def test_the_commonest_confusion_and_the_surest_mistake_come_first() -> None:
    images = mnist.Images("s", "s", np.zeros((4, 28, 28, 1), np.uint8), np.array([4, 7, 7, 0], np.uint8), np.arange(4))
    logits = np.zeros((4, 10), np.float32)
    logits[range(4), [9, 1, 1, 0]] = 1, 3, 2, 5

    scores = score_validation(logits, images)

    assert [(one.label, one.predicted, one.count) for one in scores.confusions] == [(7, 1, 2), (4, 9, 1)]
    assert [(one.index, one.label, one.predicted) for one in scores.mistakes] == [(1, 7, 1), (2, 7, 1), (0, 4, 9)]
    assert scores.mistakes[0].confidence == pytest.approx(np.exp(3) / (np.exp(3) + 9), abs=1e-4)


def test_the_gain_is_counted_image_by_image() -> None:
    labels = np.array([1, 2, 3, 4], np.uint8)

    gain = compare_with_baseline(np.array([1, 2, 3, 0]), np.array([1, 0, 0, 4]), labels, seconds=1.0)

    assert (gain.won, gain.lost, gain.gain_pp, gain.baseline_correct) == (2, 1, 25.0, 2)


def _count_right(model: keras.Model, images: Images) -> int:
    return int((predict_batches(model, images.pixels, 1000).argmax(axis=1) == images.labels).sum())


def test_the_baseline_is_logistic_regression_at_its_usual_level_and_the_same_each_time(report: TrainingReport) -> None:
    splits = mnist.split_sample_for_training()

    first, second = fit_baseline(splits.train, seed=1), fit_baseline(splits.train, seed=1)

    correct = _count_right(first, splits.validation)
    # 4,000 images give 88 to 91 %; all of MNIST 92.9 %.
    assert 0.87 < correct / len(splits.validation) < 0.93
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))
    assert report.gain.baseline_correct == correct


def test_all_of_mnist_gives_the_baseline_that_is_published(full_mnist: mnist.Splits) -> None:
    correct = _count_right(fit_baseline(full_mnist.train, seed=1), full_mnist.validation)

    # As an accuracy; 0.9257 is claimed on test.
    assert correct / len(full_mnist.validation) == pytest.approx(0.9257, abs=0.006)


def test_the_schedule_in_the_report_is_the_one_that_the_optimizer_follows() -> None:
    recipe = Recipe(epochs=3, seed=1, learning_rate=1e-3, warmup_epochs=0.5)
    augment = Augment(recipe.distortion, recipe.seed)
    optimizer: Any = fit_module._make_trainer(ZOO["logistic"](), augment, recipe, steps_per_epoch=10).optimizer
    steps = np.array([0, 1, 4, 5, 6, 15, 29, 30], np.float32)

    rates = sample_schedule(make_schedule(1e-3, 3, 0.5, steps_per_epoch=10), steps)

    followed = []
    for step in steps:
        optimizer.iterations.assign(int(step))
        followed.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    assert rates.tolist() == pytest.approx(followed)
    assert rates.max() == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


class _Untouchable:
    """A test set that nobody may look at."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"the report looked at test.{name}")


def test_the_report_never_looks_at_test(bundle: Bundle, run: TrainedModel, tmp_path: Path) -> None:
    splits: Any = mnist.split_sample_for_training()
    hidden = mnist.Splits(splits.name, splits.train, splits.validation, _Untouchable())  # pyright: ignore[reportArgumentType]

    page = write_report(tmp_path / "again", bundle.card, hidden, [run])

    assert {path.name for path in tmp_path.iterdir()} == {page.name, page.with_suffix(".json").name}


def test_the_page_shows_everything(page: str, report: TrainingReport) -> None:
    for title in ("Accuracy", "Loss", "Learning rate", "Time per epoch", "Confusion matrix", "Classes in each set"):
        assert f'aria-label="{title}"' in page
    assert f"best epoch: {report.training.best_epoch}" in page
    for mistake in report.validation.mistakes:
        assert f"{mistake.label} as {mistake.predicted}, {html.escape(format_confidence(mistake.confidence))}" in page
    assert f"{'gain' if report.gain.gain_pp >= 0 else 'loss'} of <strong>{abs(report.gain.gain_pp):.2f} points" in page
    assert report.training.command in page
    assert page.count(">none<") > 5


def test_classes_that_are_no_digits_have_the_names_that_the_card_gives_them(
    bundle: Bundle, run: TrainedModel, tmp_path: Path
) -> None:
    names = tuple(f"<{letter}> of a long name" for letter in "abcdefghij")
    card = msgspec.structs.replace(bundle.card, labels=names)
    without_extras = dataclasses.replace(run, recipe=dataclasses.replace(RECIPE, extras=0.0))

    page = write_report(tmp_path / "named", card, mnist.split_sample_for_training(), [without_extras]).read_text()

    written = [name.replace("<", "&lt;").replace(">", "&gt;") for name in names]
    # On both axes of the confusion matrix and below the bars; in both tables; beside the samples.
    assert all(page.count(name) >= 6 for name in written)
    assert not re.findall(r"<[a-j]> of a long name", page)
    assert "<td>0</td>" not in page
    assert "drawn images" not in page


def test_the_page_says_what_else_a_run_had(page: str, report: TrainingReport) -> None:
    trials = SeedTrials(
        runs=tuple(SeedRun(seed=i, best_epoch=1, validation_accuracy=0.9 + i / 100) for i in (1, 2)),
        mean=0.915,
        deviation=0.0071,
    )
    ancestor = Ancestor(name="grown-up", sha256="a" * 64, datasets=("mnist",))
    training = msgspec.structs.replace(
        report.training, recipe_of="description", start=ancestor, teachers=(ancestor, ancestor), seeds=trials,
        devices=2, precision="mixed_bfloat16",
    )  # fmt: skip

    more = _format(msgspec.structs.replace(report, training=training))

    facts = (
        "published description",
        "Started from the weights of grown-up",
        "The best of 2 seeds on validation: 91.00 % of seed 1, 92.00 % of seed 2; mean 91.50 %, standard",
        "2 devices shared each batch",
        "mixed_bfloat16",
    )
    for fact in facts:
        assert fact in more
        assert fact not in page
    assert more.count("Taught by grown-up") == 2


def _epochs(*steps: tuple[float, float]) -> list[Epoch]:
    """Of validation accuracies and seconds."""
    return [
        Epoch(loss=1, accuracy=0.9, validation_loss=0.1, validation_accuracy=accuracy, seconds=seconds)
        for accuracy, seconds in steps
    ]


def test_milestones_are_where_validation_first_was() -> None:
    quick = _epochs((0.97, 9.0), (0.9941, 4.1), (0.989, 4.2), (0.9955, 4.3))
    slow = _epochs((0.5, 20.0), (0.98, 10.0))

    found = {one.accuracy: (one.epochs, one.seconds) for one in find_milestones([quick, slow])}

    assert list(found) == sorted(found)
    assert found[0.98] == ([2, 2], [13.1, 30.0])
    assert found[0.994] == ([2, None], [13.1, None])
    assert found[0.995] == ([4, None], [21.6, None])
    assert found[0.997] == ([None, None], [None, None])


def test_the_page_says_how_soon_one_seed_got_there(report: TrainingReport) -> None:
    once = find_milestones([_epochs((0.981, 1_200.4), (0.991, 100.0))])

    page = ParsedPage(_format(msgspec.structs.replace(report, milestones=once)))

    rows = page.tables["How soon"]
    assert ["98.0 %", "1", "1,200.4"] in rows
    assert ["99.0 %", "2", "1,300.4"] in rows
    assert "Nothing reached 99.4 %." in page.text


def test_the_page_says_how_many_seeds_got_there(report: TrainingReport) -> None:
    runs = [_epochs((0.981, 10.0)), _epochs((0.9, 10.0), (0.9, 10.0)), _epochs((0.9, 11.0), (0.999, 12.0))]

    page = ParsedPage(_format(msgspec.structs.replace(report, milestones=find_milestones(runs))))

    rows = page.tables["How soon"]
    assert ["98.0 %", "2 of 3", "1.5", "16.5", "10.0, never, 23.0"] in rows
    assert ["99.8 %", "1 of 3", "2", "23.0", "never, never, 23.0"] in rows
    assert "Nothing reached" not in page.text


def test_a_run_that_got_nowhere_is_not_timed(report: TrainingReport) -> None:
    nowhere = find_milestones([_epochs((0.5, 1.0))])

    assert "How soon" not in _format(msgspec.structs.replace(report, milestones=nowhere))


def test_what_a_recipe_leaves_out_is_not_said(page: str, report: TrainingReport) -> None:
    plain = dict.fromkeys(report.training.recipe, 0)
    training = msgspec.structs.replace(report.training, recipe=plain)

    fewer = _format(msgspec.structs.replace(report, training=training, extras_per_epoch=0))

    for words in ("harder than validation", "labels are smoothed", "moving average", "distorted as in training"):
        assert words in page
        assert words not in fewer
    assert "Training's figures are means over an epoch" in ParsedPage(fewer).text


def _format(report: TrainingReport) -> str:
    album = report_module._fill_album(mnist.split_sample_for_training(), RECIPE, report.validation)
    return format_page(report, album)


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", page)
    assert not re.findall(r"url\((?!#|&quot;#)[^)]*\)|@import", page)


def test_drawings_take_their_colours_from_the_page_and_keep_their_names_apart(page: str) -> None:
    assert not [placeholder for placeholder in VARIABLES if placeholder in page]
    names = re.findall(r'<(?:clipPath|path|pattern) id="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_a_flawless_and_a_hopeless_model_are_drawn_too() -> None:
    flawless, hopeless = _score([1, 2], [1, 2]), _score([1, 2], [2, 1])

    assert plots.draw_confusion(DIGITS, flawless).count("<text") > 0
    assert plots.draw_confusion(DIGITS, hopeless).count("<text") > 0
    assert (flawless.confusions, flawless.mistakes) == ([], [])


def test_a_rate_that_never_changes_is_drawn_level() -> None:
    svg = plots.draw_learning_rate(1e-3, [1e-3] * 4, best_epoch=2)

    paths = re.findall(r'<path d="([^"]*)"[^>]*var\(--first\)', svg)
    (curve,) = [path for path in paths if path.count("L") == 4]
    assert len(set(re.findall(r"[ML] \S+ (\S+)", curve))) == 1


def test_a_classs_name_is_no_formula() -> None:
    svg = plots.draw_classes(["$x_$", *"123456789"], [1] * 10, [1] * 10)

    assert "$x_$" in svg


def test_a_single_perfect_epoch_is_drawn_too(report: TrainingReport) -> None:
    perfect = msgspec.structs.replace(report.training.history[0], accuracy=1.0, validation_accuracy=1.0)

    assert "best epoch: 1" in plots.draw_accuracy([perfect], 1, validation_count=500)


def test_distorted_images_in_the_page_are_those_of_the_recipe() -> None:
    still = Distortion(rotation_degrees=0, log_scale=0, shear=0, shift_px=0, elastic_px=0, thickness=0, blur=0)
    scores = _score([1], [1])

    album = report_module._fill_album(
        mnist.split_sample_for_training(), Recipe(epochs=1, seed=1, distortion=still), scores
    )

    assert len(album.variants) == 10
    assert all(np.array_equal(image, images[0]) for images in album.variants for image in images[1:])


def test_a_report_that_cannot_be_written_says_that_the_bundle_is_whole(
    bundle: Bundle, run: TrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(TrainError, match="is complete"):
        write_report(tmp_path / "gone" / "bundle", bundle.card, mnist.split_sample_for_training(), [run])

    assert not list(tmp_path.iterdir())


def test_a_failing_report_costs_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_module, "write_atomically", fail)
    arguments = ("--model", "logistic", "--data", "mnist-sample-5k", "--epochs", "1", "--out", tmp_path / "out")

    result = edge_mnist("train", *arguments)

    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert open_bundle(tmp_path / "out").card.training is not None
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
