"""Explain a reading: each piece of ink of a frame, and why it was read as a digit or left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .alternatives import Classified
from .finding import (
    LARGEST_SHARE,
    SMALLEST_HEIGHT,
    SMALLEST_SHARE,
    WIDEST_ASPECT,
    Candidates,
    is_border,
    typical_height,
)
from .ink.shapes import Box, Shape
from .judging import HOPELESS, LEAST, judge_by_neighbours

Fate = Literal[
    "digit",
    "edge",
    "small",
    "large",
    "wide",
    "faint",
    "shape",
    "surroundings",
    "neighbours",
    "word",
    "unlikely",
    "other",
    "limit",
]

# What each fate means, for people.
MEANINGS: dict[Fate, str] = {
    "digit": "read as a digit",
    "edge": "lies along an edge of the frame",
    "small": "too small, alone or beside the others",
    "large": "too large beside the others",
    "wide": "too wide for a digit",
    "faint": "too faint",
    "shape": "the model takes its shape for no digit",
    "surroundings": "its surroundings are not those of a digit",
    "neighbours": "its neighbours are not digits",
    "word": "part of a word of other writing",
    "limit": "not looked at: the frame has too much ink",
    "unlikely": "a digit by chance, among so much else",
    "other": "part of another digit, or read in another way",
}


@dataclass(frozen=True)
class InkFate:
    """A piece of ink that might have been a digit.

    Attributes:
        box: Rectangle around it in pixels of the frame.
        fate: Why it was read or left out, a key of MEANINGS.
        digit: The digit that it looks most like, 0 to 9; None if the model was not asked.
        score: The model's log odds that it is a digit, in nats; None if the model was not asked.
    """

    box: Box
    fate: Fate
    digit: int | None = None
    score: float | None = None


def explain_reading(
    finding: Candidates,
    judged: Sequence[Classified],
    shown: Sequence[Classified],
    chosen: Sequence[Sequence[Classified]],
    rows: Sequence[Sequence[Classified]],
    threshold: float,
) -> tuple[InkFate, ...]:
    """Explain what became of each piece of ink, the digits first, in reading order.

    Args:
        finding: The frame with its shapes.
        judged: The shapes with the evidence of their surroundings.
        shown: The shapes that were left after other readings were tried.
        chosen: The rows that were chosen, likely or not.
        rows: The digits that were read.
        threshold: Score below which the model refuses a shape, in nats.
    """
    read = [guess for row in rows for guess in row]
    known = {id(guess.shape) for guess in read}
    unlikely = {id(guess.shape) for row in chosen for guess in row} - known
    company = {id(guess.shape): guess.score for guess in judge_by_neighbours(shown, threshold)} if shown else {}
    candidates = [_describe(finding, guess, "digit") for guess in read]
    candidates += [InkFate(finding.in_frame(piece.box), fate) for piece, fate in _explain_left_out(finding)]
    for guess in (*judged, *(guess for guess in shown if not any(guess is other for other in judged))):
        key = id(guess.shape)
        if key in known:
            continue
        if guess.unseen:
            candidates.append(InkFate(finding.in_frame(guess.shape.box), "limit"))
            continue
        if key not in company:
            fate: Fate = "other"
        elif guess.model_score <= threshold - HOPELESS:
            fate = "shape"
        elif guess.score < threshold + LEAST:
            fate = "surroundings"
        elif company[key] < threshold + LEAST:
            fate = "neighbours"
        else:
            fate = "unlikely" if key in unlikely else "word"
        candidates.append(_describe(finding, guess, fate))
    return tuple(candidates)


def _describe(finding: Candidates, guess: Classified, fate: Fate) -> InkFate:
    return InkFate(finding.in_frame(guess.shape.box), fate, guess.digit, round(guess.model_score, 3))


def _explain_left_out(finding: Candidates) -> Iterator[tuple[Shape, Fate]]:
    """Explain why pieces of ink were not shown to the model."""
    taken = {id(outline) for shape in finding.shapes for outline in shape.outlines}
    typical = typical_height(finding.shapes) if finding.shapes else 0
    for piece in finding.pieces:
        box = piece.box
        if any(id(outline) in taken for outline in piece.outlines):
            continue
        if is_border(piece, finding.gray.shape):
            yield piece, "edge"
        elif box.height < max(SMALLEST_HEIGHT, SMALLEST_SHARE * typical):
            yield piece, "small"
        elif typical and box.height > LARGEST_SHARE * typical:
            yield piece, "large"
        else:
            yield piece, "wide" if box.width > WIDEST_ASPECT * box.height else "faint"


def count_fates(candidates: Sequence[InkFate]) -> dict[Fate, int]:
    """Count the candidates of each fate, without the digits; fates of none are left out."""
    counts = {fate: sum(candidate.fate == fate for candidate in candidates) for fate in get_args(Fate)[1:]}
    return {fate: count for fate, count in counts.items() if count}
