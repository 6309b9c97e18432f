"""What paper is like under its ink: noise, levels, and which of the two is the lighter."""

import numpy as np
import pytest

from edge_mnist.edge.reading.ink.paper import darken_ink, estimate_levels, estimate_noise, find_light_ink, make_copies
from tests.builders.ink import on_paper, write

# Whole gray levels are compared: half of one, over 0.954, and as much again for the few thousand pixels looked at.
NOISE_TOLERANCE = 1.0
# Levels are smoothed and in whole numbers, and grain lifts what a closing leaves.
LEVEL_TOLERANCE = 6


@pytest.mark.parametrize("sigma", [0, 1, 2, 5, 10, 20])
@pytest.mark.parametrize("page", [False, True], ids=["paper", "page"])
def test_noise_is_estimated_through_writing(sigma: float, page: bool) -> None:
    ink = write("0123456789", "0123456789", "0123456789").ink
    frame = on_paper(ink if page else np.zeros_like(ink), paper=150, darkest=60, grain=sigma)

    assert estimate_noise(frame) == pytest.approx(sigma, abs=NOISE_TOLERANCE, rel=0.1)


def test_a_frame_of_one_pixel_has_no_noise() -> None:
    assert estimate_noise(np.zeros((1, 1), np.uint8)) == 0


@pytest.mark.parametrize("grain", [0, 2, 8])
def test_ink_is_light_everywhere_or_nowhere_on_one_paper(grain: float) -> None:
    ink = write("0123456789", "31415").ink

    assert not find_light_ink(make_copies(on_paper(ink, grain=grain))).any()
    assert find_light_ink(make_copies(on_paper(ink, paper=50, darkest=210, grain=grain))).all()


def test_ink_is_light_on_a_dark_card_alone() -> None:
    ink = write("12", height=80, margin=100).ink
    frame = np.hstack([on_paper(ink), on_paper(ink, paper=40, darkest=220)])

    light = find_light_ink(make_copies(frame))

    middle = light.shape[1] // 2
    assert not light[:, : middle - 5].any()
    assert light[:, middle + 5 :].all()


@pytest.mark.parametrize(("paper", "darkest"), [(220, 60), (120, 20), (250, 180)], ids=["plain", "dim", "pencil"])
def test_the_papers_level_is_known_under_ink_and_ink_lies_below_the_threshold(paper: int, darkest: int) -> None:
    writing = write("0123456789", "0123456789")
    frame = on_paper(writing.ink, paper, darkest)

    levels = estimate_levels(make_copies(frame), noise=2)

    assert levels.paper.min() > paper - LEVEL_TOLERANCE
    assert levels.paper.max() < paper + LEVEL_TOLERANCE
    assert (levels.ink <= levels.faintest).all()
    assert (levels.faintest < levels.paper).all()
    small = levels.ink[levels.ink.shape[0] // 4 : -levels.ink.shape[0] // 4]
    assert (small > darkest).all()


def test_a_shadow_darkens_the_paper_and_not_the_ink() -> None:
    ink = write("0123456789", "0123456789").ink
    shade = np.linspace(1, 0.5, ink.shape[1])

    levels = estimate_levels(make_copies((on_paper(ink) * shade).astype(np.uint8)), noise=2)

    expected = 220 * np.interp(np.linspace(0, 1, levels.paper.shape[1]), np.linspace(0, 1, ink.shape[1]), shade)
    # A closing looks for light as far as its window reaches.
    assert np.abs(np.median(levels.paper, axis=0) - expected).max() < 0.12 * 220


def test_light_ink_becomes_dark_and_dark_ink_stays() -> None:
    ink = write("1234", height=80).ink
    dark, light = on_paper(ink), on_paper(ink, paper=40, darkest=220)

    (same, _, everywhere), (inverted, _, also) = (darken_ink(frame, frame.shape) for frame in (dark, light))

    assert np.array_equal(same, dark)
    assert np.array_equal(inverted, 255 - light)
    assert everywhere is None
    assert also is None


def test_copies_of_any_frame_keep_its_darkest_and_lightest_strokes() -> None:
    frame = np.full((1200, 900), 128, np.uint8)
    frame[:, 451:455] = 10
    frame[601:605] = 250

    copies = make_copies(frame)

    assert max(copies.average.shape) <= 160
    assert copies.darkest.min() < 20
    assert copies.lightest.max() > 240
    assert copies.average.min() > copies.darkest.min() + 20
