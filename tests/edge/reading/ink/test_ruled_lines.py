"""Ruled lines come off a mask of ink, and the writing stays whole."""

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading.ink.ruled_lines import find_level_lines, remove_lines
from tests.builders.ink import Gray, write

SHAPE = (480, 640)
# How dark ink and lines are, in gray levels.
INK, LINE = 160, 60
# Where strokes run along a line, or end at one, some of their ink goes with it.
KEPT_SHARE = 0.93
# Where a line meets a stroke, a stub of it may stay; of all its ink that is away from strokes it is this little.
STUBS_SHARE = 0.02


def _mask(gray: Gray) -> Gray:
    return cv2.compare(gray, 127, cv2.CMP_GT)


def _draw_lines(rows: range, thickness: int, slope: float = 0.0) -> Gray:
    lines = np.zeros(SHAPE, np.uint8)
    for row in rows:
        cv2.line(lines, (0, row), (SHAPE[1], row + round(slope * SHAPE[1])), 255, thickness)
    return lines


def _place(ink: Gray, top: int = 0, left: int = 0) -> Gray:
    """Ink on a canvas of this file's size."""
    canvas = np.zeros(SHAPE, np.uint8)
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = _mask(ink)
    return canvas


def _remove(ink: Gray, lines: Gray, line_depth: int = LINE) -> Gray:
    depth = np.maximum(np.where(ink, INK, 0), np.where(lines, line_depth, 0)).astype(np.uint8)
    return remove_lines(ink | lines, ink | lines, depth)


def _away_from(ink: Gray, mask: Gray) -> int:
    """How many pixels of a mask do not touch ink."""
    return np.count_nonzero(mask & ~cv2.dilate(ink, np.ones((5, 5), np.uint8)))


@pytest.mark.parametrize("thickness", [1, 2, 3, 5])
@pytest.mark.parametrize("slope", [0.0, 0.03, -0.06], ids=["level", "tilted down", "tilted up"])
@pytest.mark.parametrize("upright", [False, True], ids=["level", "upright"])
def test_lines_on_empty_paper_leave_nothing(thickness: int, slope: float, upright: bool) -> None:
    lines = _draw_lines(range(60, 440, 48), thickness, slope)
    if upright:
        lines = np.ascontiguousarray(lines.T)

    cleared = _remove(np.zeros_like(lines), lines)

    assert np.count_nonzero(lines) > 5000
    assert np.count_nonzero(cleared) == 0


@pytest.mark.parametrize("thickness", [1, 2, 3, 4])
@pytest.mark.parametrize("slope", [0.0, 0.02], ids=["level", "tilted"])
@pytest.mark.parametrize("line_depth", [LINE, INK], ids=["faint lines", "lines as dark as ink"])
def test_strokes_that_cross_a_line_stay_connected(thickness: int, slope: float, line_depth: int) -> None:
    ink = _place(write("147147", height=100, width=9, gap=30).ink)
    lines = _draw_lines(range(30, 440, 60), thickness, slope)

    cleared = _remove(ink, lines, line_depth)

    assert cv2.connectedComponents(cleared)[0] == cv2.connectedComponents(ink)[0] == 1 + 6
    assert np.count_nonzero(cleared & ink) > KEPT_SHARE * np.count_nonzero(ink)


def test_squared_paper_goes_and_digits_stay() -> None:
    ink = _place(write("0123", "5689", height=90, width=8, gap=40).ink)
    level = _draw_lines(range(20, 480, 40), 2)
    upright = np.zeros(SHAPE, np.uint8)
    upright[:, 13::40] = upright[:, 14::40] = 255

    cleared = _remove(ink, level | upright)

    assert np.count_nonzero(cleared & ink) > KEPT_SHARE * np.count_nonzero(ink)
    assert _away_from(ink, cleared) < STUBS_SHARE * _away_from(ink, level | upright)


@pytest.mark.parametrize("row", ["7777777", "5555555", "1111111", "4444444"])
def test_a_row_of_bars_is_no_line(row: str) -> None:
    ink = _place(write(row, height=60, gap=20).ink, top=40)

    assert np.array_equal(_remove(ink, np.zeros_like(ink)), ink)


def test_without_lines_the_very_same_mask_comes_back() -> None:
    ink = _place(write("0123456", "789", height=60).ink)

    assert remove_lines(ink, ink, ink) is ink


def test_a_thick_bar_is_no_line() -> None:
    bar = _draw_lines(range(240, 241), 30)

    cleared = _remove(bar, np.zeros_like(bar))

    assert np.count_nonzero(cleared != bar) == 0


def test_lines_that_show_only_faintly_are_taken_where_they_were_found() -> None:
    ink = _place(write("123456", height=60).ink)
    lines = _draw_lines(range(30, 440, 48), 2)
    rough = lines & _mask(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8))
    depth = np.maximum(np.where(ink, INK, 0), np.where(lines, LINE, 0)).astype(np.uint8)

    cleared = remove_lines(ink | rough, ink | lines, depth)

    assert _away_from(ink, cleared) < STUBS_SHARE * _away_from(ink, rough)
    assert np.count_nonzero(cleared & ink) > KEPT_SHARE * np.count_nonzero(ink)


@pytest.mark.parametrize(("count", "length", "found"), [(1, 640, 1), (1, 400, 0), (3, 400, 3)])
def test_a_lone_line_is_ruled_only_if_it_runs_right_across(count: int, length: int, found: int) -> None:
    mask = _draw_lines(range(60, 60 + 50 * count, 50), 2)
    mask[:, length:] = 0

    assert len(find_level_lines(mask)) == found


@pytest.mark.parametrize("slope", [0.0, 0.05], ids=["level", "tilted"])
def test_a_line_is_followed_behind_what_interrupts_it(slope: float) -> None:
    mask = _draw_lines(range(100, 101), 3, slope)
    mask[:, 200:240] = 0

    (line,) = find_level_lines(mask)

    assert line.across
    assert line.curve(220) == pytest.approx(100 + slope * 220, abs=1)
    assert (line.left, line.right) == (0, SHAPE[1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (640, 1), (3, 3), (20, 640)], ids=str)
def test_masks_of_any_size_are_cleared_or_left(shape: tuple[int, int]) -> None:
    mask = np.full(shape, 255, np.uint8)

    assert remove_lines(mask, mask, mask).shape == shape
