"""Logistic regression: the log odds of an event as a weighted sum of a few numbers."""

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 50
# Keeps the weights finite if the two outcomes can be separated without error.
RIDGE = 1e-6
# Beyond, in nats, the probability is 0 or 1 in float64.
MOST_LOG_ODDS = 60


def fit_logistic(
    variables: NDArray[np.float64],
    truth: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    offset: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Fit by Newton's method on the weighted log likelihood, with a small ridge.

    Args:
        variables: Numbers of each case, [N, K]; a column of ones gives an intercept.
        truth: Outcomes, [N].
        weights: Weight of each case, [N]; None for equal weights.
        offset: Log odds in nats that are added as they are, [N].

    Returns:
        The weights of the K numbers, [K], in nats for each unit.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    chosen = np.zeros(variables.shape[1])
    for _ in range(ITERATIONS):
        expected = logistic(variables @ chosen + offset)
        gradient = variables.T @ (weights * (truth - expected)) - RIDGE * chosen
        curvature = (variables.T * (weights * expected * (1 - expected))) @ variables + RIDGE * np.eye(len(chosen))
        step = np.linalg.solve(curvature, gradient)
        chosen += step / max(1.0, float(np.abs(step).max()))
    return chosen


def logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert log odds in nats to probabilities."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)))
