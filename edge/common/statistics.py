"""Intervals and tests of proportions: by SciPy, but for Tango's interval, which SciPy lacks.

SciPy is imported when it is used. It comes with the extra `report`: a machine that only reads or measures does without.
"""

import math

# 97.5 % quantile of the standard normal distribution.
Z_95 = 1.959963984540054


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Compute the 95 % confidence interval of a proportion, in [0, 1].

    Args:
        correct: Successes, 0 to `count`.
        count: Trials, > 0.

    Raises:
        ValueError: `correct` is not within 0 to `count`, or there are no trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    from scipy import stats  # noqa: PLC0415 - of the extra `report`

    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"expected 0 <= correct <= count and count > 0, got {correct} and {count}.")
    interval = stats.binomtest(correct, count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Compute the exact two-sided p-value that two classifiers err equally often, from paired outcomes.

    Args:
        only_first: Images that only the first classifier reads correctly.
        only_second: Images that only the second classifier reads correctly.

    Returns:
        The p-value in (0, 1]; 1.0 if they never differ.

    Source: Q. McNemar, Psychometrika 12 (1947); the exact form is a binomial test with probability 1/2.
    """
    from scipy import stats  # noqa: PLC0415 - of the extra `report`

    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_interval(only_first: int, only_second: int, count: int) -> tuple[float, float]:
    """Compute the 95 % score interval of the difference of two paired proportions, in [-1, 1].

    It has a width even if no image differs: zero of 4,000 still allow a difference of a tenth of a point.

    Args:
        only_first: Images that only the first classifier reads correctly.
        only_second: Images that only the second classifier reads correctly.
        count: All images, > 0.

    Returns:
        The ends of the interval of (first's accuracy - second's accuracy).

    Raises:
        ValueError: A count is negative, or more images differ than there are.

    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998).
    """
    if min(only_first, only_second) < 0 or count < max(1, only_first + only_second):
        raise ValueError(f"expected {only_first} + {only_second} differing images among at least as many, got {count}.")
    estimate = (only_first - only_second) / count

    def find_end(outermost: float) -> float:
        inside, outside = estimate, outermost
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(_paired_score(only_first, only_second, count, middle)) <= Z_95:
                inside = middle
            else:
                outside = middle
        return inside

    return find_end(-1.0), find_end(1.0)


def _paired_score(only_first: int, only_second: int, count: int, difference: float) -> float:
    """Compute how many standard errors the observed difference is from a supposed one, in (-1, 1)."""
    # The probability of `only_second` that is most likely under the supposed difference solves a quadratic equation.
    b = (2 * count - only_first + only_second) * difference - only_first - only_second
    c = -only_second * difference * (1 - difference)
    likely = (math.sqrt(max(0.0, b * b - 8 * count * c)) - b) / (4 * count)
    variance = count * (2 * likely + difference * (1 - difference))
    observed = only_first - only_second - count * difference
    return observed / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, observed) if observed else 0.0
