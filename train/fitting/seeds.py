"""Several seeds of one recipe: each is trained, and the best on validation is kept."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from ...edge.bundle.training_record import Epoch, SeedRun, SeedTrials
from ...edge.common.terminal.verbosity import note
from ...edge.data.images import Splits
from ..recipe import Recipe
from ..zoo import ZOO
from .fit import FitSetup, fit_model


@dataclass(frozen=True)
class TrainedModel:
    """A trained float32 model, with the recipe and the record of its run; `best_epoch` counts from 1."""

    model: keras.Model
    recipe: Recipe
    history: tuple[Epoch, ...]
    best_epoch: int

    @property
    def best(self) -> Epoch:
        """The epoch whose weights are kept."""
        return self.history[self.best_epoch - 1]


def build_network(name: str, seed: int) -> keras.Model:
    """Build a model of the zoo with fresh weights from this seed."""
    keras.utils.set_random_seed(seed)
    return ZOO[name]()


def train_seeds(
    make: Callable[[int], keras.Model], splits: Splits, recipe: Recipe, setup: FitSetup, state_paths: dict[int, Path]
) -> list[TrainedModel]:
    """Train each seed in turn.

    Args:
        make: Builds the model of a seed.
        splits: The data; only `train` and `validation` are used.
        recipe: The recipe of all runs, except for the seed.
        setup: Further settings of all runs.
        state_paths: The resume file of each seed; if that run is finished, the file is only read.

    Returns:
        One trained model per seed.

    Raises:
        TrainError: A resume file belongs to a run with other settings.
    """
    runs: list[TrainedModel] = []
    for seed, path in state_paths.items():
        if len(state_paths) > 1:
            note(f"Seed {seed} ({len(runs) + 1} of {len(state_paths)})")
        model, own = make(seed), dataclasses.replace(recipe, seed=seed)
        runs.append(TrainedModel(model, own, *fit_model(model, splits, own, path, setup)))
    return runs


def choose_best(runs: Sequence[TrainedModel]) -> TrainedModel:
    """Choose the run with most validation images right, and the lowest loss among equals."""
    return max(runs, key=lambda run: (run.best.validation_accuracy, -run.best.validation_loss))


def compare_seeds(runs: Sequence[TrainedModel]) -> SeedTrials | None:
    """Summarize several seeds for the card; None for a single one."""
    if len(runs) == 1:
        return None
    accuracies = [run.best.validation_accuracy for run in runs]
    return SeedTrials(
        runs=tuple(
            SeedRun(seed=run.recipe.seed, best_epoch=run.best_epoch, validation_accuracy=run.best.validation_accuracy)
            for run in runs
        ),
        mean=statistics.fmean(accuracies),
        deviation=statistics.stdev(accuracies),
    )
