"""Timing calls: in turns with the bare interpreter, several images at once, and at a camera's rate.

Every latency is kept, in microseconds. Clock and sleep can be exchanged, so that tests know what is to be found.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

Call = Callable[[NDArray[np.uint8]], object]

CAMERA_RATE_HZ = 30
# Calls with a new number of images before they are timed: runtimes plan their memory at the first.
BATCH_WARMUP_CALLS = 3
LEAST_CALLS = 10


@dataclass(frozen=True)
class Clock:
    """Nanoseconds that only go forward, and a way to wait, in seconds."""

    now_ns: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], object] = time.sleep


REAL = Clock()


def time_turns(
    first: Call, second: Call, images: Sequence[NDArray[np.uint8]], calls: int, seconds: float, clock: Clock = REAL
) -> tuple[list[float], list[float]]:
    """Time two ways of classifying in turns, on the same images; who begins changes each time.

    Args:
        first: Takes one image, uint8 [1, 28, 28, 1].
        second: The same.
        images: Gone through in turn.
        calls: Of each, unless `seconds` are over first; at least ten.
        seconds: For both together.
        clock: To time with.

    Returns:
        Latencies of both, microseconds, as many of each.
    """
    latencies: tuple[list[float], list[float]] = ([], [])
    turns = ((0, first), (1, second)), ((1, second), (0, first))
    until = clock.now_ns() + seconds * 1e9
    for done, image in enumerate(cycle(images)):
        if done >= calls or (done >= LEAST_CALLS and clock.now_ns() > until):
            break
        for place, call in turns[done % 2]:
            before = clock.now_ns()
            call(image)
            latencies[place].append((clock.now_ns() - before) / 1000)
    return latencies


def time_batch(
    call: Call, images: NDArray[np.uint8], batch: int, calls: int, seconds: float, clock: Clock = REAL
) -> list[float]:
    """Latencies of calls with `batch` images each, microseconds a call, after a few that are not timed.

    Args:
        call: Takes images, uint8 [N, 28, 28, 1].
        images: To choose from, repeated where they are too few.
        batch: How many at once.
        calls: As many; fewer where `seconds` are over first, but at least ten.
        seconds: For all.
        clock: To time with.
    """
    block = np.ascontiguousarray(images[np.arange(batch) % len(images)])
    for _ in range(BATCH_WARMUP_CALLS):
        call(block)
    latencies: list[float] = []
    until = clock.now_ns() + seconds * 1e9
    while len(latencies) < calls and (len(latencies) < LEAST_CALLS or clock.now_ns() < until):
        before = clock.now_ns()
        call(block)
        latencies.append((clock.now_ns() - before) / 1000)
    return latencies


def time_paced(call: Call, images: Sequence[NDArray[np.uint8]], calls: int, clock: Clock = REAL) -> list[float]:
    """Latencies of calls that begin a thirtieth of a second apart (later where one takes longer), microseconds."""
    latencies: list[float] = []
    start = clock.now_ns()
    for number, image in zip(range(calls), cycle(images), strict=False):
        due = start + number * 1e9 / CAMERA_RATE_HZ
        clock.sleep(max(0.0, (due - clock.now_ns()) / 1e9))
        before = clock.now_ns()
        call(image)
        latencies.append((clock.now_ns() - before) / 1000)
    return latencies


def measure_timer_overhead_us(readings: int = 10_000) -> float:
    """The median time between two readings of the clock with nothing between, microseconds: all latencies have it."""
    now = time.perf_counter_ns
    differences = np.empty(readings, np.int64)
    for i in range(readings):
        before = now()
        differences[i] = now() - before
    # Where the clock's steps are coarser than its reading, most differences are 0, and their mean is what is left.
    return float(np.median(differences) or differences.mean()) / 1000


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
