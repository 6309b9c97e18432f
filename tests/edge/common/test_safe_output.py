"""Whatever a command prints, and whoever wrote it: nothing of it steers the terminal or forges a line."""

import json
import logging
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from edge_mnist.benchmarks.scenes.pages import write_page
from edge_mnist.cli import COMMANDS, main
from edge_mnist.edge.bundle.card import ModelCard, decode_card, encode_card
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common import native_log
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.terminal.output import LineFormatter, SafeStream, echo, echo_lines, safe_output
from edge_mnist.edge.common.terminal.text import clean, escape_html, file_name, one_line
from tests.builders.benchmark_results import make_results
from tests.builders.strangers_text import EVERYTHING, MARKUP, STEERING, find_forged, find_steering
from tests.conftest import edge_mnist, python_process

TIMEOUT_S = 120
# A file may not have a slash or NUL in its name; names that end in a suffix are opened.
NAME = EVERYTHING.replace("/", "")


def _list_commands() -> Iterator[tuple[str, ...]]:
    for name in COMMANDS:
        command = _find((name,))
        if not isinstance(command, click.Group):
            yield (name,)
        nested = getattr(command, "commands", None) or getattr(command, "others", {})
        yield from ((name, inner) for inner in nested)


def _find(path: tuple[str, ...]) -> click.Command:
    """The command behind names."""
    context = click.Context(main)
    command: Any = main.get_command(context, path[0])
    for name in path[1:]:
        if isinstance(command, click.Group):
            command = command.get_command(context, name)
        else:
            command = command.make_context("", [name, "--help"], context, resilient_parsing=True).command
    return command


def _paths() -> list[Any]:
    return [pytest.param(path, id=" ".join(path)) for path in _list_commands()]


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _assert_harmless(result: Result) -> None:
    assert find_steering(result.output) == []
    assert find_forged(result.output) == []


