"""The statistics of a report: what a difference in accuracy means.

Written out here because they are two short formulas, and the packages that have them are larger than a Raspberry Pi's
whole environment.
"""

import math

# 97.5 % quantile of the standard normal distribution.
Z_95 = 1.959963984540054


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion, in [0, 1].

    Args:
        correct: Successes, 0 to `count`.
        count: Trials, > 0.

    Raises:
        ValueError: `correct` is not within 0 to `count`, or there are no trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"expected 0 <= correct <= count and count > 0, got {correct} and {count}.")
    share = correct / count
    centre = share + Z_95**2 / (2 * count)
    spread = Z_95 * math.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    scale = 1 + Z_95**2 / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that two classifiers err equally often, from paired outcomes.

    Args:
        only_first: Images that only the first classifier reads correctly.
        only_second: Images that only the second one does.

    Returns:
        1.0 where they never differ.

    Source: Q. McNemar, Psychometrika 12 (1947); the exact form is a binomial test with probability 1/2.
    """
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**discordant)
