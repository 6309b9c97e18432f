"""`edge-mnist train`: parse, train, write the bundle."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import keras

from ..edge.bundle import SOURCE_NAME, describe_file, replacing, write_card
from ..edge.card import Architecture, ModelCard, Training, TrainingPrecision, count_macs
from ..edge.datasets import DATASETS, load_splits
from ..edge.host import find_version
from ..edge.mnist import MNIST, SAMPLE, Splits
from ..edge.options import BUNDLE, FiniteRange, data_dir_option, name_bundle
from ..edge.output import echo, echo_lines
from ..edge.picture_folder import PREFIX
from ..edge.shares import format_share
from .ancestors import inherit_weights, load_parent, load_teachers
from .augment import Distortion
from .described import DESCRIBED
from .devices import ALL, Devices, find_devices
from .fit import Setup, describe_device
from .recipe import Recipe
from .report import write_report
from .seeds import Trained, build, choose_best, compare_seeds, train_seeds
from .zoo import ZOO

RECIPES = ("ours", "described")
EPOCHS = 24
PRECISIONS: dict[str | None, TrainingPrecision] = {
    None: "float32",
    "float16": "mixed_float16",
    "bfloat16": "mixed_bfloat16",
}


def _check_data(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value not in DATASETS and not Path(value).is_dir():
        raise click.BadParameter(f"expected {', '.join(DATASETS)} or a folder of pictures, got {value!r}.")
    return value


def _check_devices(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value != ALL and not (value.isdecimal() and int(value) > 0):
        raise click.BadParameter(f"expected {ALL} or a number from 1 on, got {value!r}.")
    return value


@click.command()
@click.option("--model", type=click.Choice(list(ZOO)), default="standard", show_default=True, metavar="NAME",
              help="Architecture, of those that edge-mnist models lists.")  # fmt: skip
@click.option("--data", callback=_check_data, default=MNIST, show_default=True, metavar="NAME|FOLDER",
              help=f"{MNIST}: 55,000 training images. {SAMPLE}: 4,000 that need no network, for a quick try. "
              "fashion-mnist. Or a folder with a subfolder of pictures for each of ten classes.")  # fmt: skip
@data_dir_option
@click.option("--recipe", type=click.Choice(RECIPES), default=RECIPES[0], show_default=True,
              help="described: as the network's published description says; it sets the defaults below.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), show_default=str(EPOCHS), help="Passes over the images.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of everything random.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True,
              help="Train this many, from --seed on, and keep the one that validation likes best.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(min=1), show_default=str(Recipe.batch_size), help="Images a step.")
@click.option("--learning-rate", type=FiniteRange(min=0, min_open=True), show_default=str(Recipe.learning_rate),
              help="Its peak, after the warm-up.")  # fmt: skip
@click.option("--augment", type=FiniteRange(min=0), show_default="1",
              help="How far images are distorted, as a multiple of the usual limits; 0 for not at all.")  # fmt: skip
@click.option("--last-augment", "last_distortion", type=FiniteRange(min=0, max=1),
              show_default=str(Recipe.last_distortion),
              help="Share of the distortion that is left in the last epoch; it falls linearly.")  # fmt: skip
@click.option("--paper", type=FiniteRange(min=0), show_default="0",
              help="Gray paper and noise behind the ink, too, as a multiple of what telephones see; the reader takes "
              "them away, so its models need none.")  # fmt: skip
@click.option("--extras", type=FiniteRange(min=0), default=None,
              show_default=f"{Recipe.extras}; 0 for data but MNIST's",
              help="Images drawn for each digit; most are no digits, so that the model can say so.")  # fmt: skip
@click.option("--teacher", "teachers", type=BUNDLE, multiple=True, metavar="BUNDLE",
              help="Learn from this bundle's logits, too; may be repeated, they are averaged.")  # fmt: skip
@click.option("--from", "start", type=BUNDLE, metavar="BUNDLE",
              help="Start from this bundle's weights, where a layer of the same name has the same shape.")  # fmt: skip
@click.option("--mixed-precision", type=click.Choice([name for name in PRECISIONS if name]),
              help="Compute in 16 bits; weights and the saved model stay float32.  [default: float32]")  # fmt: skip
@click.option("--devices", callback=_check_devices, default="1", show_default=True, metavar="N|all",
              help="Share each batch among so many GPUs (or CPU devices), or all.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the bundle.")
def train(  # noqa: PLR0913, PLR0917 - an argument for each option
    model: str,
    data: str,
    data_dir: Path | None,
    recipe: str,
    epochs: int | None,
    seed: int,
    seeds: int,
    batch_size: int | None,
    learning_rate: float | None,
    augment: float | None,
    last_distortion: float | None,
    paper: float | None,
    extras: float | None,
    teachers: tuple[Path, ...],
    start: Path | None,
    mixed_precision: str | None,
    devices: str,
    out: Path,
) -> None:
    """Train a model of the zoo and write it, with its card, as a bundle.

    The best epoch is chosen on validation; test is not touched. Beside the bundle a report is left, OUT.training.html
    with plots and misread images, and all figures in OUT.training.json. An interrupted run resumes when repeated. The
    backend is Keras's: KERAS_BACKEND=tensorflow, jax or torch; a GPU is used where the backend finds one.

    \b
    Examples:
      edge-mnist train --out my-model
      KERAS_BACKEND=jax edge-mnist train --epochs 80 --seed 7 --out my-model
      edge-mnist train --model two-conv-122k --recipe described --out as-published
      edge-mnist train --model nano --teacher max-1 --teacher max-2 --out my-nano
      edge-mnist train --data fashion-mnist --from my-model --out clothes
    """
    found = find_devices(devices)
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "extras": extras,
        "last_distortion": last_distortion,
    }
    if extras or teachers:
        # Then "not a digit" is a class, also where a description knows of ten alone.
        given["outlier_class"] = True
    chosen = _choose_recipe(recipe, model, data, {name: value for name, value in given.items() if value is not None})
    chosen = dataclasses.replace(chosen, seed=seed, distortion=_choose_distortion(chosen.distortion, augment, paper))
    splits = load_splits(data, data_dir)
    setup = Setup(
        start=load_parent(start, splits) if start else None,
        teachers=load_teachers(teachers, splits),
        precision=PRECISIONS[mixed_precision],
        devices=found,
    )
    echo(f"Training {model} on {splits.train.name} with {_describe_devices(found)}.", err=True)
    state_paths = {one: _state_path(out, one if seeds > 1 else None, found) for one in range(seed, seed + seeds)}
    if found.rank:
        _train(model, splits, chosen, setup, state_paths)
        _remove(state_paths)
        echo("Done; the first process writes the bundle.")
        return
    with replacing(out, [SOURCE_NAME]) as folder:
        runs = _train(model, splits, chosen, setup, state_paths)
        card = _write_bundle(folder, runs, splits, setup)
    _remove(state_paths)
    echo(_describe_result(out, runs, splits))
    # After the bundle, which no failure here can harm.
    echo(f"Report: {write_report(out, card, splits, runs)}")
    echo(f"Next: edge-mnist export {shlex.quote(name_bundle(out))} --int8{_place_of(splits, data, data_dir)}")


def _choose_recipe(whose: str, model: str, data: str, given: dict[str, Any]) -> Recipe:
    """The recipe that was named, with what was given by options instead of its own."""
    digits = data in {MNIST, SAMPLE}
    if not digits and given.get("extras"):
        raise click.UsageError(
            f"--extras: expected 0 for {data}, got {given['extras']:g}. The shapes are drawn to go with digits."
        )
    if whose == RECIPES[1]:
        if model not in DESCRIBED:
            raise click.UsageError(
                f"--recipe: {model} is this project's own, and nobody else describes how to train it. Expected "
                f"--recipe {RECIPES[0]}, or one of these: --model {', '.join(DESCRIBED)}."
            )
        return dataclasses.replace(DESCRIBED[model], **given)
    # Among the shapes that are no digits are printed digits, which other data has no class for.
    return Recipe(**{"epochs": EPOCHS, "seed": 1, "extras": Recipe.extras if digits else 0.0} | given)


def _choose_distortion(usual: Distortion, augment: float | None, paper: float | None) -> Distortion:
    """The recipe's, or as far as was asked for."""
    distortion = usual if augment is None else Distortion().scaled(augment)
    return distortion if paper is None else distortion.on_paper(paper)


