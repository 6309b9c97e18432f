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
