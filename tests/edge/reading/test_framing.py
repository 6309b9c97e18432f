"""Whatever pen wrote a digit, and however large, it comes out as MNIST's digits are."""

import cv2
import numpy as np
import pytest

from edge_mnist.edge.common.opencv import resize
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.reading.framing import (
    BOX_SIDE,
    STROKE_SHARE,
    THICK_SHARE,
    frame_digit,
    frame_digits,
    measure_stroke,
)
from tests.builders.ink import Gray, draw_digit

DIGITS = list("0123456789")
# Strokes are widened and thinned by whole pixels of 60: the nearest is within one of them, and shrinking softens edges.
STROKE_TOLERANCE_PX = 0.75
# The centre of mass is placed by whole pixels, and MNIST's own are all within half of one.
CENTRE_TOLERANCE_PX = 0.51
# Mean difference in gray levels, over the whole image, between two sizes or contrasts of one digit; a shift by one
# pixel gives 15 and more.
SAME_IMAGE = 8
# Pens are widened by whole pixels at twice the size: half a pixel along all outlines of a 0 makes 13.
SAME_BUT_FOR_THE_PEN = 14


def _frame(ink: Gray) -> Gray:
    return frame_digit(ink)[..., 0]


def _stroke_px(framed: Gray) -> float:
    """The mean stroke of a framed digit, in its pixels, measured finely."""
    return measure_stroke(cv2.resize(framed, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)) / 8


def _difference(one: Gray, other: Gray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def _difference_but_for_rounding(one: Gray, other: Gray) -> float:
    """Where a centre of mass lies between two pixels, it may be rounded to either."""
    steps = (-1, 0, 1)
    return min(_difference(np.roll(one, (down, right), axis=(0, 1)), other) for down in steps for right in steps)


@pytest.mark.parametrize("width", [2, 5, 9, 20, 41])
def test_a_bars_stroke_is_its_width(width: int) -> None:
    bar = np.zeros((200, 100), np.uint8)
    bar[10:190, 30 : 30 + width] = 255

    assert measure_stroke(bar) == pytest.approx(width, rel=0.15, abs=0.6)


def test_no_ink_has_a_stroke_of_one_pixel() -> None:
    assert measure_stroke(np.zeros((5, 5), np.uint8)) == 1


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("width_share", [0.01, 0.03, 0.06], ids=["hairline", "thin", "fine"])
def test_thin_pens_come_out_as_thick_as_mnists(digit: str, width_share: float) -> None:
    height = 300

    framed = _frame(draw_digit(digit, height, max(2, round(width_share * height))))

    assert _stroke_px(framed) == pytest.approx(STROKE_SHARE * BOX_SIDE, abs=STROKE_TOLERANCE_PX)


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("width_share", [0.12, 0.15, 0.2], ids=["as MNIST's", "thick", "thicker"])
def test_pens_like_mnists_keep_their_width(digit: str, width_share: float) -> None:
    ink = draw_digit(digit, 300, round(width_share * 300))

    framed = _frame(ink)

    before = measure_stroke(ink) * BOX_SIDE / max(ink.shape)
    assert _stroke_px(framed) == pytest.approx(before, abs=STROKE_TOLERANCE_PX)


@pytest.mark.parametrize("digit", ["1", "2", "3", "5", "7"])
def test_markers_are_thinned(digit: str) -> None:
    ink = draw_digit(digit, 300, 90)

    framed = _frame(ink)

    before = measure_stroke(ink) * BOX_SIDE / max(ink.shape)
    assert before > THICK_SHARE * BOX_SIDE + 1
    assert _stroke_px(framed) == pytest.approx(THICK_SHARE * BOX_SIDE, abs=2 * STROKE_TOLERANCE_PX)


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("share", [0.08, 0.3, 0.7])
def test_contrast_does_not_show(digit: str, share: float) -> None:
    ink = draw_digit(digit, 100, 10)

    faint = (ink * share).round().astype(np.uint8)

    assert _difference_but_for_rounding(_frame(faint), _frame(ink)) < SAME_IMAGE


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("height", [20, 31, 60, 133, 400])
def test_size_does_not_show(digit: str, height: int) -> None:
    large = draw_digit(digit, 240, 26)

    framed = _frame(resize(large, height / max(large.shape)))

    assert _difference_but_for_rounding(framed, _frame(large)) < SAME_BUT_FOR_THE_PEN


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("width", [4, 20, 60])
def test_the_centre_of_mass_is_in_the_middle(digit: str, width: int) -> None:
    framed = _frame(draw_digit(digit, 200, width)).astype(float)

    rows, columns = np.indices(framed.shape)
    centre = [float((axis * framed).sum() / framed.sum()) for axis in (rows, columns)]
    assert centre == pytest.approx([14, 14], abs=CENTRE_TOLERANCE_PX)


def test_digits_are_framed_together_as_each_is_alone() -> None:
    heights, widths = [12, 35, 60, 150, 400], [1, 3, 9, 30, 90]
    inks = [draw_digit(digit, height, width) for digit in DIGITS for height, width in zip(heights, widths, strict=True)]
    inks += [np.zeros((9, 4), np.uint8), np.zeros((0, 7), np.uint8), np.full((1, 1), 3, np.uint8)]

    together = frame_digits(inks)

    assert np.array_equal(together, np.stack([frame_digit(ink) for ink in inks]))


def test_no_digits_are_framed_as_none() -> None:
    assert frame_digits([]).shape == (0, 28, 28, 1)


def test_faint_grain_beside_strokes_is_paper() -> None:
    ink = draw_digit("3", 100, 10)
    grain = np.random.default_rng(0).integers(0, 30, ink.shape, np.uint8)

    assert _difference(_frame(np.maximum(ink, grain)), _frame(ink)) < SAME_IMAGE


def test_mnists_own_digits_come_out_nearly_as_they_were(sample: mnist.Images) -> None:
    images = sample.take(mnist.first_per_class(sample.labels, 30)).pixels[..., 0]

    again = [_frame(_crop_all(image)) for image in images]

    differences = [_difference(framed, image) for framed, image in zip(again, images, strict=True)]
    assert np.median(differences) < SAME_IMAGE
    assert np.percentile(differences, 95) < 3 * SAME_IMAGE


def _crop_all(image: Gray) -> Gray:
    """To the box around all that is not paper."""
    x, y, width, height = cv2.boundingRect(image)
    return image[y : y + height, x : x + width]


def test_framing_twice_changes_little(sample: mnist.Images) -> None:
    images = sample.take(mnist.first_per_class(sample.labels, 10)).pixels[..., 0]

    once = [_frame(_crop_all(image)) for image in images]
    twice = [_frame(_crop_all(framed)) for framed in once]

    assert np.median([_difference(a, b) for a, b in zip(once, twice, strict=True)]) < SAME_IMAGE


def test_what_is_framed_is_left_as_it_was() -> None:
    ink = draw_digit("8", 90, 9)
    before = ink.copy()

    frame_digit(ink)

    assert np.array_equal(ink, before)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)], ids=str)
def test_a_crop_without_pixels_is_paper(shape: tuple[int, int]) -> None:
    assert not frame_digit(np.zeros(shape, np.uint8)).any()