@pytest.mark.parametrize("path", _paths())
def test_no_command_prints_what_steers_a_terminal(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    command = _find(path)

    def print_in_every_way() -> None:
        echo(EVERYTHING)
        echo(EVERYTHING, err=True)
        echo_lines([EVERYTHING])
        click.echo(STEERING)
        click.secho(STEERING, err=True, fg="red")
        sys.stderr.write(STEERING)
        sys.stdout.writelines([STEERING])
        raise EdgeMnistError(f"a.png{EVERYTHING}: not a picture.")

    monkeypatch.setattr(command, "callback", print_in_every_way)
    monkeypatch.setattr(command, "params", [])
    result = _run(*path)

    assert result.exit_code == 1
    assert "Error: a.png\\u001b]0;pwned" in result.stderr
    assert result.output.count("pwned") == 8
    _assert_harmless(result)


@pytest.mark.parametrize("path", _paths())
def test_no_option_of_any_command_is_quoted_raw(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    command = _find(path)
    monkeypatch.setattr(command, "callback", lambda **answers: echo(str(answers)))
    valued = [one for one in command.params if not getattr(one, "is_flag", False)]
    arguments = [EVERYTHING for one in valued if isinstance(one, click.Argument)]
    options = [[max(one.opts, key=len), EVERYTHING] for one in valued if isinstance(one, click.Option)]

    results = [_run(*path, *option, *arguments) for option in ([], *options, [f"--unknown{EVERYTHING}"])]

    assert results[-1].exit_code == 2
    for result in results:
        assert isinstance(result.exception, SystemExit | None)
        _assert_harmless(result)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose names and contents are strangers' text."""
    folder = tmp_path_factory.mktemp("strangers")
    write_page(folder / "page.png", ("12",), seed=1)
    pictures = folder / f"pictures{NAME}"
    pictures.mkdir()
    shutil.copy(folder / "page.png", pictures / f"page{NAME}.png")
    (pictures / f"broken{NAME}.png").write_bytes(b"nothing")
    # Bytes that are no UTF-8.
    shutil.copy(os.fsencode(folder / "page.png"), os.fsencode(pictures) + b"/\x9b31m\xff.png")
    (folder / f"broken{NAME}.mp4").write_bytes(b"nothing")
    (folder / f"broken{NAME}.onnx").write_bytes(b"x" * 50)
    shutil.copy(next(SHIPPED.glob("*int8.tflite")), folder / f"m{NAME}.tflite")
    shutil.copytree(SHIPPED, folder / f"bundle{NAME}")
    _write_card(folder / f"bundle{NAME}" / "card.json")
    _write_results(folder)
    (folder / "photos").mkdir()
    shutil.copy(folder / "page.png", folder / "photos" / f"q{NAME}.png")
    labels = {f"q{NAME}.png": {"rows": ["1"], "condition": EVERYTHING + MARKUP}}
    (folder / "photos" / "labels.json").write_text(json.dumps(labels))
    return folder


def _write_card(path: Path) -> None:
    """Make every text of a card hostile that may be any text, and seal it."""
    card = decode_card(path.read_bytes(), "card")
    document = msgspec.to_builtins(card)

    def soil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: soil(item, name) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [soil(item, key) for item in value]
        if isinstance(value, str) and key in {"device", "processor", "command", "dataset", "flags", "tools", "labels"}:
            return value + EVERYTHING + MARKUP
        return value

    path.write_bytes(encode_card(msgspec.convert(soil(document), ModelCard)))


def _write_results(folder: Path) -> None:
    first, second = make_results(seed=1), make_results(seed=2)
    for number, results in enumerate((first, second)):
        rows = [msgspec.structs.replace(row, file=row.file + EVERYTHING + MARKUP) for row in results.rows]
        machines = [
            msgspec.structs.replace(
                machine,
                name=machine.name + EVERYTHING + MARKUP,
                host=msgspec.structs.replace(machine.host, model=EVERYTHING + MARKUP, governor=EVERYTHING),
            )
            for machine in results.machines
        ]
        soiled = msgspec.structs.replace(results, rows=rows, machines=machines)
        (folder / f"{number}.json").write_bytes(msgspec.json.encode(soiled))
    (folder / "history").mkdir()
    shutil.copy(folder / "0.json", folder / "history" / f"a{NAME}.json")
    shutil.copy(folder / "1.json", folder / "history" / "b.json")
    (folder / "history" / f"c{NAME}.json").write_text("{}")


CASES = {
    "run on a folder": ("run", f"pictures{NAME}"),
    "run on a missing file": ("run", f"none{NAME}.png"),
    "run on a video": ("run", f"broken{NAME}.mp4"),
    "run with drawings": ("run", f"pictures{NAME}", "--annotate", f"out{NAME}"),
    "run with JSON": ("run", f"pictures{NAME}", "--json"),
    "run with every digit": ("run", f"pictures{NAME}", "--verbose"),
    "run with a missing model": ("run", "page.png", "--model", f"none{NAME}"),
    "run with a hostile card": ("run", "page.png", "--model", f"bundle{NAME}"),
    "verify": ("verify", f"bundle{NAME}"),
    "verify nothing": ("verify", f"none{NAME}"),
    "models": ("models", f"bundle{NAME}"),
    "models as JSON": ("models", f"bundle{NAME}", "--json"),
    "inspect": ("inspect", f"m{NAME}.tflite"),
    "inspect a broken file": ("inspect", f"broken{NAME}.onnx"),
    "benchmark compare": ("benchmark", "compare", "0.json", "1.json", "--force"),
    "benchmark compare as JSON": ("benchmark", "compare", "0.json", "1.json", "--force", "--json"),
    "benchmark history": ("benchmark", "history", "history", "--out", f"trend{NAME}.html"),
    "benchmark photos": ("benchmark", "photos", "photos", "--model", f"bundle{NAME}", "--out", "reports"),
    "compare": ("compare", f"bundle{NAME}", "--out", "reports"),
    "compare runs": ("compare", "0.json", "--out", "reports"),
    "example": ("example", f"page{NAME}.png"),
    "example of no format": ("example", f"page{NAME}"),
    "scenes": ("scenes", f"scenes{NAME}", "--count", "1", "--condition", "plain"),
    "live on a folder": ("live", "--camera", f"pictures{NAME}", "--fps", "0", "--frames", "1", "--verbose"),
    "live as JSON": ("live", "--camera", f"pictures{NAME}", "--fps", "0", "--frames", "1", "--json"),
    "live without a camera": ("live", "--camera", f"none{NAME}.mp4"),
    "live with a broker": ("live", "--camera", "page.png", "--mqtt", f"mqtt://{STEERING}/t", "--frames", "1"),
    "serve": ("serve", "--token-file", f"none{NAME}"),
    "a command that there is not": (f"none{NAME}",),
    "an option that there is not": (f"--none{NAME}",),
}


@pytest.mark.parametrize("arguments", CASES.values(), ids=CASES)
def test_hostile_names_and_contents_stay_text(
    arguments: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    result = _run(*arguments)

    said = "".join(capfd.readouterr())
    assert isinstance(result.exception, SystemExit | None), result.exception
    _assert_harmless(result)
    # By native libraries, past Python.
    assert find_steering(said) == []


def test_json_of_a_name_that_is_no_utf8_gives_the_name_back(folder: Path) -> None:
    path = os.fsdecode(os.fsencode(folder) + b"/m\xff.tflite")
    shutil.copy(next(SHIPPED.glob("*int8.tflite")), path)

    result = _run("inspect", path, "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["file"] == path


def test_a_name_with_a_line_break_is_one_line_of_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    shutil.copy("page.png", "x\nFORGED: 999 digits\r.png")

    result = _run("run", "x\nFORGED: 999 digits\r.png")

    head, *rows = result.stdout.splitlines()
    assert head.startswith("x\\nFORGED: 999 digits\\r.png: 2 digits in ")
    assert [row.strip()[:2] for row in rows] == ["12"]


def test_json_is_the_same_document_after_cleaning() -> None:
    document = {"text": EVERYTHING.replace("\x00", ""), "more": ["é", "日本", "\\u202e", "😀"]}

    cleaned = clean(msgspec.json.encode(document).decode())

    assert find_steering(cleaned) == []
    assert json.loads(cleaned) == document


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\u001b[31mb"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\udce9", "caf\\udce9"),
        ("naïve 日本 👍🏽 ‍", "naïve 日本 👍🏽 ‍"),
    ],
    ids=["escape", "lines", "direction", "bytes", "letters"],
)
def test_control_characters_are_shown_as_json_writes_them(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_html_text_has_no_control_characters() -> None:
    assert escape_html("<b>\x1b[31m") == "&lt;b&gt;\\u001b[31m"


@pytest.mark.parametrize(
    ("text", "name"),
    [("../x", ".._x"), ("a\0b\nc", "a_b_c"), ("é" * 200, "é" * 90), ("plain-1", "plain-1")],
    ids=["folders", "controls", "length", "plain"],
)
def test_a_file_name_made_of_a_name_is_one_name(text: str, name: str) -> None:
    assert file_name(text) == name


def test_a_log_record_is_one_line() -> None:
    record = logging.LogRecord("camera", logging.INFO, "", 0, "the broker says %s", (EVERYTHING,), None)

    line = LineFormatter().format(record)

    assert len(line.splitlines()) == 1
    assert find_steering(line) == []


def test_tracebacks_warnings_and_log_lines_are_cleaned() -> None:
    code = (
        "import logging, sys, threading, warnings\n"
        "from edge_mnist.cli import main\n"
        "import edge_mnist.edge.commands.verify as verify\n"
        "def fail():\n"
        "    logging.getLogger('x').warning(sys.argv[2])\n"
        "    warnings.warn(sys.argv[2])\n"
        "    thread = threading.Thread(target=lambda: open(sys.argv[2]))\n"
        "    thread.start(); thread.join()\n"
        "    raise RuntimeError(sys.argv[2])\n"
        "verify.verify.callback = fail; verify.verify.params = []\n"
        "main(sys.argv[1:2])\n"
    )

    done = python_process(code, "verify", EVERYTHING.replace("\x00", ""), PYTHONIOENCODING="utf-8")

    assert done.returncode == 1
    assert done.stderr.count("pwned") == 4
    assert "RuntimeError: \\u001b" in done.stderr
    assert find_steering(done.stderr) == []


def test_what_native_libraries_wrote_is_cleaned_when_it_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        with native_log.quiet_native_log():
            os.write(2, b"bad file \x1b[31m\xff")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()

    assert capsys.readouterr().err == "bad file \\u001b[31m\\xff"


def test_no_bytes_pass_by_the_cleaning() -> None:
    with safe_output():
        assert isinstance(sys.stdout, SafeStream)
        assert not hasattr(sys.stdout, "buffer")
        assert not hasattr(sys.stderr, "buffer")


def test_the_streams_are_the_callers_again_after_a_command() -> None:
    before = sys.stdout, sys.stderr

    edge_mnist("--version")

    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", f"pictures{NAME}", f"pictures{NAME}"),
        ("live", "--camera", f"pictures{NAME}", "--fps", "0", "--frames", "3"),
    ],
    ids=["bars", "table"],
)
def test_at_a_terminal_only_our_own_sequences_steer_it(arguments: tuple[str, ...], folder: Path) -> None:
    shown = _run_at_terminal(arguments, folder)

    assert b"\x1b[" in shown or b"\r" in shown
    assert b"\\u001b]0;pwned" in shown or b"pictures" not in shown
    for sequence in (b"\x1b]0;", b"\x1b[31m", b"\x1b[2J", "\x9b".encode(), "\u202e".encode(), b"\b"):
        assert sequence not in shown
    assert b"\nFORGED" not in shown


def _run_at_terminal(arguments: tuple[str, ...], folder: Path) -> bytes:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from edge_mnist.cli import main; main()", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # so Linux says that the other end is closed
    finally:
        os.close(ours)
        process.wait(TIMEOUT_S)
    return shown
