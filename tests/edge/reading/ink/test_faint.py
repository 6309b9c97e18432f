"""Strokes that fade are followed below the threshold of ink, where they hang together with ink above it."""

import cv2
import numpy as np

from edge_mnist.edge.reading.finding import Candidates, find_candidates
from edge_mnist.edge.reading.ink.faint import find_faint_ends
from edge_mnist.edge.reading.ink.shapes import Shape
from edge_mnist.edge.reading.reader import Reader
from tests.builders.ink import on_paper, write

Found = list[tuple[tuple[int, ...], Shape]]


def _fade(ink: np.ndarray, top: int, bottom: int, level: float) -> np.ndarray:
    """Fade the rows between two to a share of their ink."""
    faded = ink.astype(np.float32)
    faded[top:bottom] *= level
    return faded.astype(np.uint8)


def _find(frame: np.ndarray) -> tuple[Candidates, Found]:
    finding = find_candidates(frame)
    return finding, list(find_faint_ends(finding.mask, finding.weak, finding.shapes))


def test_even_strokes_have_no_faint_ends() -> None:
    assert _find(on_paper(write("5283").ink))[1] == []


def test_a_faint_foot_belongs_to_its_digit() -> None:
    writing = write("7777")
    box = writing.boxes[0]
    finding, found = _find(on_paper(_fade(writing.ink, box.y + box.height // 2, box.bottom, 0.2)))

    assert len(found) == 4
    for (place,), shape in found:
        before, box = finding.in_frame(finding.shapes[place].box), finding.in_frame(shape.box)
        whole = min(writing.boxes, key=lambda other: abs(other.x - box.x))
        assert box.height > 1.4 * before.height
        assert abs(box.height - whole.height) <= 6


def test_pieces_with_a_faint_stroke_between_them_are_one_shape() -> None:
    writing = write("0")
    middle = round(writing.boxes[0].middle)
    finding, found = _find(on_paper(_fade(writing.ink, middle - 12, middle + 12, 0.2)))

    ((places, shape),) = found
    assert len(places) == len(finding.shapes) == 2
    assert shape.faint
    assert abs(finding.in_frame(shape.box).height - writing.boxes[0].height) <= 6


def test_a_faint_line_through_a_row_joins_nothing() -> None:
    writing = write("5283")
    ink = writing.ink.copy()
    foot = writing.boxes[0].bottom - 3
    cv2.line(ink, (70, foot), (ink.shape[1] - 70, foot), 45, 2)

    assert all(len(places) == 1 for places, _ in _find(on_paper(np.maximum(ink, writing.ink)))[1])


def test_the_faint_part_is_lifted_to_the_level_of_strokes() -> None:
    writing = write("7")
    box = writing.boxes[0]
    finding, ((_, shape),) = _find(on_paper(_fade(writing.ink, box.y + box.height // 2, box.bottom, 0.2), grain=0.5))

    ink = finding.ink(shape)

    strong, faint = ink[: len(ink) // 3].max(), ink[2 * len(ink) // 3 :].max()
    assert faint > 0.5 * strong


def test_fading_digits_are_read_whole() -> None:
    writing = write("7777")
    box = writing.boxes[0]
    frame = on_paper(_fade(writing.ink, box.y + 3 * box.height // 5, box.bottom, 0.2))

    reading = Reader().read(frame)

    assert reading.rows == ("7777",)
    assert all(abs(digit.box.height - box.height) <= 8 for digit in reading.digits)