def _describe_devices(devices: Devices) -> str:
    more = f" and {devices.count - 1} more" if devices.count > 1 else ""
    return f"{describe_device()}{more}"


def _state_path(out: Path, seed: int | None, devices: Devices) -> Path:
    """Beside the bundle; one for each seed and process."""
    parts = [out.absolute().name, *([f"seed-{seed}"] if seed is not None else [])]
    parts += [f"rank-{devices.rank}"] if devices.rank else []
    return out.absolute().with_name(".".join([*parts, "training-state", "npz"]))


def _train(name: str, splits: Splits, recipe: Recipe, setup: Setup, state_paths: dict[int, Path]) -> list[Trained]:
    def make(seed: int) -> keras.Model:
        model = build(name, seed)
        if setup.start:
            anew = inherit_weights(model, setup.start, splits.labels)
            echo(f"From {setup.start.record.name}: all layers but {', '.join(anew) or 'none'}.", err=True)
        return model

    try:
        return train_seeds(make, splits, recipe, setup, state_paths)
    except KeyboardInterrupt:
        there = [str(path) for path in state_paths.values() if path.exists()]
        if there:
            echo_lines(["", f"Interrupted. The same command goes on from {' and '.join(there)}."], err=True)
        raise


def _remove(state_paths: dict[int, Path]) -> None:
    for path in state_paths.values():
        path.unlink()


