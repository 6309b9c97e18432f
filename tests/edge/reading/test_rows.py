"""What stands on one line is read together, line by line, from left to right."""

import numpy as np
import pytest

from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.rows import group_into_rows


def _group(boxes: list[Box]) -> list[list[Box]]:
    return group_into_rows(boxes, lambda box: box)


def _row(count: int, y: float, slope: float = 0.0, height: int = 60) -> list[Box]:
    return [Box(50 * i, round(y + slope * 50 * i), 35, height) for i in range(count)]


def test_nothing_has_no_rows() -> None:
    assert _group([]) == []


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.3], ids=["level", "falling", "climbing"])
def test_rows_go_down_and_digits_right_in_whatever_order_they_came(slope: float) -> None:
    rows = [_row(6, 300, slope), _row(4, 400, slope), _row(1, 500, slope)]
    mixed = [rows[i][j] for i in range(3) for j in range(len(rows[i]))]
    shuffled = [mixed[i] for i in np.random.default_rng(0).permutation(len(mixed))]

    assert _group(shuffled) == rows


@pytest.mark.parametrize("slope", [0.8, -0.8], ids=["falling", "climbing"])
def test_rows_as_steep_as_forty_degrees_are_levelled(slope: float) -> None:
    rows = [_row(6, 300, slope), _row(5, 420, slope)]

    assert _group(rows[1] + rows[0]) == rows


def test_a_level_row_above_a_climbing_one_is_not_levelled() -> None:
    level, climbing = _row(6, 100), _row(6, 500, -0.4)

    assert _group(climbing + level) == [level, climbing]


def test_a_column_of_digits_is_not_a_climbing_row() -> None:
    column = [Box(100 + 8 * i, 100 + 90 * i, 35, 60) for i in range(6)]

    assert _group(column) == [[box] for box in column]


def test_digits_of_different_heights_share_a_row() -> None:
    row = [Box(0, 100, 30, 60), Box(50, 110, 30, 40), Box(100, 90, 30, 80), Box(150, 120, 30, 25)]

    assert _group(row) == [row]


def test_neighbours_that_are_off_by_two_thirds_of_their_height_are_in_two_rows() -> None:
    assert _group([Box(0, 100, 30, 60), Box(50, 140, 30, 60)]) == [[Box(0, 100, 30, 60)], [Box(50, 140, 30, 60)]]


def test_of_two_rows_within_reach_the_nearer_one_goes_on() -> None:
    above, below = Box(0, 100, 30, 60), Box(40, 150, 30, 60)

    rows = _group([above, below, Box(90, 145, 30, 60)])

    assert rows == [[above], [below, Box(90, 145, 30, 60)]]


def test_items_keep_what_they_carry() -> None:
    items = {"b": Box(60, 3, 30, 60), "a": Box(0, 0, 30, 60)}

    assert group_into_rows(list(items), items.__getitem__) == [["a", "b"]]
