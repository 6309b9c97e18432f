"""Two pipelines on one frame, taking turns in one process: how many times as long does the reader take?

Turns are in random order, so that neither always runs on caches left by the other, and a slow second of the machine
affects both.
"""

import time
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....edge.reading.reader import Reader
from ...photos.scores import score_image
from ...scenes.sized_pages import DrawnPage
from .otsu import OtsuReader

WARMUP_CALLS = 10
# Ratios of medians of as many samples of the rounds; the 95 % interval lies between two of them.
RESAMPLES = 2000


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline's results: digits reported, those that are right, and every call's ms by rounds."""

    found: int
    right: int
    p50_ms: float
    p90_ms: float
    rounds: list[list[float]]


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of both pipelines.

    Attributes:
        file: The file that the other pipeline classifies with.
        digits: Number of digits in the frame.
        ratio: The reader's median time divided by the other's.
        interval: 95 % interval of the ratio, from resampling whole rounds.
        round_ratios: The ratio in each single round.
    """

    file: str
    file_sha256: str
    width: int
    height: int
    digits: int
    reader: Side
    otsu: Side
    ratio: float
    interval: tuple[float, float]
    round_ratios: list[float]


def read_side_by_side(
    reader: Reader, other: OtsuReader, page: DrawnPage, amount: tuple[int, int], seed: int = 1
) -> SideBySide:
    """Time both on a page.

    Args:
        reader: Our reader.
        other: The other pipeline.
        page: The page that both read.
        amount: Number of rounds, and of calls of each pipeline in each.
        seed: Seed of the order and the resampling.
    """
    ways: tuple[Callable[[], object], ...] = (lambda: reader.read(page.frame), lambda: other.read(page.frame))
    for way in ways:
        for _ in range(WARMUP_CALLS):
            way()
    times_ms = take_turns(ways, amount, seed)
    ours, theirs = times_ms
    found = [digit.digit for digit in reader.read(page.frame).digits], [c.digit for c in other.read(page.frame)]
    height, width = page.frame.shape
    return SideBySide(
        file=other.name,
        file_sha256=other.sha256,
        width=width,
        height=height,
        digits=len("".join(page.rows)),
        reader=_describe(found[0], page, ours),
        otsu=_describe(found[1], page, theirs),
        ratio=float(np.median(ours) / np.median(theirs)),
        interval=ratio_interval(ours, theirs, seed),
        round_ratios=(np.median(ours, axis=1) / np.median(theirs, axis=1)).tolist(),
    )


def take_turns(ways: tuple[Callable[[], object], ...], amount: tuple[int, int], seed: int) -> NDArray[np.float64]:
    """Time each way equally often in each round, in random order: ms, [ways, rounds, calls]."""
    rounds, calls = amount
    random = np.random.default_rng(seed)
    times_ms = np.empty((len(ways), rounds, calls))
    for round_ in range(rounds):
        for call in range(calls):
            for i in random.permutation(len(ways)).tolist():
                started = time.perf_counter()
                ways[i]()
                times_ms[i, round_, call] = 1000 * (time.perf_counter() - started)
    return times_ms


def ratio_interval(first: NDArray[np.float64], second: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Compute the 95 % interval of the ratio of two medians, both of [rounds, calls] that were taken side by side.

    Whole rounds are resampled, since calls within one share the machine's state and are not independent.

    Source: B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993), percentile interval.
    """
    picks = np.random.default_rng(seed).integers(0, len(first), (RESAMPLES, len(first)))
    ratios = [np.median(first[pick]) / np.median(second[pick]) for pick in picks]
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(low), float(high)


def _describe(digits: list[int], page: DrawnPage, times_ms: NDArray[np.float64]) -> Side:
    right = score_image(page.rows, ["".join(map(str, digits))]).matched
    p50, p90 = np.percentile(times_ms, (50, 90))
    return Side(found=len(digits), right=right, p50_ms=float(p50), p90_ms=float(p90), rounds=times_ms.round(4).tolist())
