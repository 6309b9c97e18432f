"""Reject non-digits and state how certain a digit is: two probabilities from ten logits.

A model of this project is trained with an eleventh class, "not a digit", whose logit is fixed at 0; see
`train/augmentation/outliers.py`. The softmax over all eleven then gives the probability of any digit:

    p(digit) = sum(exp(z)) / (1 + sum(exp(z))),    log odds = logsumexp(z)

The log odds are the score. It needs no eleventh output, so files, runtimes and foreign models stay as they are:
for a model that was not trained in this way, it is the energy score, weaker but useful.

The score's odds are those of training. How often a shape that was read is a digit, on paper and in scenes without
digits, is measured afterwards (`edge-mnist measure confidence`) and kept in the card. Users see the product

    confidence = p(it is a digit) * p(this digit, given that it is one).

Source: W. Liu, X. Wang, J. Owens, Y. Li, "Energy-based out-of-distribution detection" (NeurIPS 2020).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..bundle.export_record import Abstention, DigitOdds

Logits = NDArray[np.float32]


def score_digits(logits: Logits) -> NDArray[np.float32]:
    """Return the log odds that there is a digit, float32 [N], in nats, from logits [N, 10]."""
    top = logits.max(axis=1, initial=-np.inf)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def estimate_class_probability(logits: Logits, temperature: float) -> NDArray[np.float32]:
    """Return the probability of the most likely digit, given that there is one: float32 [N], in (0.1, 1].

    Args:
        logits: Logits of any number of images, float32 [N, 10].
        temperature: Temperature chosen on validation images, > 0.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks" (ICML 2017).
    """
    scaled = logits / np.float32(temperature)
    return 1 / np.exp(scaled - scaled.max(axis=1, initial=-np.inf)[:, None]).sum(axis=1)


def estimate_probabilities(logits: Logits, temperature: float) -> NDArray[np.float32]:
    """Return the probability of each digit, given that there is one: float32 [N, 10], each row sums to 1.

    Args:
        logits: Logits of any number of images, float32 [N, 10].
        temperature: Temperature chosen on validation images, > 0.
    """
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, initial=-np.inf)[:, None])
    return powers / powers.sum(axis=1, keepdims=True)


def estimate_digit_probability(score: float, company: float, odds: DigitOdds | None) -> float | None:
    """Estimate how likely a shape is a digit, in (0, 1), if digits and non-digits are equally common.

    Args:
        score: Score of the shape in nats, see `score_digits`.
        company: Evidence from the other shapes of the frame, see `weigh_company`.
        odds: The card's odds; None if they were not measured.

    Returns:
        The probability; None without odds.

    Source: J. Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood
    methods" (1999), with one more variable.
    """
    if odds is None:
        return None
    log_odds = odds.intercept + odds.score * score + odds.company * company
    return min(odds.highest, 1 / (1 + math.exp(-max(-60.0, log_odds))))


def weigh_company(digits: Sequence[int], shapes: int) -> float:
    """Weigh how much the shapes of a frame look like digits: log((telling digits + 1) / (other shapes + 1)).

    A telling digit is any but a 1: seven tenths of all false digits are straight strokes read as a 1. So a lone 1 is
    only as likely as its score alone makes it.

    Args:
        digits: All digits that were read in the frame.
        shapes: Number of shapes that might have been digits.
    """
    telling = sum(digit != 1 for digit in digits)
    return math.log((telling + 1) / (max(0, shapes - telling) + 1))


def accepted(logits: Logits, abstention: Abstention) -> NDArray[np.bool_]:
    """Whether the model takes each image for a digit, bool [N], from logits [N, 10]."""
    return score_digits(logits) >= abstention.threshold
