"""`edge-mnist measure live`: the loop, the command and its page, timed for real."""

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.studies.reading import live as live_speed
from edge_mnist.benchmarks.studies.reading.live import LiveSpeed
from edge_mnist.benchmarks.studies.reading.live_process import LiveProcess
from edge_mnist.cli import main
from edge_mnist.edge.reading.reader import Reader, Reading


class _SlowReader(Reader):
    """Takes two frames' time for each, as on a machine that has other things to do."""

    def read(self, frame: NDArray[np.uint8]) -> Reading:
        time.sleep(2 / live_speed.FPS)
        return super().read(frame)


def test_it_measures_every_figure_and_keeps_the_raw_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_speed, "COLD_STARTS", 1)
    monkeypatch.setattr(live_speed, "Reader", _SlowReader)

    ran = CliRunner().invoke(main, ["measure", "live", "--frames", "60", "--rounds", "1", "--out", str(tmp_path)])

    assert ran.exit_code == 0, ran.output
    results = msgspec.json.decode((tmp_path / "live.json").read_bytes(), type=LiveSpeed)
    assert len(results.fps_alone) == len(results.fps_watched) == len(results.cold_start_s) == 1
    assert min(*results.fps_alone, *results.fps_watched, *results.pictures_per_s, *results.latency_ms) > 0
    assert len(results.frames_to_announce) == live_speed.PAGES - 1
    assert all(0 < frames < live_speed.PAGE_FRAMES for frames in results.frames_to_announce)
    assert f"| {results.fps_alone[0]:.0f} |" in (tmp_path / "live.md").read_text().replace("  ", "")


def test_a_command_that_fails_is_quoted() -> None:
    with (
        LiveProcess("--camera", "/nonexistent.mp4", "--json") as process,
        pytest.raises(BenchmarkError, match=r"ended with code 1: '/nonexistent\.mp4"),
    ):
        list(process.read_lines())


def test_a_command_without_a_page_has_no_address() -> None:
    with LiveProcess("--help") as process, pytest.raises(BenchmarkError, match="did not print its address"):
        process.read_url()
