"""Handwriting: each hand has its own shapes, slant and habits, and never writes a digit twice the same.

Lengths are millimetres on the paper. The first row's baseline is y = 0, so that rows stand on ruled lines.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .glyphs import DIGITS, parse_shape
from .pages import round_corners

Path = NDArray[np.float64]
Strokes = tuple[Path, ...]

# Standard deviation of a hand's corner points from the tables', in heights: with more, a 6 may look like a 0.
SHAPE_DEVIATION = 0.035
# Of ten digits, about one does not have the shape that the hand prefers.
PREFERRED_SHARE = 0.9
# A digit may overlap its neighbour's overhang by this share of the height, as a 4 under a 7.
DEEPEST_OVERLAP = 0.12
# Digits that touch do so at one place: a 1 along the back of a 2 would look like an R. Both in heights.
MERGING, LONGEST_CONTACT = 0.1, 0.35


@dataclass(frozen=True)
class Hand:
    """The handwriting of one person.

    Attributes:
        shapes: For each digit, this hand's version of every shape: its strokes' corner points in heights, [N, 2].
        preferred: For each digit, the shape that the hand prefers.
        sizes: For each digit, its size relative to the others.
        slant: Shift of the top to the right of the bottom, in heights.
        aspect: Width relative to that of the tables.
        wobble: Standard deviation of each corner point, in heights.
        size_spread: Standard deviation of a digit's size between repetitions, as a share.
        drop_spread: Standard deviation of the digits' distance from the baseline, in heights.
    """

    shapes: dict[str, tuple[Strokes, ...]]
    preferred: dict[str, int]
    sizes: dict[str, float]
    slant: float
    aspect: float
    wobble: float
    size_spread: float
    drop_spread: float


@dataclass(frozen=True)
class WritingLayout:
    """The amount and the size of the writing.

    Attributes:
        rows: Fewest and most rows.
        digits: Fewest and most digits of a row.
        height_mm: Smallest and largest height of a hand's digits.
        gap: Smallest and largest distance between the middles of neighbours' strokes, in heights.
        row_pitch: Smallest and largest distance of baselines, in heights.
        pitch_mm: Distance of ruled lines that baselines stand on; None without lines.
        touching: Share of neighbours that should touch; about a third of them have shapes that can, at one place.
        broken: Share of digits with a gap in a stroke.
    """

    rows: tuple[int, int] = (1, 4)
    digits: tuple[int, int] = (3, 9)
    height_mm: tuple[float, float] = (5.5, 9.0)
    gap: tuple[float, float] = (0.24, 0.6)
    row_pitch: tuple[float, float] = (1.6, 2.3)
    pitch_mm: float | None = None
    touching: float = 0.0
    broken: float = 0.0


@dataclass(frozen=True)
class Writing:
    """Rows of digits on paper.

    Attributes:
        rows: The written digits, top to bottom.
        glyphs: The strokes of each digit, float64 [N, 2], mm, in the order of `rows`.
        height_mm: Height of the hand's digits.
    """

    rows: tuple[str, ...]
    glyphs: tuple[Strokes, ...]
    height_mm: float


def draw_hand(random: np.random.Generator) -> Hand:
    """Draw a random hand."""
    return Hand(
        shapes={digit: tuple(_vary_shape(shape, random) for shape in shapes) for digit, shapes in DIGITS.items()},
        preferred={digit: int(random.integers(len(shapes))) for digit, shapes in DIGITS.items()},
        sizes={digit: float(np.clip(random.normal(1, 0.07), 0.8, 1.15)) for digit in DIGITS},
        slant=float(np.clip(random.normal(0.06, 0.12), -0.2, 0.35)),
        aspect=float(random.uniform(0.75, 1.25)),
        wobble=float(random.uniform(0.01, 0.03)),
        size_spread=float(random.uniform(0.02, 0.06)),
        drop_spread=float(random.uniform(0.01, 0.06)),
    )


def write_shape(shape: Strokes, hand: Hand, random: np.random.Generator) -> Strokes:
    """Write one character of height 1 from its corner points, its foot at y = 0 and its box's left side near x = 0."""
    turn = np.radians(random.normal(0, 2.5))
    stretch = random.normal(1, 0.05, 2).clip(0.85, 1.15)
    bend, phase = random.normal(0, 0.012), random.uniform(0, 2 * np.pi)
    slant = hand.slant + random.normal(0, 0.03)
    paths = []
    for corners in shape:
        points = corners * [hand.aspect, 1.0] - [0.0, 1.0] + _wobble(corners, hand.wobble, random)
        points = round_corners(points * stretch)
        points[:, 0] += bend * np.sin(4 * points[:, 1] + phase) - slant * points[:, 1]
        paths.append(points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]))
    return tuple(paths)


