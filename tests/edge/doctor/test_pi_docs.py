"""docs/start/raspberry-pi.md: every command of ours in it exists, with the options that it is given."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from edge_mnist.cli import COMMANDS, main
from edge_mnist.edge.doctor.service import DEFAULTS, FILES
from edge_mnist.edge.doctor.system import SERVICE
from tests.conftest import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "start" / "raspberry-pi.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
# Options that are spoken of alone, and the command that the sentence is about.
ALONE = re.compile(r"`(--[a-z0-9-]+)(?: [^`]*)?`")


def _spans() -> Iterator[str]:
    """Pieces of code: lines of blocks without their comments, and what stands between backticks."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for block in blocks:
        yield from (re.sub(r"\s+#.*", "", line) for line in block.splitlines())
    for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)):
        yield " ".join(span.split())


def _commands() -> list[str]:
    """Ours, without what stands before them and after them in a shell."""
    found = (re.search(r"(?:^|/)(edge-mnist .*)", span) for span in _spans())
    return sorted({re.split(r"\s(?:>|\||&&)\s", match[1].strip())[0] for match in found if match})


def _parse(line: str) -> click.Context:
    """Parse it as click would, without running it."""
    _, name, *arguments = shlex.split(line)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command.make_context(name, arguments)


def test_the_document_has_the_commands_that_it_is_about() -> None:
    names = {command.split()[1] for command in _commands()}

    assert {"doctor", "pi-setup", "live", "serve"} <= names <= set(COMMANDS)


@pytest.mark.parametrize("line", _commands())
def test_every_command_of_the_document_is_understood(line: str) -> None:
    with _parse(line) as context:
        assert context.command.name in line.split()[1:3]


def test_the_services_settings_are_understood() -> None:
    settings = dict(re.findall(r'(?m)^(EDGE_MNIST_\w+)="?(.*?)"?$', (FILES / "edge-mnist.default").read_text()))

    with _parse(f"edge-mnist {settings['EDGE_MNIST_COMMAND']} {settings['EDGE_MNIST_ARGS']}") as context:
        assert context.command.name == "live"


@pytest.mark.parametrize("option", sorted(set(ALONE.findall(TEXT)) - {"--system-site-packages"}))
def test_every_option_that_is_spoken_of_is_one_of_live(option: str) -> None:
    command = main.get_command(click.Context(main), "live")
    assert command is not None

    options = {name for parameter in command.params for name in parameter.opts}

    assert option in options


def test_the_document_names_the_services_files_as_they_are() -> None:
    assert f"/{DEFAULTS}" in TEXT
    assert f"journalctl --unit {SERVICE} " in TEXT
    assert f"/var/lib/{SERVICE}" in TEXT


def test_the_document_claims_no_figure_of_a_pi() -> None:
    assert "No figure in this project was measured on a Pi" in TEXT
    assert not re.search(r"\d\s*(ms|milliseconds|frames per second|fps)\b", TEXT)


def test_the_document_is_short_enough_to_be_read() -> None:
    assert len(TEXT.splitlines()) < 200
