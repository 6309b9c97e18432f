"""`edge-mnist train`: parse, train, write the bundle."""

import shlex
from importlib.metadata import version
from pathlib import Path

import click
import keras

from ..edge.bundle import SOURCE_NAME, describe_file, replacing, write_card
from ..edge.card import Architecture, Epoch, ModelCard, Training, count_macs
from ..edge.mnist import MNIST, SAMPLE, Splits, load_mnist, sample_splits
from ..edge.options import data_dir_option
from .fit import Recipe, describe_device, fit
from .report import write_report
from .zoo import ZOO

BACKEND_PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


@click.command()
@click.option("--model", type=click.Choice(list(ZOO)), default="standard", show_default=True, help="Architecture.")
@click.option(
    "--data",
    type=click.Choice([MNIST, SAMPLE]),
    default=MNIST,
    show_default=True,
    help="MNIST's 55,000 training images, or 4,000 of the offline sample (for a quick try).",
)
@data_dir_option
@click.option("--epochs", type=click.IntRange(min=1), default=40, show_default=True, help="Passes over the images.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of everything random.")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Images a step.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the bundle.")
def train(model: str, data: str, data_dir: Path | None, epochs: int, seed: int, batch_size: int, out: Path) -> None:
    """Train a model of the zoo and write it, with its card, as a bundle.

    The best epoch is chosen on validation; test is not touched. Beside the bundle a report is left, OUT.training.html
    with plots and misread images, and all figures in OUT.training.json. An interrupted run resumes when repeated. The
    backend is Keras's: KERAS_BACKEND=tensorflow, jax or torch; a GPU is used where the backend finds one.

    \b
    Examples:
      edge-mnist train --out my-model
      KERAS_BACKEND=jax edge-mnist train --epochs 80 --seed 7 --out my-model
    """
    recipe = Recipe(epochs=epochs, seed=seed, batch_size=batch_size)
    splits = load_mnist(data_dir) if data == MNIST else sample_splits()
    click.echo(f"Training {model} on {splits.train.name} with {describe_device()}.", err=True)
    with replacing(out) as folder:
        state_path = out.absolute().with_name(f"{out.absolute().name}.training-state.npz")
        keras.utils.set_random_seed(seed)
        network = ZOO[model].build()
        try:
            history, best_epoch = fit(network, splits, recipe, state_path)
        except KeyboardInterrupt:
            click.echo(f"\nInterrupted. The same command goes on from {state_path}.", err=True)
            raise
        card = _write_bundle(folder, network, splits, recipe, history, best_epoch)
    state_path.unlink()
    click.echo(f"{out}: best epoch {best_epoch} of {epochs}, {_validation_line(history, best_epoch, splits)}.")
    # After the bundle, which no failure here can harm.
    click.echo(f"Report: {write_report(out, card, network, splits, recipe)}")
    click.echo(f"Next: edge-mnist export {shlex.quote(str(out))} --int8")


def _validation_line(history: tuple[Epoch, ...], best_epoch: int, splits: Splits) -> str:
    accuracy = history[best_epoch - 1].validation_accuracy
    return f"validation accuracy {accuracy:.2%} on {len(splits.validation):,} images"


def _write_bundle(
    folder: Path, model: keras.Model, splits: Splits, recipe: Recipe, history: tuple[Epoch, ...], best_epoch: int
) -> ModelCard:
    model.save(folder / SOURCE_NAME)
    backend = keras.backend.backend()
    training = Training(
        dataset=splits.name,
        train=splits.train.describe(),
        validation=splits.validation.describe(),
        command=_command(),
        seed=recipe.seed,
        recipe=recipe.as_numbers(),
        history=history,
        best_epoch=best_epoch,
        device=describe_device(),
        tools={name: version(name) for name in ("edge-mnist", "keras", "numpy", BACKEND_PACKAGES[backend])},
    )
    card = ModelCard(
        name=model.name,
        architecture=Architecture(name=model.name, parameters=model.count_params(), macs=count_macs(model.layers)),
        source=describe_file(folder, SOURCE_NAME),
        training=training,
    )
    write_card(folder, card)
    return card


def _command() -> str:
    """The command that would train the same again, every option spelled out, without folders of this machine."""
    context = click.get_current_context()
    values = {**context.params, "out": context.params["out"].name}
    options = [option for option in context.command.params if option.name != "data_dir"]
    words = [word for option in options for word in (option.opts[0], str(values[option.name]))]
    return f"KERAS_BACKEND={keras.backend.backend()} {shlex.join(['edge-mnist', 'train', *words])}"
