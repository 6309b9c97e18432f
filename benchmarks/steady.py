"""Warming up: how long until latencies no longer change?

Caches and branch predictors settle within a few calls, the processor's clock within tenths of a second, a just-in-time
compiler when it has seen enough. So no fixed number of calls is right.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Latencies are steady when the medians of so many windows in a row lie within this share of each other.
WINDOWS = 3
WITHIN = 0.05
# Of a window, whichever is longer.
WINDOW_S = 0.1
WINDOW_CALLS = 5


@dataclass(frozen=True)
class Warmup:
    """How long it took, and whether latencies were steady by then."""

    seconds: float
    steady: bool


def warm_up(call: Callable[[], object], limit_s: float, clock: Callable[[], float] = time.perf_counter) -> Warmup:
    """Call until the medians of three windows of a tenth of a second each lie within 5 % of each other.

    Args:
        call: What is to be timed later.
        limit_s: When to give up.
        clock: Seconds.
    """
    started = clock()
    medians: list[float] = []
    while clock() - started < limit_s:
        medians.append(_time_window(call, clock))
        latest = medians[-WINDOWS:]
        if len(latest) == WINDOWS and max(latest) <= (1 + WITHIN) * min(latest):
            return Warmup(clock() - started, steady=True)
    return Warmup(clock() - started, steady=False)


def _time_window(call: Callable[[], object], clock: Callable[[], float]) -> float:
    began, latencies = clock(), list[float]()
    while len(latencies) < WINDOW_CALLS or clock() - began < WINDOW_S:
        before = clock()
        call()
        latencies.append(clock() - before)
    return float(np.median(latencies))
