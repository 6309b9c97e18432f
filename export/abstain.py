"""Choose, on validation, below which score something is no digit, and how sure the model may say it is."""

import numpy as np
from numpy.typing import NDArray

from ..edge.abstention import score_digits
from ..edge.card import Abstention
from .verify import Reference

# Of validation's digits. Nothing that is no digit has a say: what people will hold before a camera nobody knows.
ACCEPTED_SHARE = 0.995
# Dividing the logits by less than 1 makes the model surer than the softmax says, by more than 1 less sure.
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 129))


def choose_abstention(validation: Reference, earlier: Abstention | None = None) -> Abstention:
    """Fix both numbers on the float model's logits for validation; int8 moves a score by hundredths.

    Args:
        validation: Images, and the Keras model's logits for them.
        earlier: What an earlier export of the same weights has. Its odds of a digit, which were fitted on scenes that
            an export does not have, are kept.
    """
    scores = score_digits(validation.logits)
    # Rounded down, so that the card's decimal number accepts what was counted.
    threshold = float(np.floor(1000 * np.quantile(scores, 1 - ACCEPTED_SHARE, method="lower")) / 1000)
    losses = [_negative_log_likelihood(validation.logits / t, validation.images.labels) for t in TEMPERATURES]
    return Abstention(
        threshold=threshold,
        temperature=round(float(TEMPERATURES[int(np.argmin(losses))]), 3),
        validation=validation.images.describe(),
        accepted=int((scores >= threshold).sum()),
        digit_odds=earlier and earlier.digit_odds,
    )


def _negative_log_likelihood(logits: NDArray[np.floating], labels: NDArray[np.uint8]) -> float:
    """Mean, in nats, of the right digit's softmax among the ten."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())
