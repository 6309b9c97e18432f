"""Match the digits of two frames by place, after the page's own movement is removed.

The page or the camera is held in a hand: from one frame to the next all of it moves, perhaps by more than the distance
between digits. The shift under which most digits fall on the same digit of the frame before is the page's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Centres of the same digit in two frames lie less than this apart once the shift is removed, in heights.
REACH = 0.5
# Of the same digit in two frames, one is at most this many times as tall as the other.
GROWTH = 1.8
# Penalty for a different digit, in heights: between two at about the same distance, the same digit wins.
OTHER_DIGIT = 0.25
# A shift is accepted at once if this share of the digits fall on the same digit.
CLEAR = 0.6
# A shift larger than REACH needs this many digits, and this many times more than no shift has: digits that change in
# place, as a counter's do, look like a shift of a few.
LEAST_SUPPORT = 3
LEAST_GAIN = 1.5
# Limits on pairs used to find a shift, and on shifts that are tried: 200 digits have thousands.
MOST_PAIRS = 4000
MOST_SHIFTS = 3

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Positions of digits.

    Attributes:
        centres: Centres as x and y, float64 [N, 2], pixels.
        heights: Heights, float64 [N], pixels.
        digits: Digits, int64 [N], 0 to 9.
    """

    centres: Floats
    heights: Floats
    digits: Ints

    @classmethod
    def gather(cls, places: Iterable[tuple[float, float, float, int]]) -> "Places":
        """Gather places from x and y of the centre, height and digit of each."""
        table = np.array(list(places), np.float64).reshape(-1, 4)
        return cls(table[:, :2], table[:, 2], table[:, 3].astype(np.int64))


def match(before: Places, now: Places, last_shift: Floats) -> tuple[list[tuple[int, int]], Floats]:
    """Pair digits of two frames, the nearest first; none is in two pairs.

    Args:
        before: Digits of the frame before.
        now: Digits of this frame.
        last_shift: Shift returned for the frame before, float64 [2], pixels: movements tend to continue.

    Returns:
        Indices into both frames of each pair, and the shift of the page, float64 [2], pixels.
    """
    if not len(before.digits) or not len(now.digits):
        return [], np.zeros(2)
    matching = _Matching(before, now)
    shift = matching.find_shift(last_shift)
    return matching.pair_nearest(shift), shift


class _Matching:
    """Two frames to match. Pairs are found along x first: arrays of all pairs would take long to allocate."""

    def __init__(self, before: Places, now: Places) -> None:
        self._before, self._now = before, now
        self._by_x = np.argsort(now.centres[:, 0], kind="stable")
        self._sorted_x = now.centres[self._by_x, 0]
        self._reach_x = REACH * GROWTH * before.heights

    def find_shift(self, last_shift: Floats) -> Floats:
        """Find the page's shift, float64 [2]; zero without evidence of one."""
        none = np.zeros(2)
        most = min(len(self._before.digits), len(self._now.digits))
        still = _Near(self, none)
        if still.support >= CLEAR * most:
            return still.refine()
        if last_shift.any() and (moving := _Near(self, last_shift)).support >= CLEAR * most:
            return moving.refine()
        tried = [_Near(self, shift) for shift in self._suggest_shifts()]
        best = max(tried, key=lambda near: near.support, default=still)
        enough = best.support >= max(LEAST_SUPPORT, most / 2, LEAST_GAIN * still.support)
        return best.refine() if enough else still.refine()

    def _suggest_shifts(self) -> list[Floats]:
        """Suggest shifts that many pairs of the same digit roughly share: the fullest cells of a grid."""
        before, now = self._before, self._now
        shifts = np.concatenate([
            (now.centres[None, now.digits == digit] - before.centres[before.digits == digit, None]).reshape(-1, 2)
            for digit in range(10)
        ])  # fmt: skip
        if not len(shifts):
            return []
        shifts = shifts[:: -(-len(shifts) // MOST_PAIRS)]
        cells = np.floor(shifts / (REACH * np.median(now.heights))).astype(np.int64)
        # One number per cell: NumPy takes ten times as long to sort rows.
        _, members, counts = np.unique(cells @ (1_000_003, 1), return_inverse=True, return_counts=True)
        fullest = np.argsort(-counts, kind="stable")[:MOST_SHIFTS]
        return [np.median(shifts[members == cell], axis=0) for cell in fullest]

    def find_near(self, shift: Floats) -> tuple[Ints, Ints]:
        """Find all pairs that may be near under a shift, as indices into both frames."""
        x = self._before.centres[:, 0] + shift[0]
        first = np.searchsorted(self._sorted_x, x - self._reach_x)
        counts = np.searchsorted(self._sorted_x, x + self._reach_x) - first
        i = np.repeat(np.arange(len(x)), counts)
        # Number of each pair among those of the same i: 0, 1, 2, 0, 1, ...
        within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        return i, self._by_x[np.repeat(first, counts) + within]

    def measure(self, i: Ints, j: Ints) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        """Measure pairs: shift [M, 2], reach, whether of similar height, and whether of the same digit."""
        before, now = self._before, self._now
        one, other = before.heights[i], now.heights[j]
        taller = np.maximum(one, other)
        similar = taller <= GROWTH * np.minimum(one, other)
        return now.centres[j] - before.centres[i], REACH * taller, similar, before.digits[i] == now.digits[j]

    def pair_nearest(self, shift: Floats) -> list[tuple[int, int]]:
        """Pair the nearest digits first, then the nearest of the rest, and so on."""
        near = _Near(self, shift)
        order = np.argsort(near.distances + np.where(near.same, 0.0, OTHER_DIGIT / REACH), kind="stable")
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for i, j in zip(near.i[order].tolist(), near.j[order].tolist(), strict=True):
            if i not in pairs and j not in taken:
                pairs[i] = j
                taken.add(j)
        return list(pairs.items())


class _Near:
    """The pairs that are within reach under a shift; arrays [M], distances in reaches."""

    def __init__(self, matching: _Matching, shift: Floats) -> None:
        i, j = matching.find_near(shift)
        shifts, reach, similar, same = matching.measure(i, j)
        distances = np.hypot(*(shifts - shift).T) / reach
        kept = similar & (distances < 1)
        self._shift = shift
        self.i, self.j, self.same, self.distances = i[kept], j[kept], same[kept], distances[kept]
        self._shifts = shifts[kept]

    @property
    def support(self) -> int:
        """Number of digits that fall on the same digit."""
        return len(set(self.i[self.same].tolist()))

    def refine(self) -> Floats:
        """Return the median shift of the pairs of the same digit."""
        return np.median(self._shifts[self.same], axis=0) if self.same.any() else self._shift
