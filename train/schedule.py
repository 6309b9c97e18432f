"""The learning rate over a run: a linear warm-up to the peak, then half a cosine down."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def make_schedule(
    peak: float, epochs: int, warmup_epochs: float, steps_per_epoch: int, last_share: float = 0.0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """What the optimizer follows, step by step.

    Args:
        peak: Reached when the warm-up ends.
        epochs: Of the whole run.
        warmup_epochs: May be a fraction.
        steps_per_epoch: Optimizer steps.
        last_share: Of the peak, where the cosine ends.

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
    """The learning rate at each of these steps, float32 [N]."""
    return np.array([keras.ops.convert_to_numpy(schedule(step)) for step in steps], np.float32)
