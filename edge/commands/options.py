"""Options that commands of several stages share, so that they read and behave alike."""

import math
from pathlib import Path
from typing import Any

import click

from ..bundle.folder import find_bundle
from ..common.terminal.output import echo

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the four MNIST files; searched before $EDGE_MNIST_DATA, the cache and the mirrors.",
)


class BundlePath(click.ParamType[Path]):
    """The name of a bundle in the package, which wins over a folder of that name; or a bundle's folder."""

    name = "bundle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert a word or a path to a path; whether it holds a bundle is checked when it is opened."""
        path = find_bundle(value)
        if path != Path(value) and Path(value).exists():
            echo(f"{value} means the shipped bundle here; write ./{value} for the one in this folder.", err=True)
        return path


class FiniteRange(click.FloatRange):
    """A finite number in a range. `nan` and `inf` are refused, because comparing a limit with them has no effect."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the number, or fail as misuse."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


BUNDLE = BundlePath()


def name_bundle(path: Path) -> str:
    """Return what to type for a bundle's folder: a name alone would mean the shipped bundle of that name."""
    return f"./{path}" if find_bundle(str(path)) != path else str(path)
