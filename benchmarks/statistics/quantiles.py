"""Quantiles of latencies with their uncertainty: of one process's calls, and of what a fresh process will do.

The two are not the same. Calls of a process share where its memory lies and what the machine does meanwhile, so a
million of them give the quantile of that process to a hair, and little of the next one.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

# With two, the interval would be twelve times as wide as they are apart: no help to anybody.
FEWEST_PROCESSES = 3


class Typical(msgspec.Struct, frozen=True, kw_only=True):
    """A quantile of a typical process, and its 95 % interval, in the unit of the latencies."""

    value: float
    interval: tuple[float, float]


def typical_quantile(rounds: Sequence[NDArray[np.floating]], share: float) -> Typical:
    """A quantile as a fresh process will have it: the geometric mean over processes, with Student's t on logarithms.

    Args:
        rounds: Latencies of each process, [N] each, > 0; at least three processes.
        share: Which quantile, in (0, 1).

    Raises:
        ValueError: There are fewer processes, or a quantile is not above 0.

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
    """97.5 % quantile of Student's t, from its distribution function by bisection.

    Source: M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions" (1964), 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_central(middle, freedom) < 0.95 else (low, middle)
    return low


def _student_central(t: float, freedom: int) -> float:
    """Probability that Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    term = total = math.cos(angle) if freedom % 2 else 1.0
    for k in range(2 if freedom % 2 else 1, freedom - 1, 2):
        term *= k / (k + 1) * math.cos(angle) ** 2
        total += term
    if freedom % 2 == 0:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + math.sin(angle) * total * (freedom > 1))
