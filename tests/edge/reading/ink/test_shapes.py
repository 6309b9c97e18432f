"""Shapes: what a mask holds, piece by piece, and what belongs together."""

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading.ink.shapes import Box, Shape, join_pieces, outline_shapes, split_pieces, unite_shapes
from tests.builders.ink import draw_digit, shape_of


def _bar(x: int, y: int, width: int, height: int) -> Shape:
    corners = [(x, y), (x + width - 1, y), (x + width - 1, y + height - 1), (x, y + height - 1)]
    return Shape(Box(x, y, width, height), (np.array(corners, np.int32)[:, None],))


def _boxes(shapes: list[Shape]) -> list[Box]:
    return sorted((shape.box for shape in shapes), key=lambda box: (box.x, box.y))


def test_a_box_ends_where_the_next_one_could_begin() -> None:
    box = Box(3, 5, 10, 20)

    assert (box.right, box.bottom, box.middle) == (13, 25, 15)


def test_pieces_are_outlined_apart_and_specks_left_out() -> None:
    mask = np.zeros((60, 100), np.uint8)
    mask[10:40, 5:15] = 255
    mask[20:25, 30:60] = 255
    mask[50:54, 80:84] = 255

    shapes = outline_shapes(mask, smallest=5)

    assert _boxes(shapes) == [Box(5, 10, 10, 30), Box(30, 20, 30, 5)]
    assert [shape.mask.min() for shape in shapes] == [255, 255]


def test_corners_that_touch_make_one_piece() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[5:15, 5:15] = mask[15:25, 15:25] = 255

    assert _boxes(outline_shapes(mask, 5)) == [Box(5, 5, 20, 20)]


def test_an_empty_mask_has_no_shapes() -> None:
    assert outline_shapes(np.zeros((9, 9), np.uint8), 1) == []


def test_a_mask_is_filled_and_as_large_as_its_box() -> None:
    zero = shape_of(np.pad(draw_digit("0", 80, 8), 7))

    mask = zero.mask

    assert mask.shape == (zero.box.height, zero.box.width)
    assert mask[40, zero.box.width // 2] == 255
    assert mask[0, 0] == 0


def test_what_lies_in_a_hole_is_a_shape_too() -> None:
    mask = np.zeros((100, 100), np.uint8)
    cv2.circle(mask, (50, 50), 40, 255, 4)
    mask[40:60, 45:55] = 255

    boxes = _boxes(outline_shapes(mask, 5))

    assert len(boxes) == 2
    assert Box(45, 40, 10, 20) in boxes


def test_a_cut_shape_has_the_mask_it_was_cut_to() -> None:
    cut = np.eye(10, dtype=np.uint8) * 255

    assert Shape(Box(0, 0, 10, 10), (), cut).mask is cut


JOINED = {
    "a bar just over a belly": (_bar(20, 10, 30, 6), _bar(10, 20, 35, 60)),
    "a foot just under a stem": (_bar(20, 10, 10, 60), _bar(15, 74, 18, 5)),
    "two halves as high as each other": (_bar(10, 10, 30, 40), _bar(12, 54, 30, 40)),
}
APART = {
    "side by side": (_bar(10, 10, 30, 60), _bar(44, 10, 30, 60)),
    "a row below": (_bar(10, 10, 30, 60), _bar(10, 90, 30, 60)),
    "hardly one over the other": (_bar(10, 10, 30, 6), _bar(32, 20, 35, 60)),
    "a long line over a digit": (_bar(0, 10, 200, 4), _bar(80, 18, 30, 60)),
    "one within the rows of the other": (_bar(10, 10, 30, 60), _bar(20, 40, 5, 10)),
}


@pytest.mark.parametrize(("upper", "lower"), JOINED.values(), ids=list(JOINED))
@pytest.mark.parametrize("turned_round", [False, True])
def test_pieces_of_one_digit_are_joined(upper: Shape, lower: Shape, turned_round: bool) -> None:
    pieces = [lower, upper] if turned_round else [upper, lower]

    (joined,) = join_pieces(pieces, tallest=200)

    assert joined.box == unite_shapes([upper, lower]).box
    assert len(joined.outlines) == 2


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=list(APART))
def test_neighbours_stay_apart(one: Shape, other: Shape) -> None:
    assert join_pieces([one, other], tallest=300) == [one, other]


def test_nothing_is_joined_beyond_the_tallest() -> None:
    pieces = list(JOINED["two halves as high as each other"])

    assert join_pieces(pieces, tallest=83) == pieces
    assert len(join_pieces(pieces, tallest=84)) == 1


def test_a_chain_of_pieces_becomes_one_shape() -> None:
    pieces = [_bar(10, 10, 20, 10), _bar(10, 22, 20, 40), _bar(10, 66, 20, 60)]

    (joined,) = join_pieces(pieces, tallest=200)

    assert joined.box == Box(10, 10, 20, 116)
    assert len(joined.outlines) == 3


def test_a_piece_between_two_joins_the_nearer_one() -> None:
    above, dash, below = _bar(10, 10, 30, 60), _bar(10, 76, 25, 5), _bar(10, 83, 30, 60)

    joined = join_pieces([above, dash, below], tallest=100)

    assert _boxes(joined) == [Box(10, 10, 30, 60), Box(10, 76, 30, 67)]


def test_no_pieces_are_joined_to_nothing() -> None:
    assert join_pieces([], tallest=100) == []


def test_taking_to_pieces_undoes_joining() -> None:
    pieces = [_bar(10, 10, 30, 6), _bar(60, 20, 35, 60), _bar(0, 90, 5, 5)]

    whole = unite_shapes(pieces)

    assert whole.box == Box(0, 10, 95, 85)
    assert [piece.box for piece in split_pieces(whole)] == [piece.box for piece in pieces]
