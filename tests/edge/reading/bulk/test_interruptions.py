"""A large job that is killed, interrupted, or loses a process: what is in its file in the end is what it would be."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.media.lazy_sources import ListedFile, NamedInput
from edge_mnist.edge.media.videos import Spacing
from edge_mnist.edge.reading.bulk import parts
from edge_mnist.edge.reading.bulk.parts import BulkJob, PartsFolder
from edge_mnist.edge.reading.bulk.pool import LOST, WorkerPool
from edge_mnist.edge.reading.bulk.rows import InputRows, fail_rows, read_rows
from edge_mnist.edge.reading.bulk.worker import ReaderSettings
from edge_mnist.edge.reading.reader import Reader
from tests.conftest import edge_mnist, python_process

COMMAND = "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
# Parts are written after each input, so that a short job has many.
EAGER = f"import edge_mnist.edge.reading.bulk.parts as parts; parts.PART_INPUTS = 1; {COMMAND}"
JOB = BulkJob(["x"], "12ab", "litert", "1", "0")
PATIENCE_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    page = Image.fromarray(draw_page(("12",), seed=1, pen=PagePen(height_px=40, width_px=4)))
    page.save(folder / "000.png")
    for i in range(1, 120):
        shutil.copy(folder / "000.png", folder / f"{i:03d}.png")
    return folder


def start(folder: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", EAGER, "run", folder, "--jobs", "2", "--out", out, *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for_parts(out: Path, count: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(out.parent.glob(f"{out.name}.parts/part-*.jsonl"))) >= count:
            return
        time.sleep(0.005)
    pytest.fail(f"ended before there were {count} parts: {process.stderr.read() if process.stderr else ''}")


def sorted_lines(path: Path) -> list[bytes]:
    return sorted(path.read_bytes().splitlines())


def test_after_kills_the_resumed_result_is_that_of_an_uninterrupted_run(folder: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    assert edge_mnist("run", folder, "--jobs", 2, "--out", whole).exit_code == 0

    for kill in range(2):
        process = start(folder, out, "--resume")
        wait_for_parts(out, 30 * kill + 11, process)
        process.kill()
        process.communicate()
    done = start(folder, out, "--resume")
    _, said = done.communicate(timeout=PATIENCE_S)

    assert done.returncode == 0, said
    assert sorted_lines(out) == sorted_lines(whole)
    names = {"whole.jsonl", "resumed.jsonl"}
    assert {path.name for path in tmp_path.iterdir()} == names | {f"{name}.job.json" for name in names}


def test_ctrl_c_leaves_whole_parts_and_no_processes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    process = start(folder, out)
    wait_for_parts(out, 5, process)
    children = _children(process.pid)

    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert "Traceback" not in said
    assert children
    assert wait_for_ends(children) == []
    assert not out.exists()
    assert edge_mnist("run", folder, "--jobs", 2, "--out", out, "--resume").exit_code == 0
    assert len(sorted_lines(out)) == 120


def test_processes_end_when_their_parent_is_killed(folder: Path, tmp_path: Path) -> None:
    process = start(folder, tmp_path / "rows.jsonl")
    wait_for_parts(tmp_path / "rows.jsonl", 1, process)
    children = _children(process.pid)

    process.kill()
    process.communicate()

    assert wait_for_ends(children) == []


def wait_for_ends(children: list[int]) -> list[int]:
    """The processes that have not ended in a long time; some end only when they notice that their parent has."""
    deadline = time.monotonic() + PATIENCE_S
    while any(map(_is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [child for child in children if _is_alive(child)]


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_finished_or_unfinished_result_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    PartsFolder(out, JOB, resume=False).close()

    with pytest.raises(EdgeMnistError, match="holds an interrupted run"):
        PartsFolder(out, JOB, resume=False)
    out.write_text("")
    with pytest.raises(EdgeMnistError, match="exists already"):
        PartsFolder(out, JOB, resume=False)


def test_a_finished_run_is_not_repeated_and_fails_as_it_did(folder: Path, tmp_path: Path) -> None:
    inputs, out = tmp_path / "pictures", tmp_path / "rows.jsonl"
    inputs.mkdir()
    page = (folder / "000.png").read_bytes()
    (inputs / "good.png").write_bytes(page)
    (inputs / "damaged.png").write_bytes(page[:100])
    first = edge_mnist("run", inputs, "--out", out)
    written = out.read_bytes()

    again = edge_mnist("run", inputs, "--out", out, "--resume")

    assert first.exit_code == again.exit_code == 1
    assert "is complete: nothing is left to read, 1 failure." in again.stderr
    assert out.read_bytes() == written


@pytest.mark.parametrize("options", [(), ("--model", "nano")], ids=["a file of the user's", "another model"])
def test_what_another_command_wrote_is_no_result(folder: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    out = tmp_path / "rows.jsonl"
    if options:
        assert edge_mnist("run", folder, "--out", out).exit_code == 0
    else:
        out.write_text("my own\n")
    before = out.read_bytes()

    result = edge_mnist("run", folder, *options, "--out", out, "--resume")

    assert result.exit_code == 1
    assert "exists already, and is not a result of this command" in result.stderr
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing", "missing: "), ("empty", "empty: no pictures found"), (None, "No file was listed")],
)
def test_without_any_picture_no_result_begins(tmp_path: Path, name: str | None, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").touch()
    inputs = ["--files-from", tmp_path / "list.txt"] if name is None else [tmp_path / name]

    result = edge_mnist("run", *inputs, "--out", tmp_path / "rows.csv")

    assert result.exit_code == 1
    assert said in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "list.txt"}


def test_another_job_is_not_continued(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    PartsFolder(out, JOB, resume=False).close()

    with pytest.raises(EdgeMnistError, match="belongs to another job"):
        PartsFolder(out, BulkJob(["y"], "12ab", "litert", "1", "0"), resume=True)


def test_two_processes_do_not_write_one_result(tmp_path: Path) -> None:
    first = PartsFolder(tmp_path / "rows.jsonl", JOB, resume=False)

    with pytest.raises(EdgeMnistError, match="another process is writing it"):
        PartsFolder(tmp_path / "rows.jsonl", JOB, resume=True)
    first.close()
    PartsFolder(tmp_path / "rows.jsonl", JOB, resume=True).close()


def test_an_input_is_done_when_its_part_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_S", 1000)
    first = PartsFolder(tmp_path / "rows.jsonl", JOB, resume=False)
    for key in ("a", "b", "odd\udcff"):
        first.add(key, InputRows([b'{"x":1}', b'{"x":2}'], 1, 0))
    first.write_part()
    first.add("c", InputRows([], 0, 0))
    first.close()

    second = PartsFolder(tmp_path / "rows.jsonl", JOB, resume=True)

    assert [second.is_done(key) for key in ("a", "b", "odd\udcff", "c", "d")] == [True, True, True, False, False]
    assert (second.done, second.failures) == (3, 3)
    assert list(second.rows()) == [b'{"x":1}', b'{"x":2}'] * 3
    second.close()


def read_or_die(reader: Reader, item: NamedInput) -> InputRows:
    """Read, unless the name is that of a picture that ends its process."""
    if "deadly" in item.name:
        os._exit(9)
    return read_rows(reader, item)


@pytest.fixture
def pool() -> Iterator[WorkerPool[InputRows]]:
    pool = WorkerPool(1, ReaderSettings("nano"), read_or_die, fail_rows)
    yield pool
    pool.close()


def _inputs(folder: Path, *names: str) -> list[NamedInput]:
    return [NamedInput(name, name, ListedFile(folder / "000.png", Spacing())) for name in names]


def test_a_picture_that_ends_its_process_fails_alone(folder: Path, pool: WorkerPool[InputRows]) -> None:
    names = [f"{'deadly' if i in (7, 31) else 'fine'} {i}" for i in range(60)]

    results = list(pool.read(_inputs(folder, *names)))

    assert [item.name for item, _ in results] == names
    assert [item.name for item, result in results if result.failures] == ["deadly 7", "deadly 31"]
    assert LOST.encode() in results[7][1].rows[0]


def test_processes_that_always_end_are_not_started_for_ever(
    folder: Path, pool: WorkerPool[InputRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_mnist.edge.reading.bulk.pool.MOST_LOST", 2)

    with pytest.raises(EdgeMnistError, match="in a row ended unexpectedly"):
        list(pool.read(_inputs(folder, *(f"deadly {i}" for i in range(20)))))


def test_a_full_disk_is_one_sentence_and_leaves_what_was_read(folder: Path, tmp_path: Path) -> None:
    code = (
        "import errno, os, sys; import edge_mnist.edge.reading.bulk.formats as formats\n"
        "def fail(*_): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "formats.WRITERS['.csv'] = fail\n"
        "from edge_mnist.cli import main; main(sys.argv[1:])"
    )
    out = tmp_path / "rows.csv"

    done = python_process(code, "run", folder / "000.png", folder / "001.png", "--out", out)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: {out}: cannot be written (No space left on device).")
    assert edge_mnist("run", folder / "000.png", folder / "001.png", "--out", out, "--resume").exit_code == 0
    assert len(out.read_text().splitlines()) == 3
