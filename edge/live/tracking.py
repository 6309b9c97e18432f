"""Follow digits over frames, so that the announcement neither flickers nor lags.

A digit is announced when two sightings in a row agree on it, one frame after its first. The announcement then stands
until other sightings outweigh it: a single misread frame changes nothing, three that agree always do. A digit that is
not seen is assumed to be there for two more frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress

import numpy as np

from ..reading.ink.shapes import Box
from ..reading.reader import Digit, Reading, is_likely
from ..reading.rows import group_into_rows
from .events import Track
from .matching import REACH, Places, match

# Sightings in a row that agree before a digit is announced, and before it replaces another one in any case.
AGREE = 2
AGREE_TO_REPLACE = 3
# Weight of a sighting relative to the one after it.
DECAY = 0.7
# This many times the evidence replaces an announced digit after two sightings. Two digits seen in turns have 1 / DECAY
# times each other's: less, so that they do not take turns being announced.
OUTWEIGHS = 1.5
# Frames in which a digit may be missing before it is dropped.
PATIENCE = 2
# A digit that moved by less than this, in reaches, is not searched elsewhere.
NEARER = 0.5


# A row is followed if one of its digits is at least this likely to be a digit.
LIKELY = 0.5


@dataclass(frozen=True)
class TrackedFrame:
    """The state after a frame; see the attributes of the same names in `Sighting`."""

    tracks: tuple[Track, ...]
    rows: tuple[str, ...]
    is_new: bool


class Tracker:
    """A tracker of digits from reading to reading."""

    def __init__(self) -> None:
        self._trails: list[_Trail] = []
        self._count = 0
        self._shift = np.zeros(2)
        self._layout = _Layout()
        self._rows: tuple[str, ...] = ()

    def update(self, reading: Reading) -> TrackedFrame:
        """Add a frame's reading; frames come in order."""
        reading = _keep_likely(reading)
        seen = self._follow(reading.digits)
        self._drop_lost()
        rows = self._read_rows(reading, seen)
        before, self._rows = self._rows, self._layout.arrange(rows)
        tracks = tuple(trail.describe() for row in rows for trail in row)
        return TrackedFrame(tracks, self._rows, self._rows != before)

    def forget(self) -> None:
        """Start over, for example when the frame size changes; track numbers continue."""
        self._trails.clear()

    def _follow(self, digits: Sequence[Digit]) -> list["_Trail"]:
        """Find or start the trail of each digit, and return them in the digits' order."""
        trails = self._trails
        if len(digits) == len(trails) and all(map(_Trail.is_near, trails, digits)):
            # The same digits in the same order, as in most frames: no matching is needed.
            known = dict(enumerate(trails))
            self._shift[:] = 0
        else:
            before = Places.gather((trail.x, trail.y, trail.box.height, trail.digit) for trail in trails)
            now = Places.gather((*_centre(digit.box), digit.box.height, digit.digit) for digit in digits)
            pairs, self._shift = match(before, now, self._shift)
            known = {j: trails[i] for i, j in pairs}
        dx, dy = self._shift.tolist()
        for trail in trails:
            trail.miss(dx, dy)
        seen = [known.get(i) or _Trail(self._take_number(), digit.box) for i, digit in enumerate(digits)]
        for trail, digit in zip(seen, digits, strict=True):
            trail.see(digit)
        # In reading order, so that the next frame's are found at once.
        self._trails = seen + [trail for trail in trails if trail.misses]
        return seen

    def _take_number(self) -> int:
        self._count += 1
        return self._count - 1

    def _drop_lost(self) -> None:
        """Drop trails that were missing too long; at once if others became stable, so that two pages are not mixed."""
        patience = PATIENCE - any(trail.just_stable for trail in self._trails)
        self._trails = [trail for trail in self._trails if trail.misses <= patience]

    def _read_rows(self, reading: Reading, seen: Sequence["_Trail"]) -> list[list["_Trail"]]:
        """Return all trails in reading order: as the reader has them, or, if some are missing, grouped again."""
        if len(seen) < len(self._trails):
            return group_into_rows(self._trails, lambda trail: trail.place)
        order = iter(seen)
        return [[next(order) for _ in row] for row in reading.rows]


