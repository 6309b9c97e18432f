"""`edge-mnist run` on several processes: rows in files of three formats, and what it refuses."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.reading.bulk.formats import FIELDS
from tests.conftest import edge_mnist, edge_mnist_process, python_process

PEN = PagePen(height_px=40, width_px=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a video of two frames, a damaged picture, a document and a text."""
    folder = tmp_path_factory.mktemp("many")
    pages = [draw_page((row,), seed=seed, pen=PEN) for seed, row in enumerate(("12", "305", "47", "8", "990"))]
    for i, page in enumerate(pages):
        Image.fromarray(page).save(folder / f"{i}.png")
    (folder / "damaged.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "form.pdf").write_bytes(b"%PDF-1.4 not a picture")
    (folder / "notes.txt").write_text("not read")
    video = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 1, pages[0].shape[::-1])
    for page in (pages[0], 255 - 0 * pages[0]):
        video.write(cv2.cvtColor(page, cv2.COLOR_GRAY2BGR))
    video.release()
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows of the folder, as JSON Lines has them, by source and frame."""
    out = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    result = edge_mnist("run", folder, "--jobs", 2, "--out", out)
    assert result.exit_code == 1, result.output
    assert "notes.txt (a text)" in result.stderr
    assert "8 inputs, 2 failures." in result.stderr
    return _sort(json.loads(line) for line in out.read_text().splitlines())


def _sort(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["source"], row["frame"] or 0))


def test_rows_are_the_readings_that_one_process_prints(folder: Path, rows: list[dict[str, Any]]) -> None:
    printed = [json.loads(line) for line in edge_mnist("run", folder, "--json").stdout.splitlines()]

    shared = ("source", "frame", "time_s", "rows", "digits", "truncated")
    expected = [{name: row[name] for name in shared} for row in printed if "source" in row]
    assert [{name: row[name] for name in shared} for row in rows if row["error"] is None] == _sort(expected)
    assert all(tuple(row) == FIELDS for row in rows)


def test_a_failure_is_a_row_with_its_reason(rows: list[dict[str, Any]]) -> None:
    failed = {Path(row["source"]).name: row for row in rows if row["error"] is not None}

    assert failed.keys() == {"damaged.png", "form.pdf"}
    assert "damaged" in failed["damaged.png"]["error"]
    assert "a PDF document" in failed["form.pdf"]["error"]
    assert all((row["rows"], row["digits"]) == ([], []) for row in failed.values())


def test_csv_and_parquet_have_the_same_rows(folder: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for suffix in ("csv", "parquet"):
        edge_mnist("run", folder, "--jobs", 2, "--out", tmp_path / f"rows.{suffix}")

    with (tmp_path / "rows.csv").open(newline="") as file:
        read = _sort({**row, "frame": int(row["frame"]) if row["frame"] else None} for row in csv.DictReader(file))
    assert _sort(parquet.read_table(tmp_path / "rows.parquet").to_pylist()) == rows
    assert [row["rows"].split() for row in read] == [row["rows"] for row in rows]
    assert [json.loads(row["digits"]) for row in read] == [row["digits"] for row in rows]
    assert [row["error"] or None for row in read] == [row["error"] for row in rows]


def test_parquet_without_pyarrow_is_refused_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from edge_mnist.cli import main; main(sys.argv[1:])"
    done = python_process(code, "run", folder, "--out", tmp_path / "rows.parquet")

    assert done.returncode == 1
    assert "pip install 'edge-mnist[bulk]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_several_processes_print_what_one_prints_in_the_order_of_a_list(folder: Path, tmp_path: Path) -> None:
    names = [f"{folder}/{name}" for name in ("4.png", "clip.avi", "0.png", "damaged.png", "missing.png", "2.png")]
    (tmp_path / "list").write_text("\n".join(names))

    one = edge_mnist("run", *names, "--json")
    many = edge_mnist("run", "--files-from", tmp_path / "list", "--jobs", 2, "--json")

    assert (many.exit_code, one.exit_code) == (1, 1)
    assert [_without_times(line) for line in many.stdout.splitlines()] == [
        _without_times(line) for line in one.stdout.splitlines()
    ]
    assert [line for line in many.stderr.splitlines() if "Error" in line] == [
        line for line in one.stderr.splitlines() if "Error" in line
    ]


def _without_times(line: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(line).items() if name != "timing_ms"}


def test_a_video_of_a_folder_stays_one_line(folder: Path) -> None:
    many = edge_mnist("run", folder, "--jobs", 2)

    (line,) = [line for line in many.stdout.splitlines() if "clip.avi" in line]
    assert "2 frames in" in line


def test_a_list_comes_from_standard_input_and_may_hold_any_name(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xff.png")
    odd.write_bytes((folder / "0.png").read_bytes())
    listed = os.fsencode(odd) + b"\n\n" + os.fsencode(folder / "2.png") + b"\n" + b"x" * 70_000 + b"\n"
    out = tmp_path / "rows.jsonl"

    done = subprocess.run(
        [sys.executable, "-c", "from edge_mnist.cli import main; main()",
         "run", "--files-from", "-", "--out", out],
        input=listed, capture_output=True, check=False,
    )  # fmt: skip

    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert done.returncode == 1
    assert [row["rows"] for row in rows[:2]] == [["12"], ["47"]]
    assert [row["error"] for row in rows[:2]] == [None, None]
    assert rows[2]["error"] == "line 4: is not a path."
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Missing argument 'INPUT...'"),
        (("x", "--out", "rows.txt"), "ends in none of .jsonl, .csv, .parquet"),
        (("x", "--jobs", "0"), "neither auto nor a number"),
        (("x", "--jobs", "many"), "neither auto nor a number"),
        (("x", "--resume"), "--resume needs --out"),
        (("x", "--jobs", "2", "--annotate", "drawn"), "leave out the options"),
        (("x", "--jobs", "2", "--show"), "leave out the options"),
        (("x", "--out", "rows.csv", "--json"), "has rows of its own"),
        (("-", "--jobs", "2"), "--files-from -"),
        (("x", "--engine", "ray"), "--engine ray needs --out"),
        (("x", "--address", "auto"), "--address needs --engine ray"),
    ],
)
def test_options_that_do_not_fit_together_are_misuse(words: tuple[str, ...], reason: str) -> None:
    result = edge_mnist("run", *words)

    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_a_model_that_is_not_there_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    done = edge_mnist_process("run", folder, "--jobs", 2, "--out", tmp_path / "a.csv", "--model", tmp_path / "none")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_pictures_fails_as_it_does_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    one, many = edge_mnist("run", tmp_path / "empty"), edge_mnist("run", tmp_path / "empty", "--jobs", 2)

    assert (many.exit_code, many.stderr) == (one.exit_code, one.stderr)
    assert "no pictures found" in many.stderr
