"""The card's record of training: data, recipe, epochs, seeds, and the bundles that were learned from."""

from typing import Literal

from .contract import Count, ImageSet, Record, Sha256

TrainingPrecision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class Epoch(Record, frozen=True, kw_only=True):
    """One epoch: its final training loss and accuracy, and the validation results of the averaged weights."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class Ancestor(Record, frozen=True, kw_only=True):
    """A bundle that training learned from: its name, its `model.keras`, and all data sets behind it."""

    name: str
    sha256: Sha256
    datasets: tuple[str, ...]


class SeedRun(Record, frozen=True, kw_only=True):
    """The result of one of several seeds; `best_epoch` counts from 1, the accuracy in [0, 1] is that epoch's."""

    seed: int
    best_epoch: Count
    validation_accuracy: float


class SeedTrials(Record, frozen=True, kw_only=True):
    """Several seeds, with the mean and sample standard deviation of their validation accuracies."""

    runs: tuple[SeedRun, ...]
    mean: float
    deviation: float


class Training(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How the weights were trained. `best_epoch` counts from 1 and was chosen on validation alone.

    Attributes:
        recipe_of: Source of the recipe: this project, or the network's published description.
        precision: Precision that the layers computed in while training; weights and the saved model are float32.
        devices: Number of devices that shared each batch.
        start: The bundle whose weights training started from.
        teachers: Bundles whose logits the network learned to match.
        seeds: Results of all seeds if several were tried; all other fields describe the one with the best validation.
    """

    dataset: str
    train: ImageSet
    validation: ImageSet
    command: str
    seed: int
    recipe: dict[str, int | float]
    history: tuple[Epoch, ...]
    best_epoch: Count
    device: str
    tools: dict[str, str]
    recipe_of: Literal["edge-mnist", "description"] = "edge-mnist"
    precision: TrainingPrecision = "float32"
    devices: Count = 1
    start: Ancestor | None = None
    teachers: tuple[Ancestor, ...] = ()
    seeds: SeedTrials | None = None
