"""Every command of the README and the pages: it exists with its options, and the small ones are run."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import pytest

from edge_mnist.benchmarks.commands.benchmark import CommandWithSubcommands
from edge_mnist.cli import COMMANDS, main
from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(sh|bash|text|python)\n(.*?)```", re.DOTALL)
SPAN = re.compile(r"`(edge-mnist [a-z][^`]*)`")
# Commands that run in a second, on pages whose blocks are run as they are.
QUICK = {"example", "run", "verify", "inspect", "models"}
RUN_PAGES = ("README.md", "docs/start/laptop.md", "docs/guides/read-pictures.md")
# They need a display, or another machine.
CANNOT_RUN = ("--show", "curl")
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (REPOSITORY / "Makefile").read_text())) | {".venv/dev", ".venv/export"}
PROGRAM = click.Context(main, **main.context_settings)
EXTRAS = set(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"])
OPERATORS = re.compile(r"[|&;()<>]+")


class Line(NamedTuple):
    """A line of a shell block, with its continuations and without its comment."""

    page: str
    text: str


def _blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def _lines(page: Path) -> Iterator[Line]:
    name = str(page.relative_to(REPOSITORY))
    for language, block in _blocks(page):
        if language in {"sh", "bash"}:
            for line in block.replace("\\\n", " ").splitlines():
                text = re.sub(r"(^|\s+)#.*", "", line).strip()
                if text:
                    yield Line(name, text)


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, each with its words, without variables before it."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    command: list[str] = []
    for word in [*words, ";"]:
        if OPERATORS.fullmatch(word):
            if command:
                yield command
            command = []
        elif command or not re.match(r"\w+=", word):
            command.append(word)


LINES = [line for page in PAGES for line in _lines(page)]
OURS = sorted(
    {
        (line.page, shlex.join(words))
        for line in LINES
        for words in _simple_commands(line.text)
        if Path(words[0]).name == "edge-mnist" and len(words) > 1
    }
)


@pytest.mark.parametrize(("page", "command"), OURS)
def test_a_documented_command_exists_with_its_options(page: str, command: str) -> None:
    _, name, *words = shlex.split(command)
    found, words = _find(name, words)

    try:
        # With its parent: click keeps a command's help option, whose names are the parent's.
        found.make_parser(click.Context(found, PROGRAM, name)).parse_args(words)
    except click.UsageError as error:
        pytest.fail(f"{page}: {command}: {error.message}")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_within_sentences_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)

    names = {span.split()[1] for span in SPAN.findall(text)}

    assert names <= set(COMMANDS)


def _find(name: str, words: list[str]) -> tuple[click.Command, list[str]]:
    """The command of that name, or its subcommand, and the words that are left."""
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None, f"there is no edge-mnist {name}"
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        subcommand = command.get_command(context, words[0])
        assert subcommand is not None, f"there is no edge-mnist {name} {words[0]}"
        return subcommand, words[1:]
    if isinstance(command, CommandWithSubcommands) and words and words[0] in command.subcommands:
        module, function, _ = command.subcommands[words[0]]
        package = "edge_mnist.benchmarks.commands"
        return getattr(importlib.import_module(module, package), function), words[1:]
    return command, words


def test_documented_targets_extras_and_modules_exist() -> None:
    unknown: list[str] = []
    for line in LINES:
        for words in _simple_commands(line.text):
            program = Path(words[0]).name
            if program == "make":
                wanted, known = {word for word in words[1:] if not word.startswith("-")}, TARGETS
            elif "pip" in words or program in {"pip", "pipx", "uv"}:
                wanted = {extra for word in words for extra in re.sub(r".*\[(.*)\].*|.*", r"\1", word).split(",")} - {
                    ""
                }
                known = EXTRAS
            elif program.startswith("python") and "-m" in words and (module := words[words.index("-m") + 1]) != "pip":
                wanted, known = {module}, {module} if importlib.util.find_spec(module) else set()
            elif program.startswith("python") and words[1].startswith("docs/"):
                wanted, known = {words[1]}, {words[1]} if (REPOSITORY / words[1]).is_file() else set()
            else:
                continue
            unknown += [f"{line.page}: {line.text}: {word}" for word in wanted - known]

    assert unknown == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "scans").mkdir()
    (folder / "more").mkdir()
    subprocess.run(["edge-mnist", "example", "page.png"], cwd=folder, env=_environment(), check=True)
    picture = cv2.imread(str(folder / "page.png"))
    assert picture is not None
    for name in ("page.jpg", "form.jpg", "scans/1.png", "more/2.png"):
        cv2.imwrite(str(folder / name), picture)
    video = cv2.VideoWriter(str(folder / "lecture.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 5, picture.shape[1::-1])
    for _ in range(3):
        video.write(picture)
    video.release()
    return folder


def _environment() -> dict[str, str]:
    """With the command of this environment first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _runnable(block: str) -> list[str]:
    lines = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
    return [
        line
        for line in lines
        if (words := re.search(r"edge-mnist ([a-z]+)", line)) and words[1] in QUICK
        if not any(word in line for word in CANNOT_RUN)
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", RUN_PAGES)
def test_small_commands_run_and_print_what_the_page_shows(page: str, folder: Path) -> None:
    blocks = _blocks(REPOSITORY / page)
    ran = 0
    for (language, block), (next_language, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        lines = _runnable(block) if language == "sh" else []
        printed = ""
        for line in lines:
            done = subprocess.run(
                ["bash", "-c", line], cwd=folder, env=_environment(), check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}: {done.stderr}"
            printed += done.stdout + done.stderr
            ran += 1
        if lines and next_language == "text":
            assert [line for line in expected.splitlines() if not _appears(line, printed)] == [], printed
    assert ran >= 2


def _appears(line: str, printed: str) -> bool:
    """Whether a line was printed: `...` stands for anything, and times differ."""
    pattern = re.escape(line.rstrip()).replace(re.escape("..."), ".*")
    if "digits in" in line:
        pattern = re.sub(r"\d+\\\.\d", r"\\d+\\.\\d", pattern)
    return re.search(rf"(?m)^{pattern}\s*$", printed) is not None


@pytest.mark.parametrize("page", RUN_PAGES)
def test_python_of_the_pages_runs(page: str, folder: Path) -> None:
    code = [block for language, block in _blocks(REPOSITORY / page) if language == "python"]

    assert code
    for block in code:
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=folder, env=_environment(), check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
