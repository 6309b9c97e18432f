"""Digits that touch are cut apart between them, and nowhere is ink lost or counted twice."""

import itertools

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading.cuts import Cut, find_cuts, part_between, split_upright
from tests.builders.ink import Gray, draw_digit, shape_of

HEIGHT, STROKE = 80, 8
# Cuts are found on a copy that is 40 pixels high: one of its pixels to either side, and the stroke that is shared.
COLUMN_TOLERANCE_PX = STROKE
# So much of a digit is left in its part when neighbours share a stroke's end.
OWN_SHARE = 0.9
TOUCHING = [("0", "0"), ("3", "8"), ("2", "3"), ("9", "6"), ("8", "1"), ("6", "5")]
IDS = ["".join(pair) for pair in TOUCHING]


def _touching(left: str, right: str) -> tuple[Gray, Gray, int]:
    """Two digits side by side whose strokes run into each other: their ink, the left one's, and where they meet."""
    one, other = draw_digit(left, HEIGHT, STROKE), draw_digit(right, HEIGHT, STROKE)
    height, meeting = max(one.shape[0], other.shape[0]), one.shape[1]
    for overlap in range(meeting // 2):
        ink = np.zeros((height, meeting - overlap + other.shape[1]), np.uint8)
        ink[: one.shape[0], :meeting] = one
        mine = ink.copy()
        window = ink[: other.shape[0], meeting - overlap :]
        np.maximum(window, other, out=window)
        if cv2.connectedComponents(cv2.compare(ink, 127, cv2.CMP_GT))[0] == 1 + 1:
            return ink, mine, meeting - overlap // 2
    raise AssertionError(f"{left} and {right} do not meet")


def _parts(ink: Gray, cuts: list[Cut]) -> list[Gray]:
    """The masks between neighbouring cuts, each on a canvas as large as the ink."""
    columns = np.arange(ink.shape[1])[None, :]
    return [
        (columns >= left.columns[:, None]) & (columns < right.columns[:, None]) & (ink > 127)
        for left, right in itertools.pairwise(cuts)
    ]


@pytest.mark.parametrize(("left", "right"), TOUCHING, ids=IDS)
def test_one_of_the_cuts_runs_between_touching_digits(left: str, right: str) -> None:
    ink, _, meeting = _touching(left, right)

    cuts = find_cuts([ink], [STROKE])[0]

    nearest = min(cuts[1:-1], key=lambda cut: abs(cut.columns.mean() - meeting))
    assert abs(nearest.columns.mean() - meeting) <= COLUMN_TOLERANCE_PX
    assert nearest.crossed < 2.5


@pytest.mark.parametrize(("left", "right"), TOUCHING, ids=IDS)
def test_a_part_holds_its_digit_and_hardly_any_of_the_other(left: str, right: str) -> None:
    ink, mine, meeting = _touching(left, right)
    shape = shape_of(ink)
    cuts = find_cuts([ink], [STROKE])[0]
    between = min(cuts[1:-1], key=lambda cut: abs(cut.columns.mean() - meeting))

    part = part_between(shape, cv2.compare(ink, 127, cv2.CMP_GT), cuts[0], between)

    assert part is not None
    taken = np.zeros(ink.shape, bool)
    taken[part.box.y : part.box.bottom, part.box.x : part.box.right] = part.mask > 0
    assert np.count_nonzero(taken & (mine > 127)) > OWN_SHARE * np.count_nonzero(mine > 127)
    assert np.count_nonzero(taken & (mine < 50)) < (1 - OWN_SHARE) * np.count_nonzero(ink > 127)


def test_cuts_start_at_the_left_end_and_finish_at_the_right_in_order() -> None:
    ink, _, _ = _touching("3", "8")

    cuts = find_cuts([ink], [STROKE])[0]

    middles = [cut.columns.mean() for cut in cuts]
    assert middles == sorted(middles)
    assert (middles[0], middles[-1]) == (0, ink.shape[1])
    assert (cuts[0].crossed, cuts[-1].crossed) == (0, 0)
    assert {len(cut.columns) for cut in cuts} == {ink.shape[0]}


def test_parts_between_neighbouring_cuts_hold_all_ink_once() -> None:
    ink, _, _ = _touching("2", "3")

    parts = _parts(ink, find_cuts([ink], [STROKE])[0])

    assert np.array_equal(sum(part.astype(int) for part in parts), ink > 127)


def test_a_gap_costs_nothing_to_cut_through_and_a_stroke_costs_one() -> None:
    ink = np.zeros((HEIGHT, 200), np.uint8)
    ink[:, 10:50] = 255
    ink[:, 150:190] = 255
    ink[36:44, 50:150] = 255

    cuts = find_cuts([ink], [8])[0]

    through_bridge = [cut.crossed for cut in cuts if 60 < cut.columns.mean() < 140]
    assert through_bridge == pytest.approx([1] * len(through_bridge), abs=0.3)
    ink[36:44, 90:110] = 0
    assert min(cut.crossed for cut in find_cuts([ink], [8])[0][1:-1]) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (11, 500), (400, 900)], ids=str)
def test_ink_of_any_size_can_be_cut(shape: tuple[int, int]) -> None:
    cuts = find_cuts([np.full(shape, 255, np.uint8)], [3])[0]

    assert all((cut.columns >= 0).all() and (cut.columns <= shape[1]).all() for cut in cuts)


@pytest.mark.parametrize(("left", "right"), [(0, 5), (0, 150), (60, 66)], ids=["a sliver", "too wide", "within"])
def test_parts_no_digit_could_be_are_not_made(left: int, right: int) -> None:
    ink = np.full((HEIGHT, 200), 255, np.uint8)
    cuts = [Cut(np.full(HEIGHT, float(column)), 0.0) for column in (left, right)]

    assert part_between(shape_of(ink), ink, *cuts) is None


def test_a_part_without_ink_is_none() -> None:
    ink = np.zeros((HEIGHT, 200), np.uint8)
    ink[:, :50] = ink[:, 150:] = 255
    cuts = [Cut(np.full(HEIGHT, float(column)), 0.0) for column in (60, 140)]

    assert part_between(shape_of(ink), ink, *cuts) is None


def test_parts_stand_where_they_stood_in_the_frame() -> None:
    ink = np.zeros((200, 300), np.uint8)
    ink[50:130, 40:200] = 255
    shape = shape_of(ink)
    cuts = [Cut(np.full(80, float(column)), 0.0) for column in (0, 70)]

    part = part_between(shape, shape.mask, *cuts)

    assert part is not None
    assert (part.box.x, part.box.y, part.box.right, part.box.bottom) == (40, 50, 110, 130)
    assert part.cut is not None


def test_digits_of_rows_that_touch_are_cut_one_from_the_other() -> None:
    upper = lower = draw_digit("0", HEIGHT, STROKE)
    ink = np.zeros((upper.shape[0] + lower.shape[0] - 2, upper.shape[1]), np.uint8)
    ink[: upper.shape[0]] = upper
    window = ink[upper.shape[0] - 2 :]
    np.maximum(window, lower, out=window)
    shape = shape_of(ink)

    parts = split_upright(shape, find_cuts([np.ascontiguousarray(ink.T)], [STROKE])[0])

    above, below = parts
    assert abs(above.box.bottom - upper.shape[0]) <= COLUMN_TOLERANCE_PX
    assert abs(below.box.y - upper.shape[0]) <= COLUMN_TOLERANCE_PX
    assert np.count_nonzero(above.mask) + np.count_nonzero(below.mask) == np.count_nonzero(shape.mask)
