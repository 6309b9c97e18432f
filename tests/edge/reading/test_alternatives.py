"""What the model refuses is looked at again, and of all ways to read it the likeliest one is taken; without a model."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from edge_mnist.edge.reading.alternatives import (
    SHARED,
    SLACK,
    SURER,
    TELLING_PLACE,
    UNSURE,
    Alternative,
    Classified,
    choose_reading,
    suggest_alternatives,
)
from edge_mnist.edge.reading.finding import Candidates, find_candidates
from edge_mnist.edge.reading.ink.shapes import Box, Shape, unite_shapes
from edge_mnist.edge.reading.rows import group_into_rows
from tests.builders.ink import draw_digit, on_paper, write

THRESHOLD = 1.0
SURE, REFUSED = 8.0, -3.0


def _guess(x: int, score: float, digit: int = 1, y: int = 100, width: int = 40, height: int = 60) -> Classified:
    corners = [(x, y), (x + width - 1, y), (x + width - 1, y + height - 1), (x, y + height - 1)]
    shape = Shape(Box(x, y, width, height), (np.array(corners, np.int32)[:, None],))
    return Classified(shape, digit, score, 0.9)


def _suggest(finding: Candidates, guesses: Sequence[Classified], threshold: float) -> list[Alternative]:
    return suggest_alternatives(finding, guesses, threshold)[0]


def _instead_of(replaces: Sequence[int], parts: Sequence[Classified], least: float = THRESHOLD) -> Alternative:
    """Parts that stand one after the other, or one that stands for several."""
    spans = [(i, i + 1) for i in range(len(parts))]
    return Alternative(tuple(replaces), [part.shape for part in parts], spans, [0.0] * (len(parts) + 1), least)


def _read(guesses: Sequence[Classified], *others: tuple[Alternative, Sequence[Classified]]) -> list[str]:
    shown = choose_reading(guesses, [other for other, _ in others], [parts for _, parts in others], THRESHOLD)
    rows = group_into_rows([guess for guess in shown if guess.score >= THRESHOLD], lambda guess: guess.shape.box)
    return ["".join(str(guess.digit) for guess in row) for row in rows]


# --- choosing among readings ---


def test_digits_are_read_in_rows_and_what_is_refused_is_not() -> None:
    guesses = [_guess(60, SURE, 2), _guess(0, SURE, 1), _guess(120, REFUSED, 3), _guess(0, SURE, 4, y=300)]

    assert _read(guesses) == ["12", "4"]


def test_nothing_is_read_where_nothing_is() -> None:
    assert _read([]) == []
    assert _read([_guess(0, REFUSED)]) == []


def test_what_scores_the_threshold_is_a_digit() -> None:
    assert _read([_guess(0, THRESHOLD, 7)]) == ["7"]
    assert _read([_guess(0, math.nextafter(THRESHOLD, -math.inf), 7)]) == []


def test_a_refused_whole_gives_way_to_two_sure_parts() -> None:
    parts = [_guess(0, SURE, 4), _guess(45, SURE, 2)]

    assert _read([_guess(0, REFUSED, 0, width=85)], (_instead_of([0], parts), parts)) == ["42"]


def test_a_sure_whole_is_not_taken_apart() -> None:
    parts = [_guess(0, 4.0, 4), _guess(45, 4.0, 2)]

    assert _read([_guess(0, SURE, 0, width=85)], (_instead_of([0], parts), parts)) == ["0"]


def test_one_unsure_part_spoils_a_reading() -> None:
    parts = [_guess(0, SURE, 4), _guess(45, THRESHOLD + SURER - 0.1, 2)]

    assert _read([_guess(0, REFUSED, width=85)], (_instead_of([0], parts, THRESHOLD + SURER), parts)) == []


def test_of_several_readings_between_marks_the_likeliest_is_taken() -> None:
    parts = [_guess(0, 3.0, 1), _guess(30, 3.0, 2), _guess(60, 3.0, 3), _guess(0, 7.0, 4), _guess(30, 2.0, 5)]
    spans = [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)]
    marks = Alternative((0,), [part.shape for part in parts], spans, [0.0] * 4, THRESHOLD)

    assert _read([_guess(0, REFUSED, width=90)], (marks, parts)) == ["43"]


def test_marks_that_cross_strokes_cost() -> None:
    parts = [_guess(0, 5.0, 1), _guess(45, 5.0, 2)]
    whole = _guess(0, 0.0, 0, width=90)
    free, dear = (
        Alternative((0,), [part.shape for part in parts], [(0, 1), (1, 2)], [0.0, cost, 0.0], THRESHOLD)
        for cost in (0.0, 2.0)
    )

    assert _read([whole], (free, parts)) == ["12"]
    assert _read([whole], (dear, parts)) == []


def test_a_reading_must_reach_the_last_mark() -> None:
    parts = [_guess(0, SURE, 1), _guess(45, REFUSED, 2)]

    assert _read([_guess(0, REFUSED, width=90)], (_instead_of([0], parts), parts)) == []


@pytest.mark.parametrize(("context", "rows"), [(TELLING_PLACE, ["42"]), (TELLING_PLACE - 0.1, [])])
def test_parts_of_a_shape_share_surroundings_that_tell_of_digits(context: float, rows: list[str]) -> None:
    parts = [
        _cut_part(_guess(0, SURE, 4), context),
        _cut_part(_guess(45, THRESHOLD - 0.1, 2), SHARED - 0.2),
    ]

    assert _read([_guess(0, REFUSED, width=85)], (_instead_of([0], parts), parts)) == rows


def test_surroundings_alone_make_no_digit_of_a_part() -> None:
    parts = [_cut_part(_guess(0, SURE, 4), TELLING_PLACE), _guess(45, THRESHOLD - 0.1, 2)]

    assert _read([_guess(0, REFUSED, width=85)], (_instead_of([0], parts), parts)) == []


def _cut_part(guess: Classified, context: float) -> Classified:
    box = guess.shape.box
    shape = Shape(box, guess.shape.outlines, np.full((box.height, box.width), 255, np.uint8))
    return Classified(shape, guess.digit, guess.score, guess.class_probability, guess.model_score, context)


@pytest.mark.parametrize(("joint_score", "rows"), [(4.6, ["5"]), (4.4, ["3"])], ids=["nearly as likely", "less likely"])
def test_pieces_are_joined_only_where_the_whole_is_nearly_as_likely(joint_score: float, rows: list[str]) -> None:
    dash, belly = _guess(0, REFUSED, 1, y=90, height=8), _guess(0, 5.0, 3)
    joint = [_guess(0, joint_score, 5, y=90, height=70)]

    assert _read([dash, belly], (_instead_of([0, 1], joint, 5.0 - SLACK), joint)) == rows


def test_of_two_readings_of_one_shape_the_one_that_gains_more_stands() -> None:
    left, middle, right, next_one = _guess(0, -4.0), _guess(45, REFUSED), _guess(90, -8.0), _guess(140, SURE, 4)
    first, second = [_guess(0, SURE, 6, width=85)], [_guess(45, SURE, 9, width=85)]
    others = (_instead_of([0, 1], first), first), (_instead_of([1, 2], second), second)

    assert _read([left, middle, right, next_one, _guess(190, SURE, 2)], *others) == ["942"]


def test_readings_of_different_shapes_stand_side_by_side() -> None:
    wide, broken = _guess(0, REFUSED, width=85), _guess(120, REFUSED)
    parts, joint = [_guess(0, SURE, 4), _guess(45, SURE, 2)], [_guess(120, SURE, 5)]

    rows = _read([wide, broken], (_instead_of([0], parts), parts), (_instead_of([1], joint), joint))

    assert rows == ["425"]


# --- shapes within shapes ---


def test_what_lies_within_a_digit_is_part_of_it() -> None:
    zero, speck = _guess(0, SURE, 0, width=60, height=90), _guess(20, SURE, 1, y=120, width=10, height=30)

    assert _read([zero, speck]) == ["0"]


def test_a_digit_within_a_frame_that_is_none_is_read() -> None:
    frame, digit = _guess(0, REFUSED, y=0, width=300, height=300), _guess(100, SURE, 5)

    assert _read([frame, digit]) == ["5"]


# --- what else it may be ---


def _look(ink: np.ndarray, *scores: float) -> tuple[Candidates, list[Classified]]:
    """Find what was written, and give what was found these scores from left to right."""
    finding = find_candidates(on_paper(ink))
    shapes = sorted(finding.shapes, key=lambda shape: shape.box.x)
    return finding, [Classified(shape, 0, score, 0.9) for shape, score in zip(shapes, scores, strict=True)]


def _touching_pair() -> np.ndarray:
    left, right = draw_digit("3", 80, 8), draw_digit("8", 80, 8)
    ink = np.zeros((200, 240), np.uint8)
    ink[60 : 60 + left.shape[0], 60 : 60 + left.shape[1]] = left
    start = 60 + left.shape[1] - 4
    window = ink[60 : 60 + right.shape[0], start : start + right.shape[1]]
    np.maximum(window, right, out=window)
    return ink


def test_accepted_digits_cost_no_second_look() -> None:
    finding, guesses = _look(write("0123456789").ink, *[SURE] * 10)

    assert _suggest(finding, guesses, THRESHOLD) == []
    assert _suggest(finding, [], THRESHOLD) == []


@pytest.mark.parametrize("score", [REFUSED, SURE], ids=["refused", "accepted, but too wide for one"])
def test_what_is_wide_may_be_several_digits(score: float) -> None:
    ink = _touching_pair() if score == REFUSED else np.hstack([_touching_pair()[:, :150], _touching_pair()[:, 60:]])
    finding, guesses = _look(ink, score)

    (cut,) = _suggest(finding, guesses, THRESHOLD)

    last = len(cut.costs) - 1
    assert cut.replaces == (0,)
    assert cut.least == THRESHOLD
    assert (0, last) not in cut.spans
    assert all(0 <= left < right <= last for left, right in cut.spans)
    assert any(right == other and left == 0 and end == last for left, right in cut.spans for other, end in cut.spans), (
        "two parts make the whole"
    )
    whole = guesses[0].shape.box
    assert all(whole.x <= part.box.x and part.box.right <= whole.right for part in cut.shapes)


def test_a_refused_shape_in_pieces_may_be_its_pieces() -> None:
    finding, guesses = _look(write("17", gap=60).ink, REFUSED, REFUSED)
    whole = Classified(unite_shapes([guess.shape for guess in guesses]), 0, REFUSED, 0.9)

    alternatives = _suggest(finding, [whole], THRESHOLD)

    (pieces,) = (other for other in alternatives if not any(other.costs) and len(other.costs) == 3)
    assert [shape.box for shape in pieces.shapes] == [guess.shape.box for guess in guesses]


def test_a_refused_shape_that_is_taller_than_most_may_be_two_digits_of_two_rows() -> None:
    ink = write("5555", height=80, gap=60).ink
    ink = np.vstack([ink, np.zeros((100, ink.shape[1]), np.uint8)])
    five = draw_digit("5", 80)
    ink[135 : 135 + five.shape[0], 60 : 60 + five.shape[1]] |= five
    finding = find_candidates(on_paper(ink))
    typical = np.median([shape.box.height for shape in finding.shapes])
    guesses = [
        Classified(shape, 0, REFUSED if shape.box.height > 1.5 * typical else SURE, 0.9) for shape in finding.shapes
    ]

    (across,) = _suggest(finding, guesses, THRESHOLD)

    (tall,) = (i for i, guess in enumerate(guesses) if guess.score == REFUSED)
    assert across.replaces == (tall,)
    assert across.spans == [(0, 1), (1, 2)]
    assert across.least == THRESHOLD + SURER, "a long tail looks like a 1"
    above, below = across.shapes
    assert above.box.y < below.box.y < above.box.bottom + 2
    inked = [np.count_nonzero(shape.mask) for shape in (above, below, guesses[tall].shape)]
    assert inked[0] + inked[1] == inked[2]


def _joints(alternatives: Sequence[Alternative]) -> list[Alternative]:
    return [other for other in alternatives if len(other.replaces) == 2]


def test_a_refused_shape_may_belong_to_its_neighbour_and_to_none_far_away() -> None:
    dash, belly, far = _guess(0, REFUSED, y=88, height=8), _guess(0, 4.0), _guess(200, SURE)
    finding = find_candidates(np.full((300, 400), 220, np.uint8))

    (joint,) = _joints(_suggest(finding, [dash, belly, far], THRESHOLD))

    assert set(joint.replaces) == {0, 1}
    assert joint.least == 4.0 - SLACK
    assert [shape.box for shape in joint.shapes] == [unite_shapes([dash.shape, belly.shape]).box]


@pytest.mark.parametrize(("above_threshold", "joints"), [(UNSURE - 0.1, 1), (UNSURE, 0)], ids=["unsure", "sure"])
def test_a_piece_that_looks_like_a_digit_may_still_be_one_of_two(above_threshold: float, joints: int) -> None:
    upper, lower = _guess(0, THRESHOLD + above_threshold, height=28), _guess(0, SURE, y=131, height=28)
    finding = find_candidates(np.full((300, 400), 220, np.uint8))

    assert len(_joints(_suggest(finding, [upper, lower], THRESHOLD))) == joints


def test_two_refused_neighbours_are_joined_once() -> None:
    upper, lower = _guess(0, REFUSED, height=28), _guess(0, REFUSED, y=131, height=28)
    finding = find_candidates(np.full((300, 400), 220, np.uint8))

    joints = _joints(_suggest(finding, [upper, lower], THRESHOLD))

    assert [joint.replaces for joint in joints] == [(0, 1)]


def test_what_together_is_wider_than_a_digit_is_not_joined() -> None:
    finding = find_candidates(np.full((300, 400), 220, np.uint8))
    row = [_guess(0, REFUSED, width=42), _guess(44, SURE, width=42)]

    assert _joints(_suggest(finding, row, THRESHOLD)) == []
