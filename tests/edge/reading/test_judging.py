"""Score, surroundings and neighbours decide together which shapes are digits; without a model, on stand-in scores."""

import numpy as np
import pytest

from edge_mnist.edge.reading.alternatives import Classified
from edge_mnist.edge.reading.finding import find_candidates
from edge_mnist.edge.reading.ink.shapes import Box, Shape
from edge_mnist.edge.reading.judging import LEAST, choose_rows, judge_parts, judge_shapes
from tests.builders.ink import on_paper, write

THRESHOLD = 1.0
SURE, REFUSED = 6.0, -3.0


def _guess(
    x: int, score: float, digit: int = 2, y: int = 100, width: int = 40, height: int = 60, is_cut: bool = False
) -> Classified:
    corners = [(x, y), (x + width - 1, y), (x + width - 1, y + height - 1), (x, y + height - 1)]
    shape = Shape(Box(x, y, width, height), (np.array(corners, np.int32)[:, None],))
    return Classified(Shape(shape.box, shape.outlines, shape.mask) if is_cut else shape, digit, score, 0.9)


def _read(*guesses: Classified) -> list[str]:
    return ["".join(str(guess.digit) for guess in row) for row in choose_rows(guesses, THRESHOLD)]


def test_digits_are_read_in_rows_and_refused_shapes_are_not() -> None:
    assert _read(_guess(60, SURE, 2), _guess(0, SURE, 4), _guess(120, REFUSED, 3), _guess(0, SURE, 5, y=300)) == [
        "42",
        "5",
    ]
    assert _read() == []
    assert _read(_guess(0, REFUSED)) == []


def test_an_odd_shape_is_a_digit_among_digits_but_not_among_other_shapes() -> None:
    odd = _guess(180, THRESHOLD + LEAST - 0.5, 7)

    assert _read(*(_guess(x, SURE, 3) for x in (0, 60, 120)), odd) == ["3337"]
    assert _read(*(_guess(x, REFUSED, 3, y=180) for x in (120, 180, 240)), odd) == []


def test_ones_say_nothing_about_their_neighbours() -> None:
    odd = _guess(180, THRESHOLD + LEAST - 1.0, 7)

    assert _read(*(_guess(x, SURE, 1) for x in (0, 60, 120)), odd) == ["111"]


def test_a_shape_of_another_size_is_no_neighbour() -> None:
    speck = _guess(180, THRESHOLD + LEAST - 1.0, 7, width=8, height=12)

    assert _read(*(_guess(x, SURE, 3) for x in (0, 60, 120)), speck) == ["333"]


@pytest.mark.parametrize(("digits", "letters", "read"), [(1, 0, True), (1, 1, True), (4, 2, True), (1, 4, False)])
def test_digits_among_letters_are_letters(digits: int, letters: int, read: bool) -> None:
    row = [_guess(50 * i, SURE if i < digits else REFUSED) for i in range(digits + letters)]

    assert _read(*row) == (["2" * digits] if read else [])


def test_a_number_far_from_the_words_of_its_row_is_read() -> None:
    words = [_guess(50 * i, REFUSED) for i in range(6)]
    number = [_guess(600 + 50 * i, SURE, 3) for i in range(4)]

    assert _read(*words, *number) == ["3333"]


def test_brackets_and_specks_have_no_say_in_a_word() -> None:
    others = (_guess(50 * i, REFUSED, y=60, height=140) for i in range(4, 7))

    assert _read(*(_guess(50 * i, SURE, 3) for i in range(4)), *others) == ["3333"]


def test_digits_that_were_cut_out_weigh_less_against_letters() -> None:
    letters = [_guess(200, REFUSED), _guess(250, REFUSED)]

    assert _read(*(_guess(50 * i, SURE) for i in range(4)), *letters) == ["2222"]
    assert _read(*(_guess(50 * i, SURE, is_cut=True) for i in range(4)), *letters) == []


def test_ones_that_were_cut_out_are_no_number() -> None:
    assert _read(_guess(0, SURE, 1, is_cut=True), _guess(50, SURE, 1, is_cut=True)) == []
    assert _read(_guess(0, SURE, 1, is_cut=True), _guess(50, SURE, 1)) == ["11"]


def test_a_digit_must_be_surer_in_a_frame_of_other_things() -> None:
    weak = _guess(0, THRESHOLD, 7)
    others = [_guess(100 * (i % 20), REFUSED, y=400 + 100 * (i // 20)) for i in range(100)]

    assert _read(weak) == ["7"]
    assert _read(weak, *others) == []
    assert _read(_guess(0, THRESHOLD + 9, 7), *others) == ["7"]


def _classified(frame: np.ndarray, score: float) -> tuple:
    finding = find_candidates(frame)
    return finding, [Classified(shape, 3, score, 0.9) for shape in finding.shapes]


def test_the_surroundings_speak_for_a_digit_on_paper() -> None:
    finding, guesses = _classified(on_paper(write("3").ink), 2.0)

    (judged,) = judge_shapes(finding, guesses, THRESHOLD)

    assert judged.score > guesses[0].score
    assert judged.model_score == guesses[0].model_score


def test_a_hopeless_shape_is_not_looked_at() -> None:
    finding, guesses = _classified(on_paper(write("3").ink), REFUSED)

    assert judge_parts(finding, guesses, THRESHOLD) == guesses
