"""Each example does what its first line says, as a program of its own, and stays short."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from tests.conftest import HANGS_S, REPOSITORY
from tests.stand_ins.broker import Mosquitto, Subscriber, mosquitto
from tests.stand_ins.web_server import TOKEN, serving

__all__ = ["mosquitto"]

EXAMPLES = REPOSITORY / "examples"
MOST_LINES = 39
PEN = PagePen(height_px=40, width_px=4)


def _run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANGS_S)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two scans with a number, one of two rows, one without any, and a file that is no picture."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, rows in {"a": ("1247",), "b": ("89",), "c": ("1247", "36")}.items():
        Image.fromarray(draw_page(rows, seed=3, pen=PEN)).save(folder / f"{name}.png")
    Image.fromarray(np.full((90, 90), 255, np.uint8)).save(folder / "d.png")
    (folder / "e.txt").write_text("1247")
    return folder


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_scans_are_sorted_by_number(scans: Path, tmp_path: Path) -> None:
    done = _run("sort_scans.py", scans, tmp_path / "sorted")

    assert done.returncode == 0, done.stderr
    found = sorted(str(path.relative_to(tmp_path / "sorted")) for path in (tmp_path / "sorted").glob("*/*"))
    assert found == ["1247/a.png", "1247/c.png", "89/b.png", "nothing/d.png"]
    assert "left out" in done.stdout
    assert "e.txt" in done.stdout


def test_a_batch_becomes_csv(scans: Path) -> None:
    done = _run("batch_to_csv.py", scans)

    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["file"], row["row"], row["digits"]) for row in rows] == [
        ("a.png", "1", "1247"),
        ("b.png", "1", "89"),
        ("c.png", "1", "1247"),
        ("c.png", "2", "36"),
        ("e.txt", "0", ""),
    ]
    assert all(0.5 < float(row["least_confidence"]) <= 1 for row in rows if row["digits"])
    assert "e.txt" in rows[-1]["least_confidence"]


def test_the_client_reads_with_a_server(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(token=TOKEN) as (server, _):
        refused = _run("rest_client.py", f"http://127.0.0.1:{server.port}", scans / "a.png")
        monkeypatch.setenv("EDGE_MNIST_TOKEN", TOKEN)
        done = _run("rest_client.py", f"http://127.0.0.1:{server.port}/", scans / "c.png", scans / "d.png")

    assert refused.returncode == 1
    assert "token" in refused.stderr
    assert done.stdout == f"{scans / 'c.png'}: 1247, 36\n{scans / 'd.png'}: no digits\n", done.stderr


def test_a_build_fails_when_accuracy_drops(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.json"

    first = _run("benchmark_in_ci.py", "nano", accepted)
    figures = json.loads(accepted.read_text())
    accepted.write_text(json.dumps({"accuracy": 1.0, "latency_us": figures["latency_us"]}))
    second = _run("benchmark_in_ci.py", "nano", accepted)

    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith("(+0.00 points lost), 1.00 times the latency\n")
    assert figures["accuracy"] > 0.98
    assert second.returncode == 1
    assert second.stderr.endswith("worse than accepted\n")


def test_a_score_board_is_published_when_it_changes(mosquitto: Mosquitto, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    _draw_scores(frames, ["21", "17"], ["24", "17"])
    subscriber = Subscriber(mosquitto.port)

    done = _run("scoreboard_mqtt.py", frames, "127.0.0.1", mosquitto.port, 0)

    assert done.returncode == 0, done.stderr
    subscriber.wait_for(lambda: len(subscriber.of("hall/score")) >= 2)
    subscriber.close()
    assert subscriber.of("hall/score") == [{"home": 21, "guests": 17}, {"home": 24, "guests": 17}]


def _draw_scores(folder: Path, *scores: list[str]) -> None:
    """Twenty frames of each score, the two numbers far apart."""
    folder.mkdir()
    for turn, score in enumerate(scores):
        frame = np.hstack([draw_page((number,), seed=turn, pen=PEN) for number in score])
        for i in range(20):
            Image.fromarray(frame).save(folder / f"{turn}-{i:02}.png")
