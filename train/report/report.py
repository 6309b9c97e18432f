"""The training report: a run and its model's mistakes, as a page and as JSON beside the bundle.

It lies beside the bundle, not in it: a bundle holds what its card describes, and an export in place replaces the
folder. The JSON has the SHA-256 of its model. The weights are saved before the report begins. Only the training and
validation images are used; test is not.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.card import ModelCard
from ...edge.bundle.contract import NUM_CLASSES
from ...edge.common.files import write_atomically
from ...edge.common.terminal.verbosity import note
from ...edge.data.images import Images, Splits
from ..augmentation.augment import Augment
from ..augmentation.outliers import draw_extras
from ..errors import TrainError
from ..fitting.backend import predict_batches
from ..fitting.fit import EVALUATION_BATCH
from ..fitting.seeds import TrainedModel, choose_best
from ..recipe import Recipe
from ..schedule import make_schedule, sample_schedule
from .figures import (
    PagePictures,
    TrainingReport,
    ValidationScores,
    compare_with_baseline,
    find_milestones,
    fit_baseline,
    score_validation,
)
from .page import format_page

# Pictures of each class in the page.
SAMPLES, VARIANTS = 8, 7
EXTRA_TILES = 32


def report_path(out: Path) -> Path:
    """Return the path of the report of the bundle `out`; the JSON has the same name with another suffix."""
    return out.absolute().with_name(f"{out.absolute().name}.training.html")


def write_report(out: Path, card: ModelCard, splits: Splits, runs: Sequence[TrainedModel]) -> Path:
    """Measure, draw and write the report; takes seconds for MNIST.

    Args:
        out: The finished bundle.
        card: The bundle's card.
        splits: The data; only `train` and `validation` are used.
        runs: One run per seed; the report is about the best, and compares how soon each reached an accuracy.

    Returns:
        The path of the page; the JSON lies beside it.

    Raises:
        TrainError: The folder cannot be written.
        ValueError: The card has no training record.
    """
    note("Report: logistic regression for comparison …")
    report = make_report(card, splits, runs)
    note("Report: plots and pictures …")
    page = report_path(out)
    try:
        write_atomically(page.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        album = _fill_album(splits, choose_best(runs).recipe, report.validation)
        write_atomically(page, format_page(report, album).encode())
    except OSError as error:
        raise TrainError(
            f"{page}: the report cannot be written ({error.strerror}). The trained bundle {out} is complete."
        ) from error
    return page


def make_report(card: ModelCard, splits: Splits, runs: Sequence[TrainedModel]) -> TrainingReport:
    """Score the best model on validation beside a baseline fitted to the same training images."""
    if card.training is None:
        raise ValueError("expected the card of a trained model")
    train, validation, best = splits.train, splits.validation, choose_best(runs)
    recipe = best.recipe
    logits = predict_batches(best.model, validation.pixels, EVALUATION_BATCH)
    started = time.perf_counter()
    baseline = fit_baseline(train, recipe.seed)
    seconds = time.perf_counter() - started
    extras = recipe.count_extras(train)
    return TrainingReport(
        name=card.name,
        model_sha256=card.source.sha256,
        labels=card.labels,
        architecture=card.architecture,
        training=card.training,
        learning_rates=_rates_after_epochs(recipe, len(train) + extras),
        median_epoch_seconds=statistics.median(epoch.seconds for epoch in card.training.history),
        milestones=find_milestones([run.history for run in runs]),
        train_counts=np.bincount(train.labels, minlength=NUM_CLASSES).tolist(),
        validation_counts=np.bincount(validation.labels, minlength=NUM_CLASSES).tolist(),
        extras_per_epoch=extras,
        validation=score_validation(logits, validation),
        gain=compare_with_baseline(
            logits.argmax(axis=1),
            predict_batches(baseline, validation.pixels, EVALUATION_BATCH).argmax(axis=1),
            validation.labels,
            seconds,
        ),
    )


def _rates_after_epochs(recipe: Recipe, images_per_epoch: int) -> list[float]:
    steps_per_epoch = -(-images_per_epoch // recipe.batch_size)
    schedule = make_schedule(
        recipe.learning_rate, recipe.epochs, recipe.warmup_epochs, steps_per_epoch, recipe.last_rate
    )
    return sample_schedule(schedule, steps_per_epoch * np.arange(1, recipe.epochs + 1, dtype=np.float32)).tolist()


def _fill_album(splits: Splits, recipe: Recipe, validation: ValidationScores) -> PagePictures:
    train = splits.train
    samples = [train.pixels[np.flatnonzero(train.labels == label)[:SAMPLES]] for label in range(NUM_CLASSES)]
    shown = [images[:1] for images in samples if len(images)]
    variants = _distort(np.repeat(np.concatenate(shown), VARIANTS, axis=0), recipe).reshape(
        len(shown), VARIANTS, *train.pixels.shape[1:]
    )
    return PagePictures(
        samples=samples,
        variants=[np.concatenate([before, after]) for before, after in zip(shown, variants, strict=True)],
        extras=draw_extras(train, min(EXTRA_TILES, recipe.count_extras(train)), np.random.default_rng(recipe.seed)),
        mistakes=_find_images(splits.validation, [mistake.index for mistake in validation.mistakes]),
    )


def _distort(pixels: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    distorted: Any = keras.ops.convert_to_numpy(Augment(recipe.distortion, recipe.seed)(pixels, training=True))
    return distorted


def _find_images(images: Images, indices: list[int]) -> NDArray[np.uint8]:
    places = {int(index): place for place, index in enumerate(images.indices)}
    return images.pixels[[places[index] for index in indices]]
