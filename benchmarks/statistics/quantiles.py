"""Quantiles of latencies with their uncertainty: of the calls in one process, and as expected in a fresh process.

The two are not the same. The calls of a process share its memory layout and the machine's other work, so a million of
them give the quantile of that process very precisely, but hardly that of the next process.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

# With two processes, the interval would be twelve times as wide as their distance: of no use.
FEWEST_PROCESSES = 3


class Typical(msgspec.Struct, frozen=True, kw_only=True):
    """A quantile in a typical process, and its 95 % interval, in the unit of the latencies."""

    value: float
    interval: tuple[float, float]


def typical_quantile(rounds: Sequence[NDArray[np.floating]], share: float) -> Typical:
    """Estimate a quantile in a fresh process: the geometric mean over processes, with Student's t on logarithms.

    Args:
        rounds: Latencies of each process, [N] each, > 0; at least three processes.
        share: The quantile's probability, in (0, 1).

    Raises:
        ValueError: There are fewer than three processes, or a quantile is not above 0.

    Source: T. Kalibera, R. Jones, "Rigorous benchmarking in reasonable time" (ISMM 2013): repeat, and take the
    interval, at the level at which results vary.
    """
    quantiles = np.array([np.quantile(one, share) for one in rounds])
    if len(quantiles) < FEWEST_PROCESSES or not (quantiles > 0).all():
        raise ValueError(f"expected latencies above 0 of at least {FEWEST_PROCESSES} processes, got {quantiles}.")
    logarithms = np.log(quantiles)
    centre = float(logarithms.mean())
    spread = student_quantile(len(rounds) - 1) * float(logarithms.std(ddof=1)) / math.sqrt(len(rounds))
    return Typical(value=math.exp(centre), interval=(math.exp(centre - spread), math.exp(centre + spread)))


def student_quantile(freedom: int) -> float:
    """Compute the 97.5 % quantile of Student's t, from its distribution function by bisection.

    Source: M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions" (1964), 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_central(middle, freedom) < 0.95 else (low, middle)
    return low


def _student_central(t: float, freedom: int) -> float:
    """Compute the probability that Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    term = total = math.cos(angle) if freedom % 2 else 1.0
    for k in range(2 if freedom % 2 else 1, freedom - 1, 2):
        term *= k / (k + 1) * math.cos(angle) ** 2
        total += term
    if freedom % 2 == 0:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + math.sin(angle) * total * (freedom > 1))
