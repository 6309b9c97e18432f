"""Quantiles of latencies with their uncertainty: of one process's calls, and of what a fresh process will do.

The two are not the same. Calls of a process share where its memory lies and what the machine does meanwhile, so a
million of them give the quantile of that process to a hair, and little of the next one.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.statistics import Z_95

# With two, the interval would be twelve times as wide as they are apart: no help to anybody.
FEWEST_PROCESSES = 3


class Typical(msgspec.Struct, frozen=True, kw_only=True):
    """A quantile of a typical process, and its 95 % interval, in the unit of the latencies."""

    value: float
    interval: tuple[float, float]


def quantile_interval(values: NDArray[np.floating], share: float) -> tuple[float, float] | None:
    """At least 95 % confidence interval of a quantile of independent values, from the values' order alone.

    Args:
        values: [N].
        share: Which quantile, in (0, 1): 0.99 for p99.

    Returns:
        None where there are too few values: p50 takes 6, p99 takes 368, p99.9 takes 3,688.

    Raises:
        ValueError: `share` is not within (0, 1).

    Source: H. A. David, H. N. Nagaraja, "Order statistics" (2003): how many values lie below is binomial.
    """
    if not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1, got {share}.")
    count = len(values)
    at_most = _binomial_at_most(count, share)
    below = int((at_most <= 0.025).sum())
    above = int((1 - at_most <= 0.025).argmax()) + 1
    if below == 0 or above > count:
        return None
    low, high = np.partition(values, (below - 1, above - 1))[[below - 1, above - 1]]
    return float(low), float(high)


def _binomial_at_most(count: int, share: float) -> NDArray[np.float64]:
    """The probability of at most k successes, [count + 1], k = 0 to count; in logarithms, as 0.5**2000 is no number."""
    k = np.arange(count, dtype=np.float64)
    steps = np.log((count - k) / (k + 1)) + math.log(share / (1 - share))
    logarithms = count * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])
    return np.cumsum(np.exp(logarithms)).clip(0, 1)


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
    """97.5 % quantile of Student's t, to 1 % from 2 degrees of freedom on and to 0.1 % from 4 on.

    Source: M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions" (1964), 26.7.5.
    """
    z = Z_95
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
