"""A training run from its order to a bundle with its card and its report."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import keras

from ..edge.bundle.card import ModelCard
from ..edge.bundle.contract import ArchitectureRecord, count_keras_macs
from ..edge.bundle.folder import SOURCE_NAME
from ..edge.bundle.training_record import Training, TrainingPrecision
from ..edge.bundle.writing import describe_file, staged_bundle, write_card
from ..edge.commands.options import name_bundle
from ..edge.common.machine import find_version
from ..edge.common.terminal.formatting import format_percent
from ..edge.common.terminal.output import echo, echo_lines
from ..edge.common.terminal.verbosity import note
from ..edge.data.datasets import DATASETS, load_splits
from ..edge.data.images import Splits
from ..edge.data.picture_folder import PREFIX
from .fitting.devices import Devices, find_devices
from .fitting.fit import FitSetup, describe_device
from .fitting.parents import inherit_weights, load_parent, load_teachers
from .fitting.seeds import TrainedModel, build_network, choose_best, compare_seeds, train_seeds
from .recipe import RECIPES, Recipe
from .report.report import write_report


@dataclass(frozen=True)
class TrainingOrder:
    """The model to train, and the data to train it on.

    Attributes:
        model: Name of a network of the zoo.
        data: Name or folder of the data.
        data_dir: Folder with MNIST's files; None looks in the usual places.
        recipe: Recipe with the first seed.
        seeds: Number of networks to train, each with the next seed.
        start: Bundle whose weights to start from; None starts from random ones.
        teachers: Bundles whose logits to learn from.
        precision: Precision of the computation.
        devices: Number of devices, or `all`.
    """

    model: str
    data: str
    data_dir: Path | None
    recipe: Recipe
    seeds: int
    start: Path | None
    teachers: tuple[Path, ...]
    precision: TrainingPrecision
    devices: str


def train_bundle(order: TrainingOrder, out: Path) -> None:
    """Train, write the bundle and its report, and print the outcome.

    Raises:
        EdgeMnistError: The data, a bundle or a device is missing, or nothing can be written.
    """
    found, first = find_devices(order.devices), order.recipe.seed
    splits = load_splits(order.data, order.data_dir)
    setup = FitSetup(
        start=load_parent(order.start, splits) if order.start else None,
        teachers=load_teachers(order.teachers, splits),
        precision=order.precision,
        devices=found,
    )
    note(f"Training {order.model} on {splits.train.name} with {_describe_devices(found)}.")
    seeds = range(first, first + order.seeds)
    state_paths = {one: _state_path(out, one if order.seeds > 1 else None, found) for one in seeds}
    if found.rank:
        _train(order.model, splits, order.recipe, setup, state_paths)
        _remove(state_paths)
        echo("Done; the first process writes the bundle.")
        return
    with staged_bundle(out, [SOURCE_NAME]) as folder:
        runs = _train(order.model, splits, order.recipe, setup, state_paths)
        card = _write_bundle(folder, runs, splits, setup)
    _remove(state_paths)
    echo(_describe_result(out, runs, splits))
    # Written after the bundle, so that a failure here cannot harm it.
    echo(f"Report: {write_report(out, card, splits, runs)}")
    place = _place_of(splits, order.data, order.data_dir)
    echo(f"Next: edge-mnist export {shlex.quote(name_bundle(out))} --int8{place}")


def _describe_devices(devices: Devices) -> str:
    more = f" and {devices.count - 1} more" if devices.count > 1 else ""
    return f"{describe_device()}{more}"


def _state_path(out: Path, seed: int | None, devices: Devices) -> Path:
    """Return the path of the resume file beside the bundle; each seed and process has its own."""
    parts = [out.absolute().name, *([f"seed-{seed}"] if seed is not None else [])]
    parts += [f"rank-{devices.rank}"] if devices.rank else []
    return out.absolute().with_name(".".join([*parts, "training-state", "npz"]))


def _train(
    name: str, splits: Splits, recipe: Recipe, setup: FitSetup, state_paths: dict[int, Path]
) -> list[TrainedModel]:
    def make(seed: int) -> keras.Model:
        model = build_network(name, seed)
        if setup.start:
            random_layers = inherit_weights(model, setup.start, splits.labels)
            note(f"From {setup.start.record.name}: all layers except {', '.join(random_layers) or 'none'}.")
        return model

    try:
        return train_seeds(make, splits, recipe, setup, state_paths)
    except KeyboardInterrupt:
        there = [str(path) for path in state_paths.values() if path.exists()]
        if there:
            echo_lines(["", f"Interrupted. Repeat the command to resume from {' and '.join(there)}."], err=True)
        raise


def _remove(state_paths: dict[int, Path]) -> None:
    for path in state_paths.values():
        path.unlink()


def _describe_result(out: Path, runs: Sequence[TrainedModel], splits: Splits) -> str:
    trained, trials = choose_best(runs), compare_seeds(runs)
    line = (
        f"{out}: best epoch {trained.best_epoch} of {trained.recipe.epochs}, validation accuracy "
        f"{format_percent(trained.best.validation_accuracy)} on {len(splits.validation):,} images."
    )
    if trials is None:
        return line
    return (
        f"{line} This is seed {trained.recipe.seed}; of {len(trials.runs)} seeds the mean is "
        f"{format_percent(trials.mean)}, the standard deviation {100 * trials.deviation:.2f} points."
    )


def _place_of(splits: Splits, data: str, data_dir: Path | None) -> str:
    """Return the option by which the export finds the images again."""
    place = data if splits.name.startswith(PREFIX) else data_dir
    return f" --data-dir {shlex.quote(str(place))}" if place else ""


def _write_bundle(folder: Path, runs: Sequence[TrainedModel], splits: Splits, setup: FitSetup) -> ModelCard:
    trained, backend = choose_best(runs), keras.backend.backend()
    model = trained.model
    model.save(folder / SOURCE_NAME)
    training = Training(
        dataset=splits.name,
        train=splits.train.describe(),
        validation=splits.validation.describe(),
        command=_command(trained.recipe),
        seed=trained.recipe.seed,
        recipe=trained.recipe.as_numbers(),
        history=trained.history,
        best_epoch=trained.best_epoch,
        device=describe_device(),
        tools={name: find_version(name) for name in ("edge-mnist", "keras", "numpy", backend)},
        recipe_of="description" if click.get_current_context().params["recipe"] == RECIPES[1] else "edge-mnist",
        precision=setup.precision,
        devices=setup.devices.count,
        start=setup.start.record if setup.start else None,
        teachers=tuple(teacher.record for teacher in setup.teachers),
        seeds=compare_seeds(runs),
    )
    card = ModelCard(
        name=model.name,
        labels=splits.labels,
        architecture=ArchitectureRecord(
            name=model.name, parameters=model.count_params(), macs=count_keras_macs(model.layers)
        ),
        source=describe_file(folder, SOURCE_NAME),
        training=training,
    )
    write_card(folder, card)
    return card


def _command(recipe: Recipe) -> str:
    """Build the command that would repeat the training, without folders of this machine.

    Every option is spelled out, except that a distortion without an option is the recipe's.
    """
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        if not option.expose_value:
            continue  # It changes what is printed, not what is trained.
        value = context.params[name := option.name or ""]
        if value is None:
            # The recipe decided this option.
            value = dataclasses.asdict(recipe).get(name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        for one in () if option.name == "data_dir" else values:
            path = Path(one) if isinstance(one, Path) or (option.name == "data" and one not in DATASETS) else None
            words += [max(option.opts, key=len), path.resolve().name if path else str(one)]
    return f"KERAS_BACKEND={keras.backend.backend()} {shlex.join(['edge-mnist', 'train', *words])}"
