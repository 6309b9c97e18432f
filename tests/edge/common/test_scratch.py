"""Temporary folders go away: with their block, and those of killed processes with the next one."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_mnist.edge.common.scratch import MARK, PREFIX, scratch_folder

KILLED = """
import os, signal
from edge_mnist.edge.common.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "large").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_a_folder_is_gone_when_its_block_has_ended(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "file").touch()
        assert folder.parent == temporary

    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    (left,) = temporary.iterdir()
    assert (left / "large").exists()

    with scratch_folder():
        assert not left.exists()


@pytest.mark.usefixtures("temporary")
def test_the_folder_of_a_process_at_work_is_left_alone() -> None:
    with scratch_folder() as first, scratch_folder() as second:
        assert first.exists()
        assert second.exists()


def test_what_is_not_marked_is_left_alone(temporary: Path) -> None:
    mine = temporary / f"{PREFIX}results"
    mine.mkdir()
    (mine / "kept.txt").touch()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARK).touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    pipe = temporary / f"{PREFIX}pipe"
    pipe.mkdir()
    os.mkfifo(pipe / MARK)

    with scratch_folder():
        assert (mine / "kept.txt").exists()
        assert (elsewhere / MARK).exists()
        assert (pipe / MARK).exists()


@pytest.mark.usefixtures("temporary")
def test_a_file_system_without_locks_is_used_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    with scratch_folder() as first, scratch_folder():
        assert first.exists()
