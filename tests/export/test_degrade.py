"""Degraded copies of calibration images: the same each time, four ways in turns, and ranges that they widen."""

import numpy as np
import pytest

from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.quantize.degrade import WAYS, degrade, with_degraded


@pytest.fixture(scope="module")
def calibration(sample: mnist.Images) -> mnist.Images:
    return choose_calibration(sample)


def test_the_same_images_get_the_same_copies(calibration: mnist.Images) -> None:
    first, again = degrade(calibration), degrade(calibration)

    assert first.pixels.dtype == np.uint8
    assert first.pixels.shape == calibration.pixels.shape
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.labels, calibration.labels)


def test_each_way_gets_as_many_of_every_digit(calibration: mnist.Images) -> None:
    way = np.arange(400) // 10 % len(WAYS)

    for number in range(len(WAYS)):
        assert (np.bincount(calibration.labels[:400][way == number]) == 10).all()


def test_every_copy_differs_from_its_image(calibration: mnist.Images) -> None:
    changed = (degrade(calibration).pixels != calibration.pixels).any(axis=(1, 2, 3))

    # A border of less than half a pixel, or specks that fall on what they are, may change nothing.
    assert changed.mean() > 0.95


@pytest.mark.parametrize(
    ("number", "lightest"), [(0, 0.5), (1, 0.2), (2, 0.3)], ids=["gray paper", "specks", "swapped borders"]
)
def test_paper_becomes_darker_than_in_any_digit(calibration: mnist.Images, number: int, lightest: float) -> None:
    chosen = np.arange(500) // 10 % len(WAYS) == number
    before = calibration.pixels[chosen].mean(axis=(1, 2, 3)) / 255
    after = degrade(calibration).pixels[chosen].mean(axis=(1, 2, 3)) / 255

    assert (after - before).max() > lightest / 2
    assert after.max() > before.max() + lightest / 4


def test_blur_keeps_the_ink_and_lowers_its_peak(calibration: mnist.Images) -> None:
    chosen = np.arange(500) // 10 % len(WAYS) == 3
    before, after = calibration.pixels[chosen], degrade(calibration).pixels[chosen]

    assert after.mean() == pytest.approx(before.mean(), rel=0.02)
    assert after.max(axis=(1, 2, 3)).mean() < 0.9 * before.max(axis=(1, 2, 3)).mean()


def test_copies_stand_behind_the_images(calibration: mnist.Images) -> None:
    both = with_degraded(calibration)

    assert len(both) == 2 * len(calibration)
    assert np.array_equal(both.pixels[: len(calibration)], calibration.pixels)
    assert np.array_equal(both.pixels[len(calibration) :], degrade(calibration).pixels)
    assert np.array_equal(both.labels, np.tile(calibration.labels, 2))
