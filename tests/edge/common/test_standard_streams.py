"""Standard input, output and error that are closed, full, or of another encoding: in every command the same."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge_mnist.edge.bundle.shipped import SHIPPED
from tests.conftest import edge_mnist

COMMAND = "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
NANO = SHIPPED.parent / "nano" / "nano-int8.onnx"
# Quick ones of every kind: help, tables, JSON, messages from elsewhere.
QUICK: dict[str, list[object]] = {
    "help": ["--help"],
    "models": ["models"],
    "inspect": ["inspect", NANO],
    "run": ["run", "page.png"],
    "live --json": ["live", "--camera", "pictures", "--fps", "0", "--json"],
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a page of digits, also under a name that latin-1 lacks, and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    assert edge_mnist("example", "page.png").exit_code == 0
    (tmp_path / "pictures").mkdir()
    for name in ("pictures/a.png", "pictures/メーター.png", "メーター.png"):
        (tmp_path / name).write_bytes((tmp_path / "page.png").read_bytes())
    return tmp_path


def _run(arguments: list[object], redirection: str = "", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command below a shell, which can close a stream."""
    line = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(
        line, capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL, env={**os.environ, **environment}
    )


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"], ids=["closed", "full"])
@pytest.mark.parametrize("arguments", QUICK.values(), ids=QUICK)
def test_results_that_nobody_gets_are_an_error(arguments: list[object], redirection: str) -> None:
    done = _run(arguments, redirection)

    assert done.returncode == 1
    assert b"standard output" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-"], ids=["no errors", "errors full", "no input"])
@pytest.mark.parametrize("arguments", QUICK.values(), ids=QUICK)
def test_results_are_the_same_without_the_other_streams(arguments: list[object], redirection: str) -> None:
    done = _run(arguments, redirection)

    assert done.returncode == 0
    assert len(done.stdout) > 20


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 <&-"])
def test_a_message_that_nobody_gets_stops_no_work(redirection: str) -> None:
    done = _run(["run", "missing.png", "page.png"], redirection)

    assert done.returncode == 1, "something could not be read"
    assert b"page.png: 22 digits" in done.stdout


def test_without_any_stream_misuse_is_still_misuse() -> None:
    assert _run(["no-such-command"], "<&- >&- 2>&-").returncode == 2


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_names_that_the_encoding_lacks_stop_nothing(encoding: str) -> None:
    done = _run(["run", "メーター.png", "missing-ü-メ.png", "page.png"], PYTHONIOENCODING=encoding)

    assert done.returncode == 1
    assert rb"\u30e1\u30fc\u30bf\u30fc.png: 22 digits" in done.stdout
    assert b"\npage.png: 22 digits" in done.stdout
    assert b"Traceback" not in done.stderr
    assert rb"\u30e1.png: cannot be read" in done.stderr


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "text"])
def test_live_announces_in_any_encoding(options: list[object]) -> None:
    done = _run(["live", "--camera", "メ", *options], PYTHONIOENCODING="latin-1")
    assert done.returncode == 1
    assert rb"'\u30e1': no such file or folder" in done.stderr
    Path("pictures").rename("メ")

    done = _run(["live", "--camera", "メ", "--fps", "0", *options], PYTHONIOENCODING="latin-1")

    assert done.returncode == 0
    assert rb"\u30e1 (2 pictures)" in done.stdout
    assert b"0123456789" in done.stdout


def test_what_the_encoding_lacks_leaves_json_valid() -> None:
    text = "é メ 😀"
    code = (
        "import json; from edge_mnist.edge.common.terminal.streams import prepare_standard_streams;"
        f"prepare_standard_streams(); print(json.dumps({text!r}, ensure_ascii=False))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )

    assert json.loads(done.stdout.decode("ascii")) == text


@pytest.mark.usefixtures("work")
def test_a_reader_that_leaves_ends_live_well() -> None:
    line = f'{sys.executable} -c "$0" live --camera pictures --fps 0 --loop --json --every-frame | head -n 1'

    done = subprocess.run(["sh", "-c", line, COMMAND], capture_output=True, check=True, timeout=120)

    assert json.loads(done.stdout)["event"] == "camera"
    assert done.stderr == b""


@pytest.mark.usefixtures("work")
def test_live_stops_when_its_only_output_is_gone_for_good() -> None:
    """With `--loop` it would go on for ever."""
    done = _run(["live", "--camera", "pictures", "--fps", "0", "--loop"], ">&-")

    assert done.returncode == 1
    assert b"standard output cannot be written (Bad file descriptor). This output stops." in done.stderr


@pytest.mark.usefixtures("work")
def test_live_goes_on_for_an_output_that_is_left() -> None:
    done = _run(["live", "--camera", "pictures", "--fps", "0", "--jsonl", "log", "--every-frame"], ">&-")

    assert done.returncode == 1, "not all that was asked for could be written"
    assert len(Path("log").read_text().splitlines()) == 4


@pytest.mark.usefixtures("work")
def test_no_folder_for_temporary_files_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")

    result = edge_mnist("run", "page.png")

    assert result.exit_code == 0
    assert "22 digits" in result.stdout
