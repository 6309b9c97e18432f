"""How well a score separates digits from non-digits, and a confidence right from wrong: three measures.

- **AUROC** is the probability that a randomly chosen digit scores higher than a randomly chosen non-digit. Equal
  scores count half. 1 is perfect, 0.5 is guessing.
- **Expected calibration error** sorts digits into bins by confidence. In each, the mean confidence should be the share
  that is right; the error is the mean distance between the two, weighted by how many digits a bin holds.
- **Risk and coverage**: drop the digits of which the model is least certain. Coverage is the share that is kept, risk
the share of wrong ones among them.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the risk-coverage curve: the effect of keeping all digits of at least this confidence.

    Attributes:
        confidence: Lowest confidence that is kept.
        coverage: Share of all digits, (0, 1].
        risk: Share of wrong digits among the kept ones, [0, 1].
    """

    confidence: float
    coverage: float
    risk: float


def measure_auroc(digits: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """Compute the area under the ROC curve, exactly, in [0, 1].

    Args:
        digits: Scores of digits, [N].
        others: Scores of non-digits, [M].

    Raises:
        ValueError: `digits` or `others` is empty.

    Source: H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than
    the other", Annals of Mathematical Statistics 18 (1947): the area is their U divided by N M.
    """
    from scipy import stats  # noqa: PLC0415 - of the extra `report`

    if not len(digits) or not len(others):
        raise ValueError(f"expected scores of both, got {len(digits)} of digits and {len(others)} of others.")
    # SciPy ranks in the type of the scores, and float32 cannot hold the sums of ranks.
    u = stats.mannwhitneyu(digits.astype(np.float64), others.astype(np.float64), method="asymptotic").statistic
    return float(u / (len(digits) * len(others)))


def measure_calibration_error(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> float:
    """Compute the expected calibration error, in [0, 1], with equally wide bins: (0, 1/bins], ..., (1 - 1/bins, 1].

    Args:
        confidence: Confidence of each digit, in (0, 1], [N].
        right: Whether each digit was read correctly, bool [N].
        bins: Number of bins.

    Raises:
        ValueError: There are no digits, or a confidence is not a probability.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks" (ICML 2017).
    """
    if not len(confidence) or not 0 < confidence.min() <= confidence.max() <= 1:
        raise ValueError(f"expected confidences in (0, 1], got {len(confidence)}, not all of them such or none.")
    exact = confidence.astype(np.float64)
    place = np.ceil(exact * bins).astype(np.int64) - 1
    surplus = np.bincount(place, exact - right, minlength=bins)
    return float(np.abs(surplus).sum() / len(exact))


def trace_risk(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> tuple[Kept, ...]:
    """Trace the risk-coverage curve, from keeping all digits to keeping those of the highest confidence.

    Digits of equal confidence are kept or dropped together, so each point can be reached by a threshold.

    Args:
        confidence: Confidence of each digit, [N].
        right: Whether each digit was read correctly, bool [N].

    Raises:
        ValueError: There are no digits.

    Source: R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010);
    Y. Geifman, R. El-Yaniv, "Selective classification for deep neural networks" (NIPS 2017).
    """
    if not len(confidence):
        raise ValueError("expected digits, got none.")
    order = np.argsort(-confidence, kind="stable")
    ordered, wrong = confidence[order], np.cumsum(~right[order])
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)[::-1]
    return tuple(
        Kept(confidence=float(ordered[i]), coverage=float((i + 1) / len(ordered)), risk=float(wrong[i] / (i + 1)))
        for i in last
    )


def thin_out(curve: tuple[Kept, ...], apart: float) -> tuple[Kept, ...]:
    """Thin out a curve: keep its ends, and points that are at least `apart` of coverage below the one before."""
    kept = [curve[0]]
    for point in curve[1:-1]:
        if kept[-1].coverage - point.coverage >= apart:
            kept.append(point)
    return (*kept, curve[-1]) if len(curve) > 1 else tuple(kept)


def risk_at(curve: tuple[Kept, ...], coverage: float) -> Kept:
    """Return the point that keeps the fewest digits among those with at least this coverage."""
    return min((point for point in curve if point.coverage >= coverage), key=lambda point: point.coverage)
