"""The growth of a time with pixels and with digits: does twice the amount take at most twice as long?"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np

Case = tuple[float, int, float]


class GrowthStep(msgspec.Struct, frozen=True, kw_only=True):
    """The step from one frame to the next larger one, or to the next one with more digits, with the other unchanged.

    Attributes:
        grows: The quantity that grows: `digits` or `megapixels`.
        before: Megapixels and digits of the smaller frame.
        after: Megapixels and digits of the larger frame.
        ms_each: Milliseconds per added digit or megapixel.
        time_factor: The larger frame's time divided by the smaller one's.
        amount_factor: Factor of the digits or pixels. A larger time factor is worse than linear growth.
    """

    grows: Literal["digits", "megapixels"]
    before: tuple[float, int]
    after: tuple[float, int]
    ms_each: float
    time_factor: float
    amount_factor: float


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """The growth over all frames.

    Attributes:
        fixed_ms: The value of the plane through all times at no pixels and no digits.
        megapixel_ms: Its slope for each megapixel.
        digit_ms: Its slope for each digit.
        largest_miss_ms: Largest distance of a time from the plane.
        steps: All steps between neighbours.
    """

    fixed_ms: float
    megapixel_ms: float
    digit_ms: float
    largest_miss_ms: float
    steps: tuple[GrowthStep, ...]

    @property
    def worst(self) -> GrowthStep | None:
        """The step that is nearest to linear growth, or beyond it; None if there is only one frame."""
        return max(self.steps, key=lambda step: step.time_factor / step.amount_factor, default=None)

    @property
    def at_most_linear(self) -> bool:
        """Whether in no step the time grew by a larger factor than the digits or pixels."""
        return all(step.time_factor <= step.amount_factor for step in self.steps)


def measure_growth(cases: Sequence[Case]) -> Growth:
    """Fit a plane and compare neighbours.

    Args:
        cases: Megapixels, digits and ms of each frame, every number of digits at every size. If there are too few for
            a unique plane, the flattest one is taken.
    """
    known = np.array(cases, np.float64).reshape(-1, 3)
    inputs = np.column_stack([np.ones(len(known)), known[:, :2]])
    plane = np.linalg.lstsq(inputs, known[:, 2], rcond=None)[0]
    missed = np.abs(inputs @ plane - known[:, 2])
    return Growth(
        fixed_ms=float(plane[0]),
        megapixel_ms=float(plane[1]),
        digit_ms=float(plane[2]),
        largest_miss_ms=float(missed.max(initial=0)),
        steps=(*_steps(cases, "digits"), *_steps(cases, "megapixels")),
    )


def _steps(cases: Sequence[Case], grows: Literal["digits", "megapixels"]) -> list[GrowthStep]:
    """List the steps between neighbouring cases that agree in the other quantity."""
    axis = {"megapixels": 0, "digits": 1}[grows]
    ordered = sorted(cases, key=lambda case: (case[1 - axis], case[axis]))
    return [
        GrowthStep(
            grows=grows,
            before=before[:2],
            after=after[:2],
            ms_each=(after[2] - before[2]) / (after[axis] - before[axis]),
            time_factor=after[2] / before[2],
            amount_factor=after[axis] / before[axis],
        )
        for before, after in pairwise(ordered)
        if before[1 - axis] == after[1 - axis]
    ]
