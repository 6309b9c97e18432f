"""`edge-mnist measure context`: train the network that judges shapes by their surroundings, and measure it."""

from pathlib import Path

import click

from ...edge.commands.options import data_dir_option, out_option
from ...edge.common.files import check_writable, write_all
from ...edge.common.terminal.output import echo_json, echo_text
from ...edge.common.terminal.verbosity import note
from ..studies.context.report import ContextSettings, format_context
from ..studies.context.study import run_context
from .options import json_option, require_report_packages

DEFAULTS = ContextSettings()


@click.command()
@click.argument("photographs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--fonts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of .ttf and .otf fonts.  [default: the font that comes with Pillow]",
)
@out_option(click.Path(dir_okay=False, path_type=Path), required=True, help="File for the network, .npz.")
@click.option(
    "--frames", type=click.IntRange(min=1), default=DEFAULTS.frames, show_default=True, help="Frames to train on."
)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=DEFAULTS.epochs, show_default=True, help="Epochs of training."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=DEFAULTS.seed,
    show_default=True,
    help="Random seed of the frames and of the network.",
)
@data_dir_option
@json_option
def context(  # noqa: PLR0913, PLR0917 - an argument for each option
    photographs: Path,
    fonts: Path | None,
    out: Path,
    frames: int,
    epochs: int,
    seed: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Train the network that judges shapes by their surroundings, and measure it.

    PHOTOGRAPHS is a folder of pictures without digits or text: every other one is the ground of frames to train on, the
    others are for evaluation. The printed weights are constants of edge/reading/judging.py. Training needs Keras:
    pip install 'edge-mnist[train]'.

    \b
    Examples:
      edge-mnist measure context photographs/ --fonts fonts/ --out new.npz
    """
    require_report_packages()
    check_writable(out.parent)
    settings = ContextSettings(frames=frames, epochs=epochs, seed=seed)
    network, results = run_context(photographs, fonts, data_dir, settings)
    if as_json:
        echo_json(results)
    else:
        echo_text(format_context(results))
    write_all({out: network})
    note(f"Network: {out}")
