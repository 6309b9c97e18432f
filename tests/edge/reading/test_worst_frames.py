"""No frame, whatever it shows, costs more than a number of plain pages; what is given up for that is said."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading.alternatives import UNSEEN, Classified
from edge_mnist.edge.reading.ink.effort import Effort
from edge_mnist.edge.reading.ink.ruled_lines import find_level_lines
from edge_mnist.edge.reading.ink.shapes import Box, Shape
from edge_mnist.edge.reading.judging import MORE_PER_DIGIT, SAMPLE, choose_beside_digits, sample_shapes
from edge_mnist.edge.reading.reader import Reader
from tests.long.worst_frames import SIZES, draw_plain_page, draw_worst_frames, time_in_pages

# The ceiling of docs/reading.md, in plain pages of 640x480, by megapixels.
CEILING = {"0.3": 150, "2": 240, "12": 240}
# The slowest contents; `tests/long/worst_frames.py` measures all.
WORST = {
    "0.3": ["security paper", "maze", "short strokes", "long strokes", "text", "round text"],
    "2": ["short strokes", "long strokes"],
    "12": ["short strokes"],
}
GIVEN_UP = ["squares of 2 pixels", "security paper", "text"]
THRESHOLD = 0.0


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield Reader(threads=1, explain=True)
    cv2.setNumThreads(threads)


@pytest.mark.parametrize("size", SIZES)
def test_the_worst_frames_cost_a_bounded_number_of_plain_pages(reader: Reader, size: str) -> None:
    frames, page = draw_worst_frames(SIZES[size], WORST[size]), draw_plain_page()
    reader.read(page)

    for name, frame in frames.items():
        cost = time_in_pages(reader, frame, page, repeats=1)
        if cost > CEILING[size]:
            # Other work on the machine may have slowed down the only reading.
            cost = time_in_pages(reader, frame, page, repeats=3)
        assert cost <= CEILING[size], name


def test_what_is_given_up_is_said(reader: Reader) -> None:
    frames = draw_worst_frames(SIZES["0.3"], GIVEN_UP)

    assert {name: reader.read(frame).truncated for name, frame in frames.items()} == dict.fromkeys(GIVEN_UP, True)
    assert not reader.read(draw_plain_page()).truncated


def test_shapes_that_are_not_looked_at_are_explained(reader: Reader) -> None:
    (frame,) = draw_worst_frames(SIZES["0.3"], ["text"]).values()

    reading = reader.read(frame)

    fates = [candidate.fate for candidate in reading.candidates]
    assert 0 < fates.count("limit") <= reading.shapes - 0.9 * SAMPLE
    assert all(candidate.digit is None for candidate in reading.candidates if candidate.fate == "limit")


def _unseen(columns: int, rows: int) -> list[Classified]:
    """Shapes of 20x30 pixels in a grid, not classified yet, row by row."""
    boxes = (Box(40 * x, 50 * y, 20, 30) for y in range(rows) for x in range(columns))
    return [Classified(Shape(box, ()), 0, UNSEEN, 0.0, UNSEEN) for box in boxes]


def test_all_of_few_shapes_are_looked_at_and_of_very_many_a_sample_from_all_over() -> None:
    few, many = _unseen(9, 9), _unseen(30, 30)

    assert sample_shapes(few, THRESHOLD) == list(range(81))
    sample = sample_shapes(many, THRESHOLD)
    assert 0.9 * SAMPLE < len(sample) <= SAMPLE
    # Each tenth of the page has its share.
    assert np.histogram(sample, 10, (0, 900))[0].min() >= 0.8 * len(sample) / 10


def test_large_shapes_count_for_more() -> None:
    shapes = [Classified(Shape(Box(0, 0, 500, 400), ()), 0, UNSEEN, 0.0, UNSEEN)] * 50

    assert len(sample_shapes(shapes, THRESHOLD)) <= SAMPLE / 10


def test_then_shapes_beside_digits_are_looked_at_in_proportion_to_the_digits() -> None:
    guesses = _unseen(30, 30)
    for i in sample_shapes(guesses, THRESHOLD):
        guesses[i] = Classified(guesses[i].shape, 3, -5.0, 0.9, -5.0)
    assert choose_beside_digits(guesses, THRESHOLD) == []

    digit = next(i for i, guess in enumerate(guesses) if not guess.unseen and 400 < i < 500)
    guesses[digit] = Classified(guesses[digit].shape, 3, 5.0, 0.9, 5.0)
    near = choose_beside_digits(guesses, THRESHOLD)

    assert MORE_PER_DIGIT / 2 < len(near) <= MORE_PER_DIGIT
    assert all(guesses[i].unseen and abs(i % 30 - digit % 30) <= 2 and abs(i // 30 - digit // 30) <= 2 for i in near)


def test_a_search_for_lines_ends_when_its_effort_is_spent() -> None:
    faint = np.zeros((400, 400), np.uint8)
    faint[20::40] = 255
    enough, little = Effort(100), Effort(3)

    assert len(find_level_lines(faint, effort=enough)) == 10
    assert not enough.is_short
    assert find_level_lines(faint, effort=little) == []
    assert little.is_short
