"""A reader that explains says what became of each piece of ink."""

import numpy as np
import pytest

from edge_mnist.edge.reading.fates import MEANINGS, InkFate, count_fates
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.reader import Reader
from tests.builders.ink import on_paper, write


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(explain=True, threads=1)


def test_digits_and_all_that_was_left_out_are_named(reader: Reader) -> None:
    ink = write("5283", margin=150).ink
    ink[20:24, 20:24] = 255  # a speck
    ink[-200:, :3] = 255  # a bar along the frame's edge

    reading = reader.read(on_paper(ink))

    fates = [candidate.fate for candidate in reading.candidates]
    assert reading.rows == ("5283",)
    assert fates.count("digit") == 4
    assert {"edge"} <= set(fates) <= set(MEANINGS)
    digits = {candidate.box for candidate in reading.candidates if candidate.fate == "digit"}
    assert digits == {digit.box for digit in reading.digits}


def test_a_shape_that_the_model_refuses_has_its_score(reader: Reader) -> None:
    ink = np.zeros((300, 300), np.uint8)
    ink[100:200, 100:200:8] = 255
    ink[100:200:8, 100:200] = 255

    reading = reader.read(on_paper(ink))

    assert reading.rows == ()
    refused = [candidate for candidate in reading.candidates if candidate.score is not None]
    assert refused
    assert all(candidate.fate != "digit" and candidate.digit is not None for candidate in refused)


def test_a_reader_that_does_not_explain_has_no_candidates() -> None:
    assert Reader(threads=1).read(on_paper(write("5").ink)).candidates == ()


def test_fates_are_counted_without_the_digits() -> None:
    box = Box(0, 0, 1, 1)
    candidates = [InkFate(box, fate) for fate in ("digit", "word", "edge", "word")]

    assert count_fates(candidates) == {"edge": 1, "word": 2}
