"""Comparison of two samples by ranks: is one larger, how often, and by how much? No distribution is assumed.

The test is SciPy's. Hodges and Lehmann's shift with its interval is not in SciPy.
"""

import functools
import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.common.statistics import Z_95
from .selective import measure_auroc

# Up to this many values per sample, probabilities are counted; beyond, the normal distribution is close enough.
MOST_COUNTED = 30
# Most pairs of values in memory at once: 80 MB.
MOST_PAIRS = 10_000_000


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of a second sample above a first one, in their unit.

    Attributes:
        shift: Hodges and Lehmann's estimate: the median of all differences, a second value minus a first one.
        interval: Interval of at least 95 % confidence; None if there are too few values for one.
    """

    shift: float
    interval: tuple[float, float] | None


def exceedance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Compute the probability that a value of the second sample exceeds one of the first, ties counted half.

    This is Vargha and Delaney's A12, and 2 * A12 - 1 is Cliff's delta.

    Args:
        first: Values of the first sample, [N].
        second: Values of the second sample, [M].

    Raises:
        ValueError: A sample is empty.

    Source: A. Vargha, H. D. Delaney, "A critique and improvement of the CL common language effect size statistics",
    Journal of Educational and Behavioral Statistics 25 (2000).
    """
    return measure_auroc(second, first)


def mann_whitney_p(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Compute the two-sided p-value of the hypothesis that neither of two samples, [N] and [M], tends to larger values.

    Exact for up to 30 values of each without ties, else from the normal distribution, with corrections for ties and
    continuity.

    Raises:
        ValueError: A sample is empty.

    Source: H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18 (1947).
    """
    from scipy import stats  # noqa: PLC0415 - of the extra `report`

    if not len(first) or not len(second):
        raise ValueError(f"expected values of both samples, got {len(first)} and {len(second)}.")
    together = np.concatenate([first, second])
    is_exact = max(len(first), len(second)) <= MOST_COUNTED and len(np.unique(together)) == len(together)
    return float(stats.mannwhitneyu(first, second, method="exact" if is_exact else "asymptotic").pvalue)


@functools.cache
def u_probabilities(n: int, m: int) -> tuple[float, ...]:
    """Compute the probability of each value of Mann and Whitney's U, 0 to n * m, if the samples do not differ.

    Counted as coefficients of the Gaussian binomial, integers until the last step.
    """
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):
            counts[u] += counts[u - i]
    return tuple(count / math.comb(n + m, n) for count in counts)


def measure_shift(first: NDArray[np.floating], second: NDArray[np.floating]) -> Shift:
    """Compute Hodges and Lehmann's shift between two samples, [N] and [M], with the interval of the Mann-Whitney test.

    For up to 30 values each without ties, the interval excludes 0 exactly if `mann_whitney_p` is at most 0.05.

    Raises:
        ValueError: A sample is empty, or there are more than ten million pairs.

    Source: J. L. Hodges, E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics
    34 (1963).
    """
    pairs = len(first) * len(second)
    if not 0 < pairs <= MOST_PAIRS:
        raise ValueError(f"expected 1 to {MOST_PAIRS:,} pairs of values, got {len(first):,} times {len(second):,}.")
    differences = np.sort(np.subtract.outer(second, first), axis=None)
    outside = _count_outside(len(first), len(second))
    interval = (float(differences[outside - 1]), float(differences[pairs - outside])) if outside else None
    return Shift(shift=float(np.median(differences)), interval=interval)


def _count_outside(n: int, m: int) -> int:
    """Return which of the sorted differences, counted from either end, bounds the interval; 0 if none does."""
    if max(n, m) <= MOST_COUNTED:
        return int((np.cumsum(u_probabilities(n, m)) <= 0.025).sum())
    return max(0, math.floor(n * m / 2 - Z_95 * math.sqrt(n * m * (n + m + 1) / 12)))
