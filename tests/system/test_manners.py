"""Every command behaves alike: the same short options, progress, completion and exit codes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge_mnist.benchmarks.commands.benchmark import Benchmark
from edge_mnist.cli import COMMANDS, EXIT_CODES, main
from edge_mnist.edge.common.terminal import progress
from edge_mnist.edge.common.terminal.verbosity import announce_loading, note, set_verbosity
from tests.conftest import REPOSITORY, edge_mnist, edge_mnist_process

PAGE = (REPOSITORY / "docs" / "guides" / "examples.md").read_text()
RESULTS = REPOSITORY / "docs" / "results" / "standard.json"


@pytest.fixture(autouse=True)
def _usual_verbosity() -> Iterator[None]:
    yield
    set_verbosity("usual")


def _commands() -> list[tuple[str, ...]]:
    """All commands that do something, as words to type."""
    context = click.Context(main)
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        found += [(name, sub) for sub in command.commands] if isinstance(command, click.Group) else [(name,)]
    return [*found, *(("benchmark", name) for name in Benchmark.subcommands)]


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_has_the_same_short_options(words: tuple[str, ...]) -> None:
    shown = edge_mnist(*words, "--help").output

    options = re.findall(r"^  (-.*?)(?:  |$)", shown, re.MULTILINE)
    assert "-q, --quiet" in options
    assert "-v, --verbose" in options
    assert "-h, --help" in options
    assert not [option for option in options if re.match(r"--(out|quiet|verbose|help)\b", option)]


def test_the_version_has_a_short_option() -> None:
    assert edge_mnist("-V").output == edge_mnist("--version").output
    assert ", version " in edge_mnist("-V").output


def test_quiet_drops_advice_and_keeps_results_and_errors(tmp_path: Path) -> None:
    usual = edge_mnist("benchmark", "report", RESULTS, "-o", tmp_path / "a")
    quiet = edge_mnist("benchmark", "report", RESULTS, "-q", "-o", tmp_path / "b")
    refused = edge_mnist("benchmark", "report", tmp_path / "none.json", "-q")

    *warnings, advice = usual.stderr.splitlines()
    assert advice.startswith("Reports: ")
    assert quiet.stderr.splitlines() == warnings
    assert quiet.stdout == usual.stdout
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(
        path.name for path in (tmp_path / "a").iterdir()
    )
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: ")


def test_a_slow_import_is_announced_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    announce_loading("TensorFlow")
    set_verbosity("verbose")
    announce_loading("Keras")
    set_verbosity("quiet")
    note("advice")

    assert capsys.readouterr().err == "Loading Keras …\n"


def test_progress_in_a_log_is_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)

    with progress.ProgressBar(["a", "b"], "read\x1b[31m", unit="picture") as bar:
        for _ in bar:
            pass

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert lines[0] == "read\\u001b[31m: 0 %, 00:00 passed"
    assert re.fullmatch(r"read\\u001b\[31m: 100 %, 00:00 passed, 00:00 left", lines[-1])


def test_short_work_has_no_progress_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.ProgressBar(range(3), "read")) == [0, 1, 2]

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("edge-mnist exp", ["plain,explain", "plain,export"]),
        ("edge-mnist run --prec", ["plain,--precision"]),
        ("edge-mnist verify na", ["plain,nano", "dir,na"]),
        ("edge-mnist run --precision flo", ["plain,float32", "plain,float16"]),
    ],
)
def test_a_shell_completes_commands_options_and_bundles(words: str, expected: list[str]) -> None:
    position = str(len(words.split()) - 1)

    done = edge_mnist_process(_EDGE_MNIST_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)

    assert (done.stdout.splitlines(), done.stderr) == (expected, "")


@pytest.mark.parametrize("line", re.findall(r"^.*_EDGE_MNIST_COMPLETE=.*$", PAGE, re.MULTILINE))
def test_the_page_has_the_lines_that_shells_need(line: str) -> None:
    found = re.search(r"=(\w+)_source edge-mnist", line)
    assert found

    done = edge_mnist_process(_EDGE_MNIST_COMPLETE=f"{found[1]}_source")

    assert done.returncode == 0, done.stderr
    assert "_EDGE_MNIST_COMPLETE" in done.stdout
    if found[1] == "bash" and (bash := shutil.which("bash")):
        subprocess.run([bash, "-n"], input=done.stdout, text=True, check=True)


def test_exit_codes_are_those_of_the_page() -> None:
    assert dict(re.findall(r"^\| (\d) \| (.*) \|$", PAGE, re.MULTILINE)) == {
        str(code): meaning for code, meaning in EXIT_CODES.items()
    }


@pytest.mark.parametrize(
    ("command", "code"),
    [(("verify", "nano"), 0), (("verify", "nowhere"), 1), (("verify", "--nothing"), 2), (("verfy",), 2)],
    ids=str,
)
def test_a_command_ends_with_a_code_of_the_table(command: tuple[str, ...], code: int) -> None:
    done = edge_mnist_process(*command)

    assert done.returncode == code
    assert code in EXIT_CODES
    assert bool(done.stderr) == (code != 0)


def test_options_are_listed_in_groups() -> None:
    shown = edge_mnist("export", "--help").output

    headings = re.findall(r"^(\w.*):$", shown, re.MULTILINE)
    assert headings == ["Files to write", "Your own model", "Quantization", "Options"]
    assert json.dumps(shown).count("--int16x8") == 1
