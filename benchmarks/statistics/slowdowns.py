"""Is one target slower than another, and by how much? Asked of processes, not of calls.

Calls of one process are alike for reasons that have nothing to do with the target. Taken as independent, thousands of
them find a difference between a target and itself almost every time; medians of processes do not.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from .paired import SIGNIFICANCE
from .ranks import exceedance, mann_whitney_p, measure_shift


class Slowdown(msgspec.Struct, frozen=True, kw_only=True):
    """What a second target takes longer than a first one.

    Attributes:
        percent: Hodges and Lehmann's shift between logarithms of the processes' medians, as a percentage; negative
            where the second is faster.
        interval_percent: Of at least 95 % confidence; None where there are too few processes for any.
        p: Mann and Whitney's, of the processes' medians.
        slower_share: The probability that a call of the second takes longer than one of the first, ties counted half
            (Vargha and Delaney's A12): how much of it a single call shows.
        processes: Of the first and of the second.
    """

    percent: float
    interval_percent: tuple[float, float] | None
    p: float
    slower_share: float
    processes: tuple[int, int]

    @property
    def measurable(self) -> bool:
        """Whether there is more to it than chance explains; never with fewer than four processes of each."""
        return self.p <= SIGNIFICANCE


def compare_rounds(first: Sequence[NDArray[np.floating]], second: Sequence[NDArray[np.floating]]) -> Slowdown:
    """Compare latencies of two targets, measured in fresh processes that took turns.

    Args:
        first: Latencies of each process of the reference, [N] each, > 0.
        second: The same of the other target, in the same unit.

    Raises:
        ValueError: There are no processes of either, or latencies that are not above 0.
    """
    medians = [np.array([np.median(one) for one in rounds]) for rounds in (first, second)]
    if not all(len(one) and (one > 0).all() for one in medians):
        raise ValueError(f"expected latencies above 0 of both targets, got medians {medians[0]} and {medians[1]}.")
    shift = measure_shift(*map(np.log, medians))
    low_high = shift.interval and (_as_percent(shift.interval[0]), _as_percent(shift.interval[1]))
    return Slowdown(
        percent=_as_percent(shift.shift),
        interval_percent=low_high,
        p=mann_whitney_p(*medians),
        slower_share=exceedance(np.concatenate(first), np.concatenate(second)),
        processes=(len(first), len(second)),
    )


def _as_percent(logarithm: float) -> float:
    return 100 * math.expm1(logarithm)
