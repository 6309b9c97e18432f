"""`edge-mnist explain`: parse, explain, write the drawing."""

import shlex
from pathlib import Path

import click

from ..edge.bundle.folder import open_card
from ..edge.bundle.shipped import SHIPPED
from ..edge.commands.options import BUNDLE, out_option
from ..edge.common.errors import EdgeMnistError
from ..edge.common.files import write_atomically
from ..edge.common.terminal.output import echo_json, echo_lines
from ..edge.common.terminal.verbosity import note
from ..edge.media.pictures import read_gray
from . import import_keras


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--model", type=BUNDLE, default=SHIPPED, show_default="the shipped one",
              help="Bundle whose model.keras is explained: a folder written by train or export.")  # fmt: skip
@out_option(click.Path(path_type=Path), help="PNG file to write.  [default: ./NAME.explained.png]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(image: Path, model: Path, out: Path | None, as_json: bool) -> None:
    """Show which parts of each digit in IMAGE the Keras model relied on (Grad-CAM).

    Digits are found and framed as in `run`, but touching or broken digits are not split or joined. A picture of exactly
    28 by 28 pixels is used unchanged, 0 = paper and 255 = ink. For each digit, the PNG shows the image that the model
    sees, the heat map over it, the predicted digit with its confidence, and the runner-up. The command needs
    TensorFlow; the model may have been trained on any backend.

    \b
    Examples:
      edge-mnist explain page.png
      edge-mnist explain seven.png --model my-model --out why.png
    """
    read_gray(image)
    open_card(model)
    import_keras()
    # Imported here so that `--help` works without Keras, and a wrong path is reported at once.
    from .explanation.explain import explain_picture, format_digit  # noqa: PLC0415

    explained = explain_picture(image, model)
    destination = out or Path(f"{image.stem}.explained.png")
    try:
        write_atomically(destination, explained.sheet)
    except OSError as error:
        raise EdgeMnistError(f"{destination}: cannot be written ({error.strerror}). Choose another --out.") from error
    if as_json:
        echo_json({"layer": explained.layer, "digits": explained.digits})
    else:
        echo_lines([format_digit(digit) for digit in explained.digits])
    note(f"Heat map of {explained.layer}: {shlex.quote(str(destination))}")
