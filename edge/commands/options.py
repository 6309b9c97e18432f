"""Options that commands of several stages share, so that they read and behave alike."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..bundle.folder import find_bundle
from ..bundle.shipped import find_shipped
from ..common.terminal.output import echo
from ..common.terminal.verbosity import set_verbosity

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the four MNIST files; searched before $EDGE_MNIST_DATA, the cache and the mirrors.",
)


def out_option(kind: click.Path, **settings: Any) -> Decorator:
    """Make `-o` and `--out`: where a command writes."""
    return click.option("-o", "--out", type=kind, **settings)


def _choose_verbosity(_context: click.Context, parameter: click.Parameter, is_set: bool) -> None:
    if is_set:
        set_verbosity("quiet" if parameter.name == "quiet" else "verbose")


_VERBOSITY = (
    click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_choose_verbosity,
                 help="Print no progress and no advice: only results, warnings and errors."),
    click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_choose_verbosity,
                 help="Log to standard error what happens."),
)  # fmt: skip


def add_verbosity(command: click.Command) -> click.Command:
    """Give a command, or every command of a group, `-q` and `-v`, unless it has its own."""
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        add_verbosity(one)
    known = {name for parameter in command.params for name in parameter.opts}
    if not isinstance(command, click.Group):
        command.params += [option for option in _VERBOSITY if not known.intersection(option.opts)]
    return command


class BundlePath(click.ParamType[Path]):
    """The name of a bundle in the package, which wins over a folder of that name; or a bundle's folder."""

    name = "bundle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert a word or a path to a path; whether it holds a bundle is checked when it is opened."""
        path = find_bundle(value)
        if path != Path(value) and Path(value).exists():
            echo(f"{value} means the shipped bundle here; write ./{value} for the one in this folder.", err=True)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the names of shipped bundles, and folders."""
        names = [folder.name for folder in find_shipped() if folder.name.startswith(incomplete)]
        return [*map(CompletionItem, names), CompletionItem(incomplete, type="dir")]


class FiniteRange(click.FloatRange):
    """A finite number in a range. `nan` and `inf` are refused, because comparing a limit with them has no effect."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the number, or fail as misuse."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


BUNDLE = BundlePath()


class GroupedCommand(click.Command):
    """A command whose help lists options under the headings of their groups, in the order of their declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group; options without one come last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record:
                sections.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        others = {"Options": sections.pop("Options")} if "Options" in sections else {}
        for heading, records in (sections | others).items():
            with formatter.section(heading):
                formatter.write_dl(records)


def option_group(heading: str, *options: Decorator) -> Decorator:
    """Make a decorator that adds these options, the first one first, under a heading of a `GroupedCommand`'s help."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        before = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            command = option(command)
        for parameter in getattr(command, "__click_params__", ())[before:]:
            parameter.heading = heading
        return command

    return add


def name_bundle(path: Path) -> str:
    """Return what to type for a bundle's folder: a name alone would mean the shipped bundle of that name."""
    return f"./{path}" if find_bundle(str(path)) != path else str(path)
