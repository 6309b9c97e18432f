"""Timing of calls: in turns with the bare interpreter, with several images at once, and at a camera's rate.

Every latency is kept, in microseconds. Clock and sleep can be replaced, so that tests know the right result.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

Call = Callable[[NDArray[np.uint8]], object]

CAMERA_RATE_HZ = 30
# Calls with a new batch size before timing starts: runtimes plan their memory at the first.
BATCH_WARMUP_CALLS = 3
LEAST_CALLS = 10


@dataclass(frozen=True)
class Clock:
    """A monotonic clock in nanoseconds, and a way to wait, in seconds."""

    now_ns: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], object] = time.sleep


REAL = Clock()


def time_turns(
    first: Call, second: Call, images: Sequence[NDArray[np.uint8]], calls: int, seconds: float, clock: Clock = REAL
) -> tuple[list[float], list[float]]:
    """Time two ways of classifying in turns, on the same images; the order alternates.

    Args:
        first: A function of one image, uint8 [1, 28, 28, 1].
        second: Another function of one image.
        images: Images of shape [1, 28, 28, 1], used in turn.
        calls: Number of calls of each function, unless `seconds` end first; at least ten.
        seconds: Time limit for both together.
        clock: The clock to time with.

    Returns:
        Latencies of both functions in microseconds, equally many.
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
    """Time calls with `batch` images each, in microseconds per call, after a few untimed calls.

    Args:
        call: A function of images, uint8 [N, 28, 28, 1].
        images: Images to choose from, repeated if they are too few.
        batch: Number of images per call.
        calls: Number of calls, unless `seconds` end first; at least ten.
        seconds: Time limit for all calls.
        clock: The clock to time with.
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
    """Time calls that start a thirtieth of a second apart (later if one takes longer), in microseconds."""
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
    """Measure the median time between two readings of the clock, in microseconds, which every latency includes."""
    now = time.perf_counter_ns
    differences = np.empty(readings, np.int64)
    for i in range(readings):
        before = now()
        differences[i] = now() - before
    # If the clock's steps are coarser than a reading, most differences are 0, and only their mean is informative.
    return float(np.median(differences) or differences.mean()) / 1000


# Latencies are steady when the medians of this many consecutive windows lie within a share of each other.
WINDOWS = 3
WITHIN = 0.05
# The minimum of a window in seconds and in calls, whichever takes longer.
WINDOW_S = 0.1
WINDOW_CALLS = 5


@dataclass(frozen=True)
class Warmup:
    """The duration of a warmup, and whether latencies were steady at its end."""

    seconds: float
    steady: bool


def warm_up(call: Callable[[], object], limit_s: float, clock: Callable[[], float] = time.perf_counter) -> Warmup:
    """Call until the medians of three windows of a tenth of a second each lie within 5 % of each other.

    Args:
        call: The function that is timed later.
        limit_s: Time limit in seconds.
        clock: A clock in seconds.
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
