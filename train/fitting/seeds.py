"""Several seeds of one recipe: each is trained, and the one that validation likes best is kept."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from ...edge.bundle.card import Epoch, SeedRun, SeedTrials
from ...edge.common.terminal.output import echo
from ...edge.data.images import Splits
from ..recipe import Recipe
from ..zoo import ZOO
from .fit import Setup, fit


@dataclass(frozen=True)
class Trained:
    """A trained model, float32, with the recipe and the record of its run; `best_epoch` counts from 1."""

    model: keras.Model
    recipe: Recipe
    history: tuple[Epoch, ...]
    best_epoch: int

    @property
    def best(self) -> Epoch:
        """The epoch whose weights were kept."""
        return self.history[self.best_epoch - 1]


def build(name: str, seed: int) -> keras.Model:
    """A model of the zoo with the fresh weights of this seed."""
    keras.utils.set_random_seed(seed)
    return ZOO[name].build()


def train_seeds(
    make: Callable[[int], keras.Model], splits: Splits, recipe: Recipe, setup: Setup, state_paths: dict[int, Path]
) -> list[Trained]:
    """Train each seed in turn.

    Args:
        make: The model of a seed.
        splits: Only `train` and `validation` are touched.
        recipe: Of all seeds but for the seed.
        setup: Of all seeds.
        state_paths: The file of each seed that an interrupted run resumes from; one that is through is only read.

    Returns:
        One run for each seed.

    Raises:
        ResumeError: A state file holds a run with other settings.
    """
    runs: list[Trained] = []
    for seed, path in state_paths.items():
        if len(state_paths) > 1:
            echo(f"Seed {seed} ({len(runs) + 1} of {len(state_paths)})", err=True)
        model, own = make(seed), dataclasses.replace(recipe, seed=seed)
        runs.append(Trained(model, own, *fit(model, splits, own, path, setup)))
    return runs


def choose_best(runs: Sequence[Trained]) -> Trained:
    """As validation has it: most images right, among equals the lowest loss."""
    return max(runs, key=lambda run: (run.best.validation_accuracy, -run.best.validation_loss))


def compare_seeds(runs: Sequence[Trained]) -> SeedTrials | None:
    """What the card says of several seeds; of a single one nothing."""
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
