"""Time for a frame: the pages hold what they say, growth is computed, and both pipelines are measured alike."""

import re
from itertools import product
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.scenes.sized_pages import draw_sized_page, fit_digits
from edge_mnist.benchmarks.studies.reading import frames as frames_module
from edge_mnist.benchmarks.studies.reading.frame_growth import measure_growth
from edge_mnist.benchmarks.studies.reading.frames import Frames, FrameSettings, run_frames
from edge_mnist.benchmarks.studies.reading.frames_report import describe_growth, format_frames, write_frame_reports
from edge_mnist.benchmarks.studies.reading.otsu import OtsuReader, as_input, find_boxes, frame_box, separate_ink
from edge_mnist.benchmarks.studies.reading.side_by_side import ratio_interval, take_turns
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.reading.ink.shapes import Box

PEER = SHIPPED / "standard-int8.tflite"


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1632, 1224)], ids=str)
@pytest.mark.parametrize("count", [1, 10, 100, 200])
def test_a_frame_holds_so_many_separate_digits(size: tuple[int, int], count: int) -> None:
    page = draw_sized_page(size, count, seed=3)

    outlines, _ = cv2.findContours(separate_ink(page.frame), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # The pieces of a digit may stand apart, as the bar of a 5; two digits never touch.
    assert count <= len(outlines) <= 1.2 * count
    assert page.frame.shape == size[::-1]
    written = "".join(page.rows)
    assert len(written) == count
    assert max(map(written.count, "0123456789")) - min(map(written.count, "0123456789")) <= 1


def test_digits_are_as_large_as_fit_up_to_an_eighth() -> None:
    # 13 columns and 8 rows: 1000 / (2 + 13 * 1.1) = 61.3 across, 1000 / (2 + 8 * 1.7) = 64.1 down. Twelve columns need
    # nine rows, 57.8 down; fourteen, 57.5 across.
    assert fit_digits((1000, 1000), 100) == (13, 61)
    assert fit_digits((1000, 1000), 1) == (1, 125)


def test_a_frame_without_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 digit, got 0"):
        draw_sized_page((640, 480), 0, seed=1)


def test_a_plane_of_times_is_found_again() -> None:
    growth = measure_growth([(pixels, digits, 3 + 2 * pixels + 0.1 * digits) for pixels, digits in
                             product((0.5, 2.0, 12.0), (1, 10, 100))])  # fmt: skip

    assert (growth.fixed_ms, growth.megapixel_ms, growth.digit_ms) == pytest.approx((3, 2, 0.1))
    assert growth.largest_miss_ms == pytest.approx(0, abs=1e-9)
    assert len(growth.steps) == 3 * 2 + 3 * 2
    assert {round(step.ms_each, 9) for step in growth.steps} == {0.1, 2.0}
    assert growth.at_most_linear


def test_growth_beyond_linear_is_said() -> None:
    growth = measure_growth([(1.0, 10, 5.0), (1.0, 20, 8.0), (1.0, 40, 20.0)])

    assert [step.time_factor for step in growth.steps] == [1.6, 2.5]
    assert [step.amount_factor for step in growth.steps] == [2, 2]
    assert [step.ms_each for step in growth.steps] == pytest.approx([0.3, 0.6])
    assert not growth.at_most_linear
    assert growth.worst == growth.steps[1]
    assert "worse than linearly** in at least one step; the worst was from 20 to 40" in describe_growth(growth)[-1]


def test_each_way_has_its_turn_as_often_as_the_other() -> None:
    log: list[str] = []

    times = take_turns((lambda: log.append("a"), lambda: log.append("b")), (4, 25), seed=1)

    assert times.shape == (2, 4, 25)
    assert (times >= 0).all()
    pairs = {"".join(pair) for pair in zip(log[::2], log[1::2], strict=True)}
    assert pairs == {"ab", "ba"}


def test_the_interval_of_a_ratio_holds_it_and_shrinks_to_it() -> None:
    random = np.random.default_rng(0)
    second = 10 + random.random((20, 50))

    low, high = ratio_interval(second * random.uniform(1.8, 2.2, (20, 1)), second, seed=1)
    exact = ratio_interval(2 * second, second, seed=1)

    assert 1.8 < low < high < 2.2
    assert high - low > 0.01
    assert exact == pytest.approx((2, 2))


def test_boxes_are_those_of_the_ink_without_specks() -> None:
    frame = np.full((100, 200), 220, np.uint8)
    frame[20:60, 30:50] = 40
    frame[30:70, 120:124] = 40
    frame[80:85, 80:85] = 40

    boxes = find_boxes(separate_ink(frame))

    assert sorted(boxes, key=lambda box: box.x) == [Box(30, 20, 20, 40), Box(120, 30, 4, 40)]


def test_a_box_is_framed_in_the_middle_with_a_margin() -> None:
    ink = np.zeros((60, 60), np.uint8)
    ink[5:45, 10:30] = 255

    rows, columns = np.nonzero(frame_box(ink, Box(10, 5, 20, 40)))

    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 23, 9, 18)


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("float32", 1.0)])
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 28, 28, 1)], ids=str)
def test_a_peer_reads_what_it_was_made_for(dtype: str, white: float, shape: tuple[int, ...]) -> None:
    read = as_input(np.full((28, 28), 255, np.uint8), shape, dtype)

    assert (read.shape, read.dtype.name) == (shape, dtype)
    assert (read == white).all()


