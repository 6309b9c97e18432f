"""Second look at shapes that the model does not take for one digit: several that touch, or one in pieces.

Most shapes are plain digits and cost one inference. Shapes that the model refuses are cut where there is least ink,
split into their pieces, or joined with their neighbours, and the model decides which reading is likeliest.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cuts import find_cuts, part_between, split_upright
from .finding import Candidates
from .framing import measure_stroke
from .ink.faint import find_faint_ends
from .ink.shapes import Shape, find_edges, split_pieces, unite_shapes

# A digit is rarely wider than the first share of its height; several that touch are rarely narrower than the second.
WIDEST_DIGIT = 1.25
NARROWEST_SEVERAL = 0.6
# A shape this many times as high as most may be two digits of rows that touch.
TALL = 1.5
# At most this many shapes are cut, or as many as there are digits if that is more: a rough table top has many.
MOST_CUT = 12
# Hard limits for any frame: shapes that are cut, and the effort for parts and joined shapes, see `measure_effort`: in a
# frame without digits, for each of the first digits, for each further one, and at most. A page of two hundred digits, a
# third of which touch, needs this much.
MOST_CUT_AT_ALL = 100
FEWEST_PARTS, PARTS_PER_DIGIT, FIRST_DIGITS, PARTS_PER_FURTHER, MOST_PARTS = 80, 25, 10, 4, 1500
# A frame with few shapes may have more parts: this effort in all, parts and shapes.
EFFORT = 300
# Examining this many pixels of a box takes as long as classifying one shape.
PIXELS_OF_EFFORT = 20_000
# The score of shapes that are not classified because the frame has more than are examined.
UNSEEN = -50.0
# A cut through one stroke must gain at least this, in nats.
CROSSING_COST = 0.4
# A long tail, cut off, looks like a 1: the parts of a shape that is cut across must score this much higher, in nats.
SURER = 1.5
# A shape that scores less than this above the threshold may be a piece of a digit that looks like another one.
UNSURE = 2.0
# Pieces of a broken digit are closer than this share of its height.
NEAR = 0.12
MOST_JOINTS = 200
# A joined shape may be less likely a digit than its likeliest piece by this much, in nats.
SLACK = 0.5
# The parts of a cut shape stand in one place: if the surroundings of one add the first number of nats, those of each
# add at least the second.
TELLING_PLACE, SHARED = 1.33, 0.89


@dataclass(frozen=True, eq=False)
class Classified:
    """An opinion of a shape.

    Attributes:
        shape: The shape.
        digit: The likeliest digit.
        score: Log odds of any digit, in nats: the model's, then by all evidence.
        class_probability: Probability of the likeliest digit, given that there is one.
        model_score: Log odds of any digit, in nats, by the model alone.
        context: What the surroundings add to the score, in nats; None if they were not looked at.
    """

    shape: Shape
    digit: int
    score: float
    class_probability: float
    model_score: float = 0.0
    context: float | None = None

    def with_score(self, score: float, context: float | None = None) -> "Classified":
        """Return the same opinion with another score; `dataclasses.replace` takes three times as long."""
        context = self.context if context is None else context
        return Classified(self.shape, self.digit, score, self.class_probability, self.model_score, context)

    @property
    def whole(self) -> bool:
        """Whether the shape was found, not cut out of another shape."""
        return self.shape.cut is None

    @property
    def unseen(self) -> bool:
        """Whether the shape was not classified, because the frame has more shapes than are examined."""
        return self.model_score == UNSEEN


def measure_effort(shape: Shape) -> float:
    """Measure what a shape costs: 1 for its classification, and more if it is large."""
    return 1 + shape.box.width * shape.box.height / PIXELS_OF_EFFORT


@dataclass(frozen=True, eq=False)
class Alternative:
    """One or more other ways of reading some of the shapes.

    Attributes:
        replaces: Indices of the replaced guesses.
        shapes: Shapes that may stand there instead.
        spans: The two marks between which each shape stands; a reading goes from mark to mark, first to last.
        costs: The cost of passing each mark, in nats.
        least: The lowest score that each shape of a reading must have.
    """

    replaces: tuple[int, ...]
    shapes: list[Shape]
    spans: list[tuple[int, int]]
    costs: list[float]
    least: float


def suggest_alternatives(
    finding: Candidates, guesses: Sequence[Classified], threshold: float
) -> tuple[list[Alternative], bool]:
    """Suggest other readings of shapes that were refused or are too wide; report whether a limit left some out."""
    chosen = _choose_for_cutting(guesses, threshold)
    typical = statistics.median(guess.shape.box.height for guess in guesses) if guesses else 0
    refused = [i for i, guess in enumerate(guesses) if guess.score < threshold and not guess.unseen]
    tall = [i for i, guess in enumerate(guesses) if guess.shape.box.height > TALL * typical and not guess.unseen]
    digits = sum(guess.score >= threshold for guess in guesses)
    most = min(MOST_CUT_AT_ALL, max(MOST_CUT, digits))
    pairs = _find_pairs(guesses, threshold)
    is_short = max(len(chosen), len(tall)) > most or len(pairs) > MOST_JOINTS
    first = min(digits, FIRST_DIGITS)
    spare = max(FEWEST_PARTS, EFFORT - len(guesses))
    left = min(MOST_PARTS, spare + PARTS_PER_DIGIT * first + PARTS_PER_FURTHER * (digits - first))
    kept: list[Alternative] = []
    # The cheapest first; the cuts of the smallest shapes are left out first.
    for suggestions in (
        _split(guesses, dict.fromkeys((*refused, *tall)), threshold),
        _join(guesses, pairs[:MOST_JOINTS], threshold),
        _lengthen(finding, guesses, threshold),
        _cut_across(finding, guesses, tall[:most], threshold + SURER),
        _cut(finding, guesses, chosen[:most], threshold),
    ):
        for suggestion in suggestions:
            left -= sum(map(measure_effort, suggestion.shapes))
            if left < 0:
                return kept, True
            kept.append(suggestion)
    return kept, is_short


def _split(guesses: Sequence[Classified], places: Iterable[int], threshold: float) -> Iterator[Alternative]:
    """Split shapes of several pieces into these."""
    for i in places:
        if len(guesses[i].shape.outlines) > 1:
            pieces = split_pieces(guesses[i].shape)
            spans = [(k, k + 1) for k in range(len(pieces))]
            yield Alternative((i,), pieces, spans, [0.0] * (len(pieces) + 1), threshold)


def _choose_for_cutting(guesses: Sequence[Classified], threshold: float) -> list[int]:
    """Choose the shapes that may be several digits, the highest first."""
    chosen = []
    for i, guess in enumerate(guesses):
        box = guess.shape.box
        narrowest = NARROWEST_SEVERAL if guess.score < threshold else WIDEST_DIGIT
        if box.width > narrowest * box.height and not guess.unseen:
            chosen.append(i)
    return sorted(chosen, key=lambda i: -guesses[i].shape.box.height)


def _cut(
    finding: Candidates, guesses: Sequence[Classified], places: Sequence[int], least: float
) -> Iterator[Alternative]:
    """Split each of these shapes into several digits side by side."""
    inks = [finding.ink(guesses[i].shape) for i in places]
    for i, cuts in zip(places, find_cuts(inks, [_measure_stroke(ink) for ink in inks]), strict=True):
        shape, shapes, spans = guesses[i].shape, [], []
        mask = shape.mask
        for left in range(len(cuts)):
            for right in range(left + 1, len(cuts)):
                if (left, right) != (0, len(cuts) - 1) and (part := part_between(shape, mask, cuts[left], cuts[right])):
                    shapes.append(part)
                    spans.append((left, right))
        yield Alternative((i,), shapes, spans, [CROSSING_COST * cut.crossed for cut in cuts], least)


def _cut_across(
    finding: Candidates, guesses: Sequence[Classified], places: Sequence[int], least: float
) -> Iterator[Alternative]:
    """Split each of these shapes into two digits of rows that touch."""
    inks = [finding.ink(guesses[i].shape) for i in places]
    strokes = [_measure_stroke(ink) for ink in inks]
    for i, cuts in zip(places, find_cuts([np.ascontiguousarray(ink.T) for ink in inks], strokes), strict=True):
        parts = split_upright(guesses[i].shape, cuts)
        if len(parts) == 2:
            yield Alternative((i,), parts, [(0, 1), (1, 2)], [0.0, CROSSING_COST, 0.0], least)


def _measure_stroke(ink: NDArray[np.uint8]) -> float:
    return measure_stroke(np.where(ink > 0.5 * ink.max(), 255, 0).astype(np.uint8))


def _find_pairs(guesses: Sequence[Classified], threshold: float) -> list[tuple[int, int]]:
    """Find the pairs of a refused or unsure shape and a close neighbour, each pair once."""
    scores = np.array([guess.score for guess in guesses])
    seen = scores > UNSEEN
    unsure = (scores < threshold + UNSURE) & seen
    if not unsure.any():
        return []
    near = _are_near([guess.shape for guess in guesses]) & unsure[:, None] & seen
    return sorted({(min(i, j), max(i, j)) for i, j in np.argwhere(near).tolist() if i != j})


def _join(guesses: Sequence[Classified], pairs: Sequence[tuple[int, int]], threshold: float) -> Iterator[Alternative]:
    """Join the shapes of each pair."""
    for pair in pairs:
        least = max(threshold, max(guesses[i].score for i in pair) - SLACK)
        yield Alternative(pair, [unite_shapes([guesses[i].shape for i in pair])], [(0, 1)], [0.0, 0.0], least)


def _lengthen(finding: Candidates, guesses: Sequence[Classified], threshold: float) -> Iterator[Alternative]:
    """Add the faint ends of strokes; on ruled paper, lines are as faint."""
    if guesses and not finding.ruled:
        shapes = [guess.shape for guess in guesses]
        for places, shape in find_faint_ends(finding.mask, finding.weak, shapes):
            # Of two readings that are about equally likely, the longer one.
            yield Alternative(places, [shape], [(0, 1)], [0.0, -SLACK], threshold)


def _are_near(shapes: Sequence[Shape]) -> NDArray[np.bool_]:
    """Find the pairs of shapes that could be pieces of one digit, bool [N, N]."""
    left, top, right, bottom = (edges[:, None] for edges in find_edges(shapes))
    width = np.maximum(right, right.T) - np.minimum(left, left.T)
    height = np.maximum(bottom, bottom.T) - np.minimum(top, top.T)
    apart = np.maximum(
        np.maximum(left, left.T) - np.minimum(right, right.T), np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    )
    return (apart < NEAR * height) & (width < WIDEST_DIGIT * height)


def choose_reading(
    guesses: Sequence[Classified],
    alternatives: Sequence[Alternative],
    second: Sequence[Sequence[Classified]],
    threshold: float,
) -> list[Classified]:
    """Choose the likeliest reading, and return its shapes, digits or not, without those that lie within a digit.

    Args:
        guesses: The model's guess for every shape.
        alternatives: Alternatives from `suggest_alternatives`.
        second: Guesses for the shapes of each alternative.
        threshold: Score below which a shape is not a digit, in nats.
    """
    readings = []
    for alternative, parts in zip(alternatives, second, strict=True):
        reading, value = _read_parts(alternative, parts)
        gain = value - sum(_log_odds_to_log(guesses[i].score) for i in alternative.replaces)
        if reading and gain > 0:
            readings.append((gain, alternative.replaces, reading))
    chosen, gone = [], set()
    for _, replaces, reading in sorted(readings, key=lambda entry: -entry[0]):
        if gone.isdisjoint(replaces):
            gone.update(replaces)
            chosen += reading
    standing = [guess for i, guess in enumerate(guesses) if i not in gone]
    return _drop_nested([*chosen, *standing], threshold)


def _read_parts(alternative: Alternative, parts: Sequence[Classified]) -> tuple[list[Classified], float]:
    """Find the likeliest digits, and their log likelihood: with shared surroundings if these tell of digits."""
    shared = [part.with_score(part.score + max(0.0, SHARED - _find_context(part, SHARED))) for part in parts]
    reading, value = _best_reading(alternative, shared)
    if max((_find_context(part, 0.0) for part in reading), default=0.0) >= TELLING_PLACE:
        return reading, value
    return _best_reading(alternative, parts)


def _find_context(part: Classified, otherwise: float) -> float:
    return otherwise if part.whole or part.context is None else part.context


def _best_reading(alternative: Alternative, parts: Sequence[Classified]) -> tuple[list[Classified], float]:
    """Find the likeliest digits from the first mark to the last, and their log likelihood; [] if there are none."""
    last = len(alternative.costs) - 1
    best: list[tuple[float, list[Classified]]] = [(0.0, [])] + [(-np.inf, [])] * last
    for (left, right), part in sorted(zip(alternative.spans, parts, strict=True), key=lambda entry: entry[0]):
        if part.score < alternative.least:
            continue
        value = best[left][0] + _log_odds_to_log(part.score) - alternative.costs[right]
        if value > best[right][0]:
            best[right] = value, [*best[left][1], part]
    return best[last][1], best[last][0]


def _log_odds_to_log(score: float) -> float:
    """Convert log odds to the log of the probability."""
    return min(score, 0.0) - math.log1p(math.exp(-abs(score)))


def _drop_nested(guesses: list[Classified], threshold: float) -> list[Classified]:
    """Drop shapes that lie within a digit: they are part of it."""
    if len(guesses) < 2:
        return guesses
    left, top, right, bottom = find_edges([guess.shape for guess in guesses])
    digit = np.array([guess.score >= threshold for guess in guesses])
    inside = (left[:, None] > left) & (top[:, None] > top) & (right[:, None] < right) & (bottom[:, None] < bottom)
    nested = np.any(inside & digit, axis=1).tolist()
    return [guess for guess, within in zip(guesses, nested, strict=True) if not within]
