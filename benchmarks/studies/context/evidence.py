"""The weights of the evidence for a digit, as constants of `edge/reading/judging.py`, and what the evidence is worth.

Score and context of a shape are added first. Its neighbours' probabilities by that sum are its company, which is added
next. Both weights are fitted on the frames that the network was trained on, and judged on others.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ....edge.reading.alternatives import Classified
from ....edge.reading.ink.shapes import Box, Shape
from ....edge.reading.judging import HOPELESS, MOST_SCORE, weigh_neighbours
from ...statistics.logistic import fit_logistic
from ...statistics.selective import measure_auroc
from .collect import AMBIGUOUS, DIGIT, NO_DIGIT, Examples
from .frames import KINDS

LogOdds = NDArray[np.float64]

# Evidence that only found shapes have.
WITH_COMPANY = "score, context and company"


class EvidenceWeights(Struct, frozen=True, kw_only=True):
    """Weights in nats: of score and context with their intercept, and of the company with its own."""

    score: float
    context: float
    intercept: float
    company: float
    alone: float


class Separability(Struct, frozen=True, kw_only=True):
    """The area under the ROC curve of one kind of evidence, over shapes that the classifier accepts.

    Attributes:
        evidence: Name of the evidence.
        found: Of shapes as they were found; None without digits or without others.
        parts: Of parts and joined shapes; None also for evidence that they do not have.
    """

    evidence: str
    found: float | None
    parts: float | None


class KeptShapes(Struct, frozen=True, kw_only=True):
    """Found shapes that the classifier accepts in frames of one kind, and those among them that all evidence keeps."""

    kind: str
    digits: int
    digits_kept: int
    others: int
    others_kept: int


def fit_weights(examples: Examples, context: LogOdds, threshold: float) -> EvidenceWeights:
    """Fit the weights on found shapes that score no less than HOPELESS below the threshold.

    Args:
        examples: Examples of whole frames.
        context: Log odds by the context network of each, [N], nats.
        threshold: Score, in nats, from which the classifier accepts a shape.
    """
    rows = (examples.labels != AMBIGUOUS) & (examples.scores > threshold - HOPELESS) & ~examples.parts
    truth = examples.labels[rows] == DIGIT
    above = limit_scores(examples, threshold)
    score, weight, intercept = fit_logistic(
        np.stack([above, context, np.ones(len(above))], axis=1)[rows], truth
    ).tolist()
    log_odds = score * above + weight * context + intercept
    company = measure_company(examples, log_odds)
    added, alone = fit_logistic(
        np.stack([company, np.ones(len(company))], axis=1)[rows], truth, offset=log_odds[rows]
    ).tolist()
    return EvidenceWeights(score=score, context=weight, intercept=intercept, company=added, alone=alone)


def limit_scores(examples: Examples, threshold: float) -> LogOdds:
    """Return how far scores are above the threshold, at most MOST_SCORE: float64 [N], nats."""
    return np.minimum(MOST_SCORE, examples.scores - threshold)


def measure_company(examples: Examples, log_odds: LogOdds) -> LogOdds:
    """Measure the company of each found shape in its frame: float64 [N], nats; 0 for parts.

    It is what `judge_by_neighbours` adds, before its weights.
    """
    company = np.zeros(len(examples))
    for frame in np.unique(examples.frames).tolist():
        rows = np.flatnonzero((examples.frames == frame) & ~examples.parts)
        columns = zip(
            examples.boxes[rows].tolist(), examples.digits[rows].tolist(), log_odds[rows].tolist(), strict=True
        )
        guesses = [Classified(Shape(Box(*box), ()), digit, score, 1.0) for box, digit, score in columns]
        company[rows] = weigh_neighbours(guesses, 0.0)
    return company


def add_evidence(
    examples: Examples, context: LogOdds, weights: EvidenceWeights, threshold: float
) -> tuple[LogOdds, LogOdds]:
    """Add score and context, then the company too: two float64 [N], nats; above 0 is more likely a digit than not."""
    log_odds = weights.score * limit_scores(examples, threshold) + weights.context * context + weights.intercept
    return log_odds, log_odds + weights.company * measure_company(examples, log_odds) + weights.alone


def measure_separability(
    examples: Examples, evidence: dict[str, LogOdds], accepted: NDArray[np.bool_]
) -> tuple[Separability, ...]:
    """Measure how well each kind of evidence, [N] each, separates digits from others among accepted shapes, [N].

    The company of parts is not known: what stands beside them depends on what else is cut.
    """

    def measure(values: LogOdds, rows: NDArray[np.bool_]) -> float | None:
        digits, others = (values[rows & (examples.labels == label)] for label in (DIGIT, NO_DIGIT))
        return measure_auroc(digits, others) if len(digits) and len(others) else None

    return tuple(
        Separability(
            evidence=name,
            found=measure(values, accepted & ~examples.parts),
            parts=None if name == WITH_COMPANY else measure(values, accepted & examples.parts),
        )
        for name, values in evidence.items()
    )


def count_kept(examples: Examples, kept: NDArray[np.bool_], accepted: NDArray[np.bool_]) -> tuple[KeptShapes, ...]:
    """Count the accepted shapes that are kept, bool [N] each, by the kind of frame."""
    counts = []
    for place, kind in enumerate(KINDS):
        rows = accepted & ~examples.parts & (examples.kinds == place)
        digits, others = (rows & (examples.labels == label) for label in (DIGIT, NO_DIGIT))
        counts.append(
            KeptShapes(
                kind=kind,
                digits=int(digits.sum()),
                digits_kept=int((digits & kept).sum()),
                others=int(others.sum()),
                others_kept=int((others & kept).sum()),
            )
        )
    return tuple(counts)
