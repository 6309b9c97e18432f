"""Knowing what is not a digit, and how sure to be of what is: two numbers from ten logits.

A model of this project is trained with an eleventh class, "not a digit", whose logit is fixed at 0; see
`train/outliers.py`. The softmax over all eleven then says how likely there is any digit:

    p(digit) = sum(exp(z)) / (1 + sum(exp(z))),    log odds = logsumexp(z)

The log odds are the score. It needs no eleventh output, so files, runtimes and other people's models stay as they are:
for a model that was not trained so, it is the energy score, weaker but of use.

Source: W. Liu, X. Wang, J. Owens, Y. Li, "Energy-based out-of-distribution detection" (NeurIPS 2020).
"""

import numpy as np
from numpy.typing import NDArray

from .card import Abstention

Logits = NDArray[np.float32]


def score_digits(logits: Logits) -> NDArray[np.float32]:
    """The log odds that there is a digit, float32 [N], in nats, from logits [N, 10]."""
    top = logits.max(axis=1, initial=-np.inf)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def estimate_confidence(logits: Logits, temperature: float) -> NDArray[np.float32]:
    """The probability of the most likely digit, given that it is one: float32 [N], in (0.1, 1], from logits [N, 10].

    Args:
        logits: Of any number of images.
        temperature: > 0; what validation calibrated it to.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks" (ICML 2017).
    """
    scaled = logits / np.float32(temperature)
    return 1 / np.exp(scaled - scaled.max(axis=1, initial=-np.inf)[:, None]).sum(axis=1)


def accepted(logits: Logits, abstention: Abstention) -> NDArray[np.bool_]:
    """Which images the model takes for digits, bool [N], from logits [N, 10]."""
    return score_digits(logits) >= abstention.threshold
