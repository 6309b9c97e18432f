"""`edge-mnist scenes`: make pictures of handwritten digits and write down what they say."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ...edge.commands.options import FiniteRange
from ...edge.common.files import new_folder
from ...edge.common.terminal.output import echo
from ...edge.common.terminal.progress import ProgressBar
from ..errors import BenchmarkError
from ..photos.labels import LABELS_NAME, Label
from ..scenes.conditions import CONDITIONS
from ..scenes.pages import write_page
from ..scenes.scene import draw_scene


def _check_rows(_context: click.Context, _parameter: click.Parameter, rows: tuple[str, ...]) -> tuple[str, ...]:
    for row in rows:
        if not (row.isdecimal() and row.isascii()):
            raise click.BadParameter(f"expected digits, got {row!r}.")
    return rows


@click.command()
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--row",
    "rows",
    multiple=True,
    callback=_check_rows,
    default=("0123456789", "31415926", "2718"),
    show_default=True,
    help="Digits of one row. May be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Random seed of the handwriting and the paper.",
)
def example(picture: Path, rows: tuple[str, ...], seed: int) -> None:
    """Draw an example page of handwriting-like digits.

    \b
    Examples:
      edge-mnist example page.png
      edge-mnist example page.png --row 12 --row 34 --seed 1
    """
    try:
        write_page(picture, rows, seed)
    except OSError as error:
        raise click.ClickException(f"{picture}: cannot be written ({error.strerror or error}).") from error
    except ValueError as error:
        # Pillow chooses the format by the file name.
        raise click.ClickException(
            f"{picture}: is not the name of a picture. Expected e.g. page.png or page.jpg."
        ) from error
    echo(f"{picture}: {', '.join(rows)}. Next: edge-mnist run {shlex.quote(str(picture))}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Pictures per condition.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed of the first picture; each further one adds 1.",
)
@click.option(
    "--condition",
    "conditions",
    type=click.Choice(list(CONDITIONS)),
    multiple=True,
    metavar="NAME",
    help="Condition to draw. May be repeated.  [default: all]",
)
@click.option(
    "--most-megapixels",
    type=FiniteRange(min=0, min_open=True),
    default=12.2,
    show_default=True,
    help="Largest frame, in megapixels. Conditions that need larger frames ignore it.",
)
def scenes(folder: Path, count: int, seed: int, conditions: tuple[str, ...], most_megapixels: float) -> None:
    """Draw photo-like pictures of handwritten digits, with their digits in a labels.json.

    The same seed gives the same pictures. They vary in handwriting, pen, paper, light and camera, and are drawn without
    any real photographs or handwriting. Conditions:

    \b
    {conditions}

    \b
    Examples:
      edge-mnist scenes my-scenes
      edge-mnist scenes ruled --count 100 --condition ruled --condition touching
      edge-mnist benchmark photos my-scenes
    """
    written = write_scenes(folder, conditions or tuple(CONDITIONS), range(seed, seed + count), most_megapixels)
    there = f"{folder}: {written} {'picture' if written == 1 else 'pictures'}."
    echo(f"{there} Next: edge-mnist benchmark photos {shlex.quote(str(folder))}")


# The table is the only place that lists them.
scenes.help = (scenes.help or "").format(
    conditions="\n    ".join(f"  {name:17} {condition.summary}" for name, condition in CONDITIONS.items())
)


def write_scenes(folder: Path, conditions: Sequence[str], seeds: Sequence[int], most_megapixels: float) -> int:
    """Write a picture for each condition and seed, and their labels; return the number of pictures.

    The folder appears when it is complete.

    Raises:
        BenchmarkError: The folder is not empty, or cannot be written.
    """
    labels: dict[str, Label] = {}
    wanted = [(condition, seed) for condition in conditions for seed in seeds]
    try:
        with new_folder(folder) as staging:
            for condition, seed in ProgressBar(wanted, unit="picture"):
                scene, name = draw_scene(condition, seed, most_megapixels), f"{condition}-{seed:04}.jpg"
                (staging / name).write_bytes(scene.content)
                labels[name] = Label(scene.rows, condition)
            (staging / LABELS_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(labels), indent=1) + b"\n")
    except FileExistsError as error:
        raise BenchmarkError(f"{folder}: exists and is not empty. Choose another folder.") from error
    except OSError as error:
        raise BenchmarkError(f"{folder}: cannot be written ({error.strerror}). Choose another folder.") from error
    return len(labels)
