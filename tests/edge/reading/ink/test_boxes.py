"""Boxes that digits touch are opened, and light digits in dark blocks are read."""

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading.finding import find_candidates
from edge_mnist.edge.reading.ink.shapes import Box
from tests.builders.ink import Writing, on_paper, write


def _find(frame: np.ndarray) -> list[Box]:
    finding = find_candidates(frame)
    return [finding.in_frame(shape.box) for shape in finding.shapes]


def _match(box: Box, found: list[Box]) -> bool:
    """Whether a found box has nearly the place and size of this one."""
    return any(max(abs(a - b) for a, b in zip(box, other, strict=True)) <= 4 for other in found)


def _box_around(writing: Writing, gap: int, thickness: int = 2) -> np.ndarray:
    ink = writing.ink.copy()
    left, top = min(box.x for box in writing.boxes), min(box.y for box in writing.boxes)
    right, bottom = max(box.right for box in writing.boxes), max(box.bottom for box in writing.boxes)
    cv2.rectangle(ink, (left - 30, top - gap), (right + 120, bottom + gap), 255, thickness)
    return ink


@pytest.mark.parametrize("gap", [12, -2], ids=["around the digits", "touching their feet"])
def test_digits_in_a_long_box_are_found_without_it(gap: int) -> None:
    writing = write("5283", margin=150)

    found = _find(on_paper(_box_around(writing, gap)))

    for box in writing.boxes:
        assert any(abs(box.x - other.x) <= 4 and abs(box.width - other.width) <= 6 for other in found), (box, found)


@pytest.mark.parametrize("degrees", [0, 4, -9])
def test_a_digit_that_touches_its_own_box_is_found_without_it(degrees: float) -> None:
    writing = write("5283", margin=150)
    box = writing.boxes[0]
    ink = writing.ink.copy()
    cv2.rectangle(ink, (box.x - 12, box.y - 20), (box.right + 12, box.bottom + 1), 255, 3)
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((box.x + box.width / 2, box.middle), degrees, 1)

    found = _find(on_paper(cv2.warpAffine(ink, turn, (width, height))))

    (first,) = (other for other in found if abs(other.middle - box.middle) < 9 and abs(other.x - box.x) < 20)
    assert len(found) == 4
    assert 0.85 * box.height < first.height < 1.15 * box.height


def test_a_square_digit_is_no_box() -> None:
    ink = np.zeros((300, 300), np.uint8)
    cv2.rectangle(ink, (110, 90), (170, 180), 255, 7)

    assert len(_find(on_paper(ink))) == 1


def test_a_wavy_line_under_digits_is_removed() -> None:
    writing = write("5283", margin=150)
    ink = writing.ink.copy()
    x = np.arange(60, ink.shape[1] - 60)
    y = writing.boxes[0].bottom + 6 + 8 * np.sin(x / 60)
    cv2.polylines(ink, [np.stack([x, y], axis=1).astype(np.int32)], isClosed=False, color=255, thickness=2)

    found = _find(on_paper(ink))

    assert all(any(abs(box.x - other.x) <= 4 for other in found) for box in writing.boxes)
    assert not any(other.width > 200 for other in found)


def test_digits_on_an_underline_are_found_without_it() -> None:
    writing = write("5283", margin=150)
    ink = writing.ink.copy()
    foot = max(box.bottom for box in writing.boxes) - 2
    cv2.line(ink, (100, foot), (ink.shape[1] - 100, foot), 255, 2)

    found = _find(on_paper(ink))

    assert all(any(abs(box.x - other.x) <= 4 for other in found) for box in writing.boxes)
    assert not any(other.width > 200 for other in found)


@pytest.mark.parametrize("pad", [15, 40])
def test_light_digits_in_a_dark_block_are_found(pad: int) -> None:
    writing = write("5283", margin=160)
    frame = on_paper(np.zeros_like(writing.ink))
    left, top = min(box.x for box in writing.boxes), min(box.y for box in writing.boxes)
    right, bottom = max(box.right for box in writing.boxes), max(box.bottom for box in writing.boxes)
    block = (slice(top - pad, bottom + pad), slice(left - pad, right + pad))
    frame[block] = on_paper(255 - writing.ink)[block]

    found = _find(frame)

    assert all(_match(box, found) for box in writing.boxes), found


def test_a_thick_zero_is_no_block() -> None:
    ink = np.zeros((300, 300), np.uint8)
    cv2.ellipse(ink, (150, 150), (45, 70), 0, 0, 360, 255, 30)

    (box,) = _find(on_paper(ink))

    assert box.height > 150