def test_the_usual_way_reads_a_plain_frame() -> None:
    page = draw_sized_page((640, 480), 10, seed=1)

    candidates = OtsuReader(PEER).read(page.frame)

    assert len(candidates) == 10
    right = sorted(str(candidate.digit) for candidate in candidates)
    assert sum(a == b for a, b in zip(right, sorted("".join(page.rows)), strict=True)) >= 8


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "got an empty file"), (b"not a model" * 100, "got a text")],
    ids=["missing", "empty", "no model"],
)
def test_a_peer_that_is_no_model_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "peer.tflite"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchmarkError, match=reason):
        OtsuReader(path)


@pytest.fixture(scope="module")
def results() -> Frames:
    settings = FrameSettings(
        rounds=2, calls=3, sizes=((640, 480), (800, 600)), counts=(1, 12), shared_rounds=3, shared_calls=4
    )
    return run_frames(SHIPPED, PEER, settings)


def test_every_size_meets_every_count(results: Frames) -> None:
    assert [(row.width, row.height, row.digits) for row in results.rows] == [
        (640, 480, 1), (640, 480, 12), (800, 600, 1), (800, 600, 12),
    ]  # fmt: skip
    for row in results.rows:
        assert row.found == row.digits
        assert 0.8 * row.digits <= row.right <= row.digits


def test_every_call_is_kept_and_no_stage_takes_longer_than_the_whole(results: Frames) -> None:
    for row in results.rows:
        assert [len(calls) for calls in row.rounds] == [3, 3]
        assert row.total.p50 == pytest.approx(np.median(row.rounds))
        assert 0 < row.total.p50 <= row.total.p90
        assert set(row.stages) == {"find", "frame", "infer"}
        for stage in row.stages.values():
            assert 0 < stage.p50 <= row.total.p50
            assert stage.p90 <= row.total.p90


def test_both_pipelines_read_the_same_frame(results: Frames) -> None:
    beside = results.beside

    assert beside is not None
    assert (beside.digits, beside.reader.found, beside.otsu.found) == (10, 10, 10)
    assert beside.file == PEER.name
    assert beside.ratio == pytest.approx(np.median(beside.reader.rounds) / np.median(beside.otsu.rounds), rel=1e-3)
    assert len(beside.round_ratios) == 3
    assert beside.interval[0] <= beside.interval[1]


def test_results_survive_json_and_are_reported(results: Frames, tmp_path: Path) -> None:
    json_path, markdown_path = write_frame_reports(results, tmp_path)

    assert msgspec.json.decode(json_path.read_bytes(), type=Frames) == results
    report = markdown_path.read_text()
    assert report == format_frames(results)
    assert len(re.findall(r"\n\| +800x600 \|", report)) == 2
    assert results.beside is not None
    assert f"{results.beside.ratio:.2f} times as long" in report
    assert "load average" in report


def test_without_a_peer_there_is_no_comparison() -> None:
    results = run_frames(SHIPPED, None, FrameSettings(rounds=1, calls=1, sizes=((320, 240),), counts=(1,)))

    assert results.beside is None
    assert "Otsu" not in format_frames(results)


def test_one_thread_is_measured_and_the_setting_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(frames_module, "time_frames", lambda *_: seen.append(cv2.getNumThreads()) or ())
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        run_frames(SHIPPED, None, FrameSettings(rounds=1, calls=1))

        assert (seen, cv2.getNumThreads()) == ([1], 2)
    finally:
        cv2.setNumThreads(before)