def write_rows(layout: WritingLayout, random: np.random.Generator) -> Writing:
    """Write rows of digits in one hand."""
    hand, height = draw_hand(random), float(random.uniform(*layout.height_mm))
    pitch = height * float(random.uniform(*layout.row_pitch))
    if layout.pitch_mm is not None:
        pitch = layout.pitch_mm * float(np.ceil(1.25 * height / layout.pitch_mm))
    rows: list[str] = []
    glyphs: list[Strokes] = []
    for index in range(random.integers(layout.rows[0], layout.rows[1] + 1)):
        count = int(random.integers(layout.digits[0], layout.digits[1] + 1))
        row = "".join(str(digit) for digit in random.integers(0, 10, count))
        indent = abs(random.normal(0, 0.15)) if random.random() < 0.85 else random.uniform(0, 2.5)
        origin = np.array([indent * height, index * pitch])
        climb = random.normal(0, 0.008)
        slope = np.array([[1.0, climb], [0.0, 1.0]])
        glyphs += [
            tuple(height * path @ slope + origin for path in glyph) for glyph in _write_row(row, hand, layout, random)
        ]
        rows.append(row)
    return Writing(tuple(rows), tuple(glyphs), height)


def _write_row(row: str, hand: Hand, layout: WritingLayout, random: np.random.Generator) -> list[Strokes]:
    """Write a row's digits from left to right in heights, its baseline at y = 0."""
    usual = random.uniform(*layout.gap)
    written: list[Strokes] = []
    for digit in row:
        index = (
            hand.preferred[digit]
            if random.random() < PREFERRED_SHARE
            else int(random.integers(len(hand.shapes[digit])))
        )
        size = hand.sizes[digit] * random.normal(1, hand.size_spread)
        drop = random.normal(0, hand.drop_spread)
        glyph = tuple(
            size * path + np.array([0.0, drop]) for path in write_shape(hand.shapes[digit][index], hand, random)
        )
        if random.random() < layout.broken:
            glyph = _break(glyph, random)
        if written:
            shift = _next_place(written[-1], glyph, usual, layout, random)
            glyph = tuple(path + np.array([shift, 0.0]) for path in glyph)
        written.append(glyph)
    return written


def _next_place(
    before: Strokes, glyph: Strokes, usual: float, layout: WritingLayout, random: np.random.Generator
) -> float:
    """Compute how far to move a digit to the right so that it follows the one before."""
    last, first = (np.concatenate([resample(path, step=0.02) for path in paths]) for paths in (before, glyph))
    least = last[:, 0].max() - first[:, 0].min() - DEEPEST_OVERLAP
    if random.random() < layout.touching:
        # The stroke's width does the rest: they meet, but do not cover one another.
        meeting = clearance(last, first, reach=0.02) + random.uniform(0.0, 0.03)
        if meeting > least and _contact(last, first + np.array([meeting, 0.0])) < LONGEST_CONTACT:
            return meeting
    gap = max(layout.gap[0], usual * random.normal(1, 0.15))
    if random.random() < 0.06:
        gap += random.uniform(0.6, 2.0)
    return max(clearance(last, first, reach=0.15) + gap, least)


def clearance(last: Path, first: Path, reach: float) -> float:
    """Compute the shift at which points on the same level, up to `reach`, would just meet."""
    level = np.abs(last[:, None, 1] - first[None, :, 1]) < reach
    distance = np.where(level, last[:, None, 0] - first[None, :, 0], -np.inf).max()
    return float(distance) if np.isfinite(distance) else float(last[:, 0].max() - first[:, 0].min())


def _contact(last: Path, first: Path) -> float:
    """Measure the height of the part along which the strokes of two digits may merge, in heights."""
    close = np.hypot(*(last[:, None] - first[None]).transpose(2, 0, 1)).min(axis=1) < MERGING
    return float(np.ptp(last[close, 1])) if close.any() else 0.0


def _break(glyph: Strokes, random: np.random.Generator) -> Strokes:
    """Break the longest stroke by one or two gaps, each 5 to 9 % of the digit's height long."""
    longest = max(range(len(glyph)), key=lambda i: len(glyph[i]))
    path = resample(glyph[longest], step=0.01)
    pieces = []
    for part in np.array_split(path, random.integers(2, 4)):
        cut = int(random.integers(5, 10))
        pieces.append(part[: max(len(part) - cut, 3)])
    return (*glyph[:longest], *pieces, *glyph[longest + 1 :])


def resample(path: Path, step: float) -> Path:
    """Resample a path [N, 2] with points about `step` apart, in its own unit; the ends do not move."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    places = np.linspace(0, along[-1], max(3, int(along[-1] / step)))
    return np.stack([np.interp(places, along, path[:, 0]), np.interp(places, along, path[:, 1])], axis=1)


def _vary_shape(shape: str, random: np.random.Generator) -> Strokes:
    return tuple(corners + _wobble(corners, SHAPE_DEVIATION, random) for corners in parse_shape(shape))


def _wobble(corners: Path, deviation: float, random: np.random.Generator) -> Path:
    """Draw a shift of each corner; the copies of a sharp one move together, or it would grow a hook."""
    new = np.concatenate([[True], np.any(np.diff(corners, axis=0) != 0, axis=1)])
    return random.normal(0, deviation, (int(new.sum()), 2))[np.cumsum(new) - 1]
