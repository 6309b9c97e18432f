"""Is one target slower than another, and by how much? Compared by processes, not by calls.

Calls of one process resemble each other for reasons unrelated to the target. Treated as independent, thousands of them
find a difference between a target and itself almost every time; medians of processes do not.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from .paired import SIGNIFICANCE
from .ranks import exceedance, mann_whitney_p, measure_shift


class Slowdown(msgspec.Struct, frozen=True, kw_only=True):
    """The extra time of a second target against a first one.

    Attributes:
        percent: Hodges and Lehmann's shift between logarithms of the processes' medians, as a percentage; negative
            where the second is faster.
        interval_percent: Interval of at least 95 % confidence; None if there are too few processes for one.
        p: Mann-Whitney p-value on the medians of the processes.
        slower_share: The probability that a call of the second takes longer than one of the first, ties counted half
            (Vargha and Delaney's A12): how visible the difference is in a single call.
        processes: Number of processes of the first and of the second target.
    """

    percent: float
    interval_percent: tuple[float, float] | None
    p: float
    slower_share: float
    processes: tuple[int, int]

    @property
    def measurable(self) -> bool:
        """Whether the difference is more than chance explains; never with fewer than four processes each."""
        return self.p <= SIGNIFICANCE


def compare_rounds(first: Sequence[NDArray[np.floating]], second: Sequence[NDArray[np.floating]]) -> Slowdown:
    """Compare the latencies of two targets, measured in alternating fresh processes.

    Args:
        first: Latencies of each process of the reference, [N] each, > 0.
        second: Latencies of each process of the other target, in the same unit.

    Raises:
        ValueError: A target has no processes, or a latency is not above 0.
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
