"""What stands on one line is read together, line by line, from left to right."""

import numpy as np
import pytest

from edge_mnist.edge.reading.shapes import Box, group_into_rows


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
