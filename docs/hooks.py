"""Hooks of mkdocs: the repository's address, commands with their examples as blocks, and generated files."""

import contextlib
import io
import re
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from edge_mnist.benchmarks.commands import benchmark
from edge_mnist.cli import main
from edge_mnist.edge.bundle.card import ModelCard
from edge_mnist.edge.web.server import start_server

ROOT = Path(__file__).resolve().parent.parent
DOCSTRING = re.compile(r"<!-- docstring: (?P<module>\S+) -->")
# click keeps the lines of a paragraph that starts with this character.
AS_WRITTEN = re.compile(r"^\s*\x08\n(?P<title>.*)\n(?P<lines>(?:.+\n?)+)", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the repository's address, if there is one, and prepare the commands for mkdocs-click."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    config.repo_url = project.get("urls", {}).get("Repository")
    for command in (main, *list_commands(main)):
        command.help = AS_WRITTEN.sub(make_block, (command.help or "") + "\n")
    return config


def list_commands(group: click.Group) -> Iterator[click.Command]:
    """List the commands of a group, theirs, and the subcommands of commands that also run alone."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from list_commands(command)
        elif isinstance(command, benchmark.CommandWithSubcommands):
            for module, function, _ in command.subcommands.values():
                yield getattr(import_module(module, benchmark.__package__), function)
        if command is not None:
            yield command


def make_block(match: re.Match[str]) -> str:
    """Turn lines that click prints as they are into a block of code."""
    lines = match["lines"].splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    return "\n".join([f"\n{match['title'].strip()}", "", "```sh", *(line[indent:] for line in lines), "```", ""])


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace `<!-- docstring: MODULE -->` by the module's docstring, as it is written."""
    return DOCSTRING.sub(lambda match: f"```text\n{import_module(match['module']).__doc__}```", markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the schemas of the card and of the HTTP API, and the icon of the served page."""
    card = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(ModelCard)), indent=2)
    files.append(File.generated(config, "reference/card.schema.json", content=card))
    with contextlib.redirect_stderr(io.StringIO()):
        server = start_server(None, port=0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/openapi.json", timeout=20) as response:
            files.append(File.generated(config, "reference/openapi.json", content=response.read()))
    finally:
        server.close()
    icon = ROOT / "edge" / "web" / "static" / "icon.svg"
    files.append(File.generated(config, "pictures/icon.svg", abs_src_path=str(icon)))
    return files
