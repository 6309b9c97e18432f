"""Pipes that a user names as files, as `<(...)` and /dev/stdin are: pictures and secrets are read from them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_mnist.edge.common import files as regular_files
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.network.credentials import find_password
from edge_mnist.edge.web.protection.tokens import find_token
from tests.conftest import edge_mnist

TOKEN = "T" * 32
ROWS = ["0123456789", "31415926", "2718"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("page") / "page.png"
    edge_mnist("example", path)
    return path.read_bytes()


@contextmanager
def pipe(folder: Path, content: bytes) -> Iterator[Path]:
    """A named pipe, into which somebody writes."""
    path = folder / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    yield path
    writer.join(10)
    assert not writer.is_alive()


def test_pictures_come_out_of_a_pipe(page: bytes, tmp_path: Path) -> None:
    with pipe(tmp_path, page + page) as path:
        done = edge_mnist("run", path)

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines() if line.startswith("  ")] == ROWS * 2
    assert f"{path}, picture 1: " in done.output


def test_standard_input_has_a_name_of_a_file(page: bytes) -> None:
    code = "from edge_mnist.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", code, "run", "/dev/stdin"], input=page, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert all(row.encode() in done.stdout for row in ROWS)


def test_a_pipe_into_which_nobody_writes_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular_files, "PIPE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")

    done = edge_mnist("run", tmp_path / "pipe")

    assert done.exit_code == 1
    assert done.stderr == f"Error: {tmp_path}/pipe: a pipe, and no data arrived for 0.1 s. Name a file.\n"


def test_an_empty_pipe_is_one_sentence(tmp_path: Path) -> None:
    with pipe(tmp_path, b"") as path:
        done = edge_mnist("run", path)

    assert done.exit_code == 1
    assert "expected a picture, got nothing" in done.stderr


def test_a_pipe_in_a_folder_is_not_waited_for(page: bytes, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(page)

    done = edge_mnist("run", tmp_path)

    assert all(row in done.output for row in ROWS)
    assert "no data arrived" not in done.stderr


def test_secrets_come_out_of_pipes(tmp_path: Path) -> None:
    with pipe(tmp_path, f"{TOKEN}\nnot this\n".encode()) as path:
        assert find_token(path) == TOKEN
    path.unlink()
    with pipe(tmp_path, "ä ö\r\n".encode()) as path:
        assert find_password(path, "NONE") == "ä ö"


def test_secrets_for_which_nobody_writes_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular_files, "PIPE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(EdgeMnistError, match=r"The token: .*no data arrived"):
        find_token(tmp_path / "pipe")
    with pytest.raises(EdgeMnistError, match="no data arrived"):
        find_password(tmp_path / "pipe", "NONE")


def test_a_secret_in_an_endless_file_is_not_read_for_ever(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 10_000_000)

    with pytest.raises(EdgeMnistError, match="expected a token of 16 to 200"):
        find_token(tmp_path / "large")
    with pytest.raises(EdgeMnistError, match="a device"):
        find_password(Path("/dev/zero"), "NONE")
