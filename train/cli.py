"""`edge-mnist train`: parse, train, write the bundle."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from ..edge.bundle.catalogue import CATALOGUE
from ..edge.bundle.training_record import TrainingPrecision
from ..edge.commands.options import BUNDLE, FiniteRange, GroupedCommand, data_dir_option, option_group, out_option
from ..edge.data.datasets import DATASETS, MNIST, SAMPLE
from . import import_keras
from .augmentation.distortion import Distortion
from .fitting.parents import open_parent
from .recipe import ALL, PUBLISHED_RECIPES, RECIPES, Recipe

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
        raise click.BadParameter(f"expected {ALL} or a number of at least 1, got {value!r}.")
    return value


@click.command(cls=GroupedCommand)
@option_group(
    "Network and data",
    click.option("--model", type=click.Choice(list(CATALOGUE)), default="standard", show_default=True, metavar="NAME",
                  help="Network architecture; edge-mnist models lists them."),
    click.option("--data", callback=_check_data, default=MNIST, show_default=True, metavar="NAME|FOLDER",
                  help=f"{MNIST}: 55,000 training images. {SAMPLE}: 4,000 images of the package, for a quick try "
                  "without a download. fashion-mnist. Or a folder with one subfolder of pictures for each of ten "
                  "classes."),
    data_dir_option,
)  # fmt: skip
@option_group(
    "Recipe",
    click.option("--recipe", type=click.Choice(RECIPES), default=RECIPES[0], show_default=True,
                  help="described: as the network's authors describe it. Sets the defaults below."),
    click.option("--epochs", type=click.IntRange(min=1), show_default=str(EPOCHS),
                  help="Passes over the training images."),
    click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Random seed."),
    click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True,
                  help="Number of models to train, with consecutive seeds from --seed on. The best on validation is "
                  "kept."),
    click.option("--batch-size", type=click.IntRange(min=1), show_default=str(Recipe.batch_size),
                  help="Images per step."),
    click.option("--learning-rate", type=FiniteRange(min=0, min_open=True), show_default=str(Recipe.learning_rate),
                  help="Peak learning rate, reached after the warm-up."),
)  # fmt: skip
@option_group(
    "Augmentation",
    click.option("--augment", type=FiniteRange(min=0), show_default="1",
                  help="Strength of the distortion of images, as a multiple of the usual limits; 0 is off."),
    click.option("--last-augment", "last_distortion", type=FiniteRange(min=0, max=1),
                  show_default=str(Recipe.last_distortion),
                  help="Share of the distortion that remains in the last epoch; it falls linearly."),
    click.option("--paper", type=FiniteRange(min=0), show_default="0",
                  help="Strength of gray paper and noise added behind the ink, as a multiple of what phone cameras "
                  "show. The reader removes both, so models for it need none."),
    click.option("--extras", type=FiniteRange(min=0), default=None,
                  show_default=f"{Recipe.extras}; 0 for data other than MNIST",
                  help="Drawn images per training digit, mostly non-digits that the model learns to reject."),
)  # fmt: skip
@option_group(
    "Other models to learn from",
    click.option("--teacher", "teachers", type=BUNDLE, multiple=True, metavar="BUNDLE",
                  help="Bundle whose logits the model learns from, too (distillation). May be repeated; the logits are "
                  "averaged."),
    click.option("--from", "start", type=BUNDLE, metavar="BUNDLE",
                  help="Bundle whose weights the training starts from, in layers of the same name and shape."),
)  # fmt: skip
@option_group(
    "Hardware",
    click.option("--mixed-precision", type=click.Choice([name for name in PRECISIONS if name]),
                  help="Compute in 16 bits; weights and the saved model stay float32.  [default: float32]"),
    click.option("--devices", callback=_check_devices, default="1", show_default=True, metavar="N|all",
                  help="Number of GPUs (or CPU devices) that share each batch, or all."),
)  # fmt: skip
@out_option(click.Path(path_type=Path), required=True, help="Folder for the bundle.")
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

    The best epoch is chosen on the validation split; the test split is not used. A report is written beside the
    bundle: OUT.training.html with plots and misread images, OUT.training.json with all figures. Repeat the command to
    resume an interrupted run. KERAS_BACKEND=tensorflow, jax or torch selects the backend; a GPU is used if the backend
    finds one.

    \b
    Examples:
      edge-mnist train --out my-model
      KERAS_BACKEND=jax edge-mnist train --epochs 80 --seed 7 --out my-model
      edge-mnist train --model two-conv-122k --recipe described --out as-published
      edge-mnist train --model nano --teacher max-1 --teacher max-2 --out my-nano
      edge-mnist train --data fashion-mnist --from my-model --out clothes
    """
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "extras": extras,
        "last_distortion": last_distortion,
    }
    if extras or teachers:
        # Then "not a digit" is a class, even if a published recipe has only ten.
        given["outlier_class"] = True
    chosen = _choose_recipe(recipe, model, data, {name: value for name, value in given.items() if value is not None})
    chosen = dataclasses.replace(chosen, seed=seed, distortion=_choose_distortion(chosen.distortion, augment, paper))
    for path in (*teachers, *((start,) if start else ())):
        open_parent(path)
    import_keras()
    # Imported here so that `--help` works without Keras, and a wrong path is reported at once.
    from .trained_bundle import TrainingOrder, train_bundle  # noqa: PLC0415

    order = TrainingOrder(model, data, data_dir, chosen, seeds, start, teachers, PRECISIONS[mixed_precision], devices)
    train_bundle(order, out)


def _choose_recipe(name: str, model: str, data: str, given: dict[str, Any]) -> Recipe:
    """Choose the recipe by name, and replace its settings by the options that were given."""
    digits = data in {MNIST, SAMPLE}
    if not digits and given.get("extras"):
        raise click.UsageError(
            f"--extras: expected 0 for {data}, got {given['extras']:g}. Extra images are drawn for digits only."
        )
    if name == RECIPES[1]:
        if model not in PUBLISHED_RECIPES:
            raise click.UsageError(
                f"--recipe: {model} is this project's own network and has no published recipe. Use --recipe "
                f"{RECIPES[0]}, or choose --model from: {', '.join(PUBLISHED_RECIPES)}."
            )
        return dataclasses.replace(PUBLISHED_RECIPES[model], **given)
    # The drawn shapes include printed digits, for which other data has no class.
    return Recipe(**{"epochs": EPOCHS, "seed": 1, "extras": Recipe.extras if digits else 0.0} | given)


def _choose_distortion(usual: Distortion, augment: float | None, paper: float | None) -> Distortion:
    """Return the recipe's distortion, changed as the options request."""
    distortion = usual if augment is None else Distortion().scaled(augment)
    return distortion if paper is None else distortion.on_paper(paper)
