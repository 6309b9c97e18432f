"""Frames that are not a plain page cost a bounded multiple of one, and what is left out for it is said."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge_mnist.benchmarks.studies.reading.hard_frames import draw_hard_frames
from edge_mnist.cli import main
from edge_mnist.edge.reading import reader as reader_module
from edge_mnist.edge.reading.alternatives import MOST_PARTS
from edge_mnist.edge.reading.finding import MOST_SHAPES, find_candidates
from edge_mnist.edge.reading.ink import ruled_lines as lines
from edge_mnist.edge.reading.ink.ruled_lines import find_level_lines, keep_thin
from edge_mnist.edge.reading.reader import Reader


@pytest.fixture(scope="module")
def frames() -> dict[str, np.ndarray]:
    return draw_hard_frames()


def test_black_bars_around_a_page_are_not_taken_for_lines(frames: dict[str, np.ndarray]) -> None:
    page = frames["plain page"]

    for frame in (frames["page with black bars"], np.pad(page, ((40, 40), (80, 80))), np.pad(page, ((60, 0), (0, 0)))):
        assert not find_candidates(frame).ruled


def test_ruled_and_squared_paper_is_still_ruled(frames: dict[str, np.ndarray]) -> None:
    assert find_candidates(frames["page on ruled paper"]).ruled
    assert find_candidates(frames["page on squared paper"]).ruled
    assert len(Reader().read(frames["page on squared paper"]).digits) == 10


def test_what_is_thin_stays_and_bars_go() -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[100:102] = 255
    mask[200:] = 255

    thin = keep_thin(mask)

    assert thin[100:102].all()
    assert not thin[190:].any()


def test_a_pattern_of_lines_is_given_up_before_each_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    faint = np.zeros((1280, 1280), np.uint8)
    faint[::5] = faint[1::5] = 255
    fitted, fit = [], lines._fit_line
    monkeypatch.setattr(lines, "_fit_line", lambda *given: fitted.append(1) or fit(*given))

    assert find_level_lines(faint) == []
    # At three rows each, two fifths of the frame are covered before its 256 lines are.
    assert len(fitted) < 200


def test_a_frame_full_of_shapes_has_a_limit_and_says_that_it_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = np.full((1280, 1280), 255, np.uint8)
    for x in range(16, 1280, 30):
        for y in range(16, 1280, 30):
            cv2.circle(frame, (x, y), 11, 0, 2)
    looked_at, frame_digits = [], reader_module.frame_digits
    monkeypatch.setattr(reader_module, "frame_digits", lambda inks: looked_at.append(len(inks)) or frame_digits(inks))

    reading = Reader().read(frame)

    assert reading.truncated
    assert sum(looked_at) <= MOST_SHAPES + MOST_PARTS


def test_a_page_is_not_truncated(frames: dict[str, np.ndarray]) -> None:
    assert not Reader().read(frames["plain page"]).truncated


def test_the_command_times_each_frame_beside_a_plain_page(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["measure", "hard-frames", "--repeats", "1", "--json", "--out", str(tmp_path)])

    assert result.exit_code == 0, result.output
    costs = json.loads(result.stdout)["costs"]
    assert costs[0]["frame"] == "plain page"
    assert costs[0]["digits"] == 10
    assert all(cost["processor_ms"] > 0 for cost in costs)
    assert (tmp_path / "hard-frames.md").read_text().count("\n| ") == len(costs) + 1
