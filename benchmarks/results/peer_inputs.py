"""Input conventions of other projects' models: by name or by mean and deviation, and checked against alternatives.

A wrong convention costs a model most of its accuracy, and the figure would be published as the model's. So every other
convention is tried on some validation images, too.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import NUM_CLASSES
from ...edge.common.terminal.formatting import format_percent
from ...edge.data.images import Images

# Real pixels are (pixel / 255 - mean) / deviation; None means the integers themselves. 0 is paper, 255 is ink.
CONVENTIONS: dict[str, tuple[float, float] | None] = {
    "float01": (0.0, 1.0),
    "float255": (0.0, 1 / 255),
    "float-1-1": (0.5, 0.5),
    # MNIST's own mean and deviation, as in PyTorch's examples.
    "standardized": (0.1307, 0.3081),
    "uint8": None,
}
INVERTED = "-inverted"
SHOWN = {"float01": "0 to 1", "float255": "0 to 255", "float-1-1": "-1 to 1", "uint8": "raw pixels"}
EXPECTED = f"{', '.join(CONVENTIONS)}, or MEAN/DEVIATION of pixels in [0, 1], e.g. 0.5/0.5; each may end in {INVERTED}"
# The number of images that conventions are tried on.
TRIED_ON = 500
# A convention counts as better than the stated one if chance alone would make any of those tried look that much better
# less often than this (exact McNemar test, times the number of conventions).
CERTAINTY = 0.001
# A model below twice the accuracy of guessing most likely gets other inputs than it was trained on.
NEAR_CHANCE = 2 / NUM_CLASSES


@dataclass(frozen=True)
class PeerConvention:
    """The scaling of an image: to real numbers by mean and deviation, or to integers if `scaling` is None."""

    scaling: tuple[float, float] | None
    is_inverted: bool


class InputCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The number of digits that a peer reads by the stated convention and by each other, on the same images.

    Attributes:
        better: The convention that is clearly better than the stated one; None if there is none.
    """

    stated: str
    count: int
    correct: dict[str, int]
    better: str | None = None


def parse_convention(text: str) -> PeerConvention:
    """Parse a user's statement of what a model reads.

    Raises:
        ValueError: The text is not a convention; the message lists the valid ones.
    """
    name = text.removesuffix(INVERTED)
    if name in CONVENTIONS:
        return PeerConvention(CONVENTIONS[name], name != text)
    mean, _, deviation = name.partition("/")
    try:
        scaling = float(mean), float(deviation)
    except ValueError:
        scaling = (math.nan, math.nan)
    if not all(map(math.isfinite, scaling)) or scaling[1] <= 0:
        raise ValueError(f"expected {EXPECTED}; got {text!r}.")
    return PeerConvention(scaling, name != text)


def scale_pixels(images: NDArray[np.uint8], convention: PeerConvention) -> NDArray[np.floating] | NDArray[np.uint8]:
    """Convert raw pixels by a convention: to float32, or to uint8 for integers; the shape does not change."""
    pixels = 255 - images if convention.is_inverted else images
    if convention.scaling is None:
        return pixels
    mean, deviation = convention.scaling
    return np.divide(pixels, np.float32(255 * deviation), dtype=np.float32) - np.float32(mean / deviation)


def choose_images(images: Images) -> Images:
    """Choose images, spread over the whole set, to try conventions on."""
    return images.take(np.linspace(0, len(images) - 1, min(TRIED_ON, len(images))).astype(int))


def read_by_each(
    read_by: Callable[[str], Any], stated: str, images: NDArray[np.uint8], beat: Callable[[], None] = lambda: None
) -> dict[str, list[int]]:
    """Return the digits that a peer reads by the stated convention and by each other one that its input can take.

    Args:
        read_by: Returns a classifier for a convention, or raises if the input cannot take it.
        stated: The convention that the user stated.
        images: Images to classify, uint8 [N, 28, 28, 1].
        beat: Called after each convention.
    """
    digits: dict[str, list[int]] = {}
    for name in dict.fromkeys((stated, *CONVENTIONS, *(name + INVERTED for name in CONVENTIONS))):
        try:
            classifier = read_by(name)
        except Exception:
            if name == stated:
                raise
            continue
        digits[name] = classifier.logits(images).argmax(axis=1).tolist()
        beat()
    return digits


def check_input(stated: str, digits: Mapping[str, list[int]], labels: NDArray[np.uint8]) -> InputCheck:
    """Judge whether another convention is clearly better than the stated one.

    Args:
        stated: The convention that the user stated.
        digits: The digits read, see `read_by_each`; they may come from a process that a file took over.
        labels: The right digits, uint8 [N].

    Raises:
        ValueError: The numbers of digits and labels differ, or there are no digits for the stated convention.
    """
    if stated not in digits or any(len(one) != len(labels) for one in digits.values()):
        raise ValueError(f"expected {len(labels)} digits by {stated} and by each other convention")
    right = {name: np.array(one) == labels for name, one in digits.items()}
    correct = {name: int(one.sum()) for name, one in right.items()}
    best = max(correct, key=lambda name: correct[name])
    gained, lost = int((right[best] & ~right[stated]).sum()), int((right[stated] & ~right[best]).sum())
    # Written out, since a machine that measures has no SciPy. Integers, so it is exact.
    p = 2 * sum(math.comb(gained + lost, k) for k in range(lost + 1)) / 2 ** (gained + lost)
    is_clear = gained > lost and p * max(1, len(digits) - 1) < CERTAINTY
    return InputCheck(stated=stated, count=len(labels), correct=correct, better=best if is_clear else None)


def doubt_input(check: InputCheck) -> str | None:
    """Return a sentence on a peer's figures that are most likely wrong, to follow its name; None without doubts."""
    share = check.correct[check.stated] / check.count
    read = f"reads {format_percent(share)} of {check.count} digits as stated ({describe(check.stated)})"
    if check.better:
        best = format_percent(check.correct[check.better] / check.count)
        return f"{read}, {best} with {describe(check.better)}: add --peer-input {check.better}."
    if share < NEAR_CHANCE:
        return (
            f"{read}, near chance, and no other of the {len(check.correct)} conventions tried is clearly better. Are "
            "its classes the ten digits in this order, and its images upright?"
        )
    return None


def describe(name: str) -> str:
    """Describe a convention for people: `-1 to 1`, `0 to 1 of inverted pixels`, `mean 0.5, deviation 0.5`."""
    base = name.removesuffix(INVERTED)
    scaling = CONVENTIONS.get(base)
    mean, _, deviation = (f"{scaling[0]}/{scaling[1]}" if scaling else base).partition("/")
    shown = SHOWN.get(base) or f"mean {mean}, deviation {deviation}"
    return f"{shown}, inverted" if base != name else shown
