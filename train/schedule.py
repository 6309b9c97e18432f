"""The learning rate of each step of a training run."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def make_schedule(
    peak: float, epochs: int, warmup_epochs: float, steps_per_epoch: int, last_share: float = 0.0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Make the learning-rate schedule, per step.

    Args:
        peak: Learning rate at the end of the warm-up.
        epochs: Number of epochs of the whole run.
        warmup_epochs: Length of the warm-up in epochs, not necessarily an integer.
        steps_per_epoch: Optimizer steps in an epoch.
        last_share: Final learning rate as a share of the peak.

    Source: I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (ICLR 2017).
    """
    steps, warmup_steps = epochs * steps_per_epoch, int(warmup_epochs * steps_per_epoch)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup_steps else peak,
        decay_steps=max(1, steps - warmup_steps),
        alpha=last_share,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def sample_schedule(schedule: Any, steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sample the learning rate at each of these steps, float32 [N]."""
    return np.array([keras.ops.convert_to_numpy(schedule(step)) for step in steps], np.float32)
