"""What options take and how they are told: a number is a finite one, and help fits a terminal, in every command."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge_mnist.cli import COMMANDS, main
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.commands.options import BUNDLE, BundlePath, FiniteRange, name_bundle
from tests.conftest import edge_mnist

# Of a terminal that nobody made larger.
COLUMNS = 80


def _walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
    for parameter in command.params:
        yield f"{name} {parameter.opts[0]}", parameter
    for child, below in getattr(command, "commands", {}).items():
        yield from _walk(below, f"{name} {child}")


def test_every_option_that_takes_a_number_wants_a_finite_one() -> None:
    context = click.Context(main)
    options = [
        pair for name in COMMANDS for pair in _walk(main.get_command(context, name) or click.Command(name), name)
    ]

    numbers = [(name, option) for name, option in options if isinstance(option.type, click.types.FloatParamType)]

    assert len(numbers) >= 12, "of live, serve, train, export, benchmark and scenes"
    assert [name for name, option in numbers if not isinstance(option.type, FiniteRange)] == []


@pytest.mark.parametrize("name", ["nano", "standard"])
def test_a_shipped_name_is_the_shipped_bundle_in_every_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert BUNDLE.convert(name, None, None) == SHIPPED.parent / name
    assert capsys.readouterr() == ("", "")
    Path(name).mkdir()

    assert BUNDLE.convert(name, None, None) == SHIPPED.parent / name

    message = f"{name} means the shipped bundle here; write ./{name} for the one in this folder.\n"
    assert capsys.readouterr() == ("", message)
    for path in (f"./{name}", str(tmp_path / name), f"{name}/"):
        assert BUNDLE.convert(path, None, None).resolve() == tmp_path / name
    assert capsys.readouterr() == ("", "")


def test_a_name_that_is_not_shipped_is_a_folder_here() -> None:
    assert BUNDLE.convert("my-model", None, None) == Path("my-model")


def test_what_is_said_to_type_next_means_the_folder() -> None:
    assert name_bundle(Path("standard")) == "./standard"
    assert name_bundle(Path("my-model")) == "my-model"
    assert name_bundle(SHIPPED) == str(SHIPPED)


def test_every_command_takes_bundles_alike() -> None:
    context = click.Context(main)
    parameters = [
        pair for name in COMMANDS for pair in _walk(main.get_command(context, name) or click.Command(name), name)
    ]

    taking = {name for name, parameter in parameters if isinstance(parameter.type, BundlePath)}

    expected = ["run --model", "live --model", "serve --model", "verify bundle", "models bundles", "export source",
                "train --from", "train --teacher", "explain --model", "compare runs"]  # fmt: skip
    assert set(expected) <= taking


def _describe(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it, with their names."""
    context = click.Context(command, info_name=name, terminal_width=COLUMNS)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            below = command.get_command(context, child)
            assert below is not None
            yield from _describe(below, f"{name} {child}")


def test_every_line_of_help_fits_a_terminal() -> None:
    helps = dict(_describe(main, "edge-mnist"))

    assert {f"edge-mnist {name}" for name in COMMANDS} < helps.keys()
    too_long = [(name, line) for name, text in helps.items() for line in text.splitlines() if len(line) > COLUMNS]
    assert too_long == []


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_what_is_no_finite_number_is_misuse(number: str) -> None:
    result = edge_mnist("live", "--seconds", number)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '--seconds': {number} is not a finite number."