def _describe_result(out: Path, runs: Sequence[Trained], splits: Splits) -> str:
    trained, trials = choose_best(runs), compare_seeds(runs)
    line = (
        f"{out}: best epoch {trained.best_epoch} of {trained.recipe.epochs}, validation accuracy "
        f"{format_share(trained.best.validation_accuracy)} on {len(splits.validation):,} images."
    )
    if trials is None:
        return line
    return (
        f"{line} That is seed {trained.recipe.seed}; of {len(trials.runs)} seeds the mean is "
        f"{format_share(trials.mean)}, the standard deviation {100 * trials.deviation:.2f} points."
    )


def _place_of(splits: Splits, data: str, data_dir: Path | None) -> str:
    """What the export needs to find the images again."""
    place = data if splits.name.startswith(PREFIX) else data_dir
    return f" --data-dir {shlex.quote(str(place))}" if place else ""


def _write_bundle(folder: Path, runs: Sequence[Trained], splits: Splits, setup: Setup) -> ModelCard:
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
        architecture=Architecture(name=model.name, parameters=model.count_params(), macs=count_macs(model.layers)),
        source=describe_file(folder, SOURCE_NAME),
        training=training,
    )
    write_card(folder, card)
    return card


def _command(recipe: Recipe) -> str:
    """The command that would train the same again, without folders of this machine.

    Every option is spelled out; only a distortion that was not asked for is as the recipe has it.
    """
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        value = context.params[name := option.name or ""]
        if value is None:
            # An option that the recipe decided.
            value = dataclasses.asdict(recipe).get(name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        for one in () if option.name == "data_dir" else values:
            path = Path(one) if isinstance(one, Path) or (option.name == "data" and one not in DATASETS) else None
            words += [option.opts[0], path.resolve().name if path else str(one)]
    return f"KERAS_BACKEND={keras.backend.backend()} {shlex.join(['edge-mnist', 'train', *words])}"
