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
    from scipy import stats  # noqa: PLC0415 - of the extra `report`

    quantiles = np.array([np.quantile(one, share) for one in rounds])
    if len(quantiles) < FEWEST_PROCESSES or not (quantiles > 0).all():
        raise ValueError(f"expected latencies above 0 of at least {FEWEST_PROCESSES} processes, got {quantiles}.")
    logarithms = np.log(quantiles)
    centre = float(logarithms.mean())
    spread = float(stats.t.ppf(0.975, len(rounds) - 1) * stats.sem(logarithms))
    return Typical(value=math.exp(centre), interval=(math.exp(centre - spread), math.exp(centre + spread)))