class _Layout:
    """The announced trails and their order.

    The same trails are only rearranged when two frames in a row agree, because a row may be split in a single
    frame.
    """

    def __init__(self) -> None:
        self._rows: list[list[_Trail]] = []
        self._proposed: list[list[int]] = []

    def arrange(self, rows: list[list["_Trail"]]) -> tuple[str, ...]:
        """Take over the stable trails of a frame's rows if it is time, and return their text."""
        stable = [[trail for trail in row if trail.shown is not None] for row in rows]
        stable = [row for row in stable if row]
        numbers = [[trail.number for trail in row] for row in stable]
        if numbers == self._proposed or set(chain.from_iterable(numbers)) != {
            trail.number for trail in chain.from_iterable(self._rows)
        }:
            self._rows = stable
        # A frame in which some are missing proposes nothing.
        self._proposed = numbers if not any(trail.misses for trail in chain.from_iterable(rows)) else []
        return tuple("".join(str(trail.shown) for trail in row) for row in self._rows)


@dataclass(eq=False)
class _Trail:
    """One followed digit.

    Attributes:
        number: Number of the track, see `Track`.
        box: Rectangle in which it was last seen.
        score: Score of the reader at that time.
        x: Horizontal centre, moved along with the page while it is missing.
        y: Vertical centre, moved along with the page while it is missing.
        shown: The digit that is announced; None before the first announcement.
        just_stable: Whether the last sighting made it stable.
        misses: Frames since it was last seen.
    """

    number: int
    box: Box
    score: float = 0.0
    x: float = 0.0
    y: float = 0.0
    shown: int | None = None
    just_stable: bool = False
    misses: int = 0
    # Sightings so far, each weighted DECAY times the next: confidence by digit, and number.
    _evidence: dict[int, float] = field(default_factory=dict)
    _weight: float = 0.0
    _last: int | None = None
    _run: int = 0

    @property
    def digit(self) -> int:
        """The announced digit, else the likeliest."""
        return max(self._evidence, key=self._evidence.__getitem__) if self.shown is None else self.shown

    @property
    def place(self) -> Box:
        """The rectangle in which it is assumed to be now."""
        width, height = self.box.width, self.box.height
        return Box(round(self.x - width / 2), round(self.y - height / 2), width, height)

    def is_near(self, digit: Digit) -> bool:
        """Whether this is surely the same digit: close to its last place, and as tall."""
        x, y = _centre(digit.box)
        reach = REACH * self.box.height
        return (
            digit.digit == self.digit
            and abs(x - self.x) < NEARER * reach
            and abs(y - self.y) < NEARER * reach
            and abs(digit.box.height - self.box.height) < reach
        )

    def miss(self, dx: float, dy: float) -> None:
        """Record a frame without it, in which the page moved by (dx, dy)."""
        self.misses += 1
        self.just_stable = False
        self.x += dx
        self.y += dy

    def see(self, digit: Digit) -> None:
        """Record that it was seen in this frame."""
        self.misses = 0
        self.box, self.score = digit.box, digit.score
        self.x, self.y = _centre(digit.box)
        self._run = self._run + 1 if digit.digit == self._last else 1
        self._last = digit.digit
        for other in self._evidence:
            self._evidence[other] *= DECAY
        self._evidence[digit.digit] = self._evidence.get(digit.digit, 0.0) + digit.confidence
        self._weight = DECAY * self._weight + 1
        self._decide(digit.digit)

    def _decide(self, seen: int) -> None:
        """Announce the digit that was just seen, if it is time."""
        if self._run < AGREE or seen == self.shown:
            return
        if self.shown is None:
            self.just_stable = True
        elif self._run < AGREE_TO_REPLACE and self._evidence[seen] < OUTWEIGHS * self._evidence[self.shown]:
            return
        self.shown = seen

    def describe(self) -> Track:
        """Describe it as a `Track`."""
        digit = self.digit
        confidence = self._evidence[digit] / self._weight
        return Track(self.number, Digit(digit, round(confidence, 4), self.score, self.box), self.shown is not None)


def _keep_likely(reading: Reading) -> Reading:
    """Leave out rows that are likelier chance than digits."""
    order = iter(reading.digits)
    rows = [[next(order) for _ in row] for row in reading.rows]
    likely = [is_likely(row, LIKELY) for row in rows]
    if all(likely):
        return reading
    return replace(
        reading,
        rows=tuple(compress(reading.rows, likely)),
        digits=tuple(chain.from_iterable(compress(rows, likely))),
    )


def _centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.middle
