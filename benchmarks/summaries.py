"""Figures of raw latencies: quantiles of all calls, and the median with the uncertainty of fresh processes."""

from collections.abc import Sequence

import numpy as np

from .quantiles import typical_quantile
from .results import Latency

QUANTILES = (0.5, 0.9, 0.99, 0.999)


def summarize_rounds(rounds: Sequence[Sequence[float]], batch: int = 1, units_per_second: float = 1e6) -> Latency:
    """Put figures to the latencies of several processes.

    Args:
        rounds: Of each process, every call; at least three processes.
        batch: Images in each call.
        units_per_second: Of what latencies are in: microseconds, unless it is said otherwise.

    Raises:
        ValueError: There are fewer processes, or one without calls.
    """
    if not all(len(one) for one in rounds):
        raise ValueError("expected latencies of every process, got one without any.")
    arrays = [np.asarray(one, np.float64) for one in rounds]
    pooled = np.concatenate(arrays)
    typical = typical_quantile(arrays, QUANTILES[0])
    p90, p99, p999 = (float(one) for one in np.quantile(pooled, QUANTILES[1:]))
    return Latency(
        batch=batch,
        p50=typical.value,
        p50_interval=typical.interval,
        p90=p90,
        p99=p99,
        p999=p999,
        max=float(pooled.max()),
        images_per_second=units_per_second * batch / float(pooled.mean()),
        rounds=[list(one) for one in rounds],
    )
