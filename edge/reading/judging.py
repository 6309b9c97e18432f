"""Decide which shapes are digits: the model's score, the surroundings of each shape, and its neighbours.

Each is evidence, and evidence adds up as log odds. The score says whether the ink looks like a digit, `context.py`
whether the place does. The neighbours say what else is there: among digits, an odd shape is one too; in a word, a shape
that looks like a digit is a letter.
"""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .alternatives import Classified, measure_effort
from .context import cut_windows, load_context_network
from .finding import Candidates
from .ink.shapes import find_edges
from .rows import group_into_rows

# Weights of the evidence in nats, fitted by `edge-mnist measure context`: of the score above the threshold, limited to
# the highest one that counts; of the context; and the intercept.
SCORE, MOST_SCORE, CONTEXT, INTERCEPT = 0.64, 7.0, 0.89, -2.19
# A shape that scores less than this below the threshold is no digit, whatever is around it.
HOPELESS = 2.5
# A frame plainly shows digits if at least this number and this share of its shapes are digits other than 1.
FEWEST_TELLING, PLAIN = 3, 0.7
# In such a frame, all shapes that are at most this many times as high as most have the median context of digits.
ODD, TYPICAL = 1.8, 3.0
# Of the neighbours: the weight, the intercept, and how far they count, across and down, in sizes of the shape.
COMPANY, ALONE = 0.96, 0.26
REACH_ACROSS, REACH_DOWN = 3.0, 1.0
# Shapes whose sizes differ by more than this factor are no neighbours.
SIMILAR = 0.4
# The threshold for all evidence together, relative to the model's, in nats: a missed digit costs more than a false one.
LEAST = -2.1
# The threshold while the neighbours are not weighed yet.
LENIENT = -1.7
# In a frame that shows mostly other things, digits must be surer: by so much for each nat of the odds against a digit,
# beyond the first number of nats.
DOUBT, BEYOND = 1.5, 0.7
# Of a frame with many shapes, so much effort goes into a sample, and so much more for each digit in it.
SAMPLE, MORE_PER_DIGIT = 100.0, 5.0
# Shapes all over the frame: each further one is this share of all shapes away from the one before.
GOLDEN = (math.sqrt(5) - 1) / 2
# A row is divided into words where the gap is wider than this share of the height.
WORD_GAP = 1.2
# In a word of digits, refused shapes of digit size are at most this share of the digits, or one.
MOST_REFUSED = 0.5
# In that share, a digit that was cut out counts as this much of one: an m is easily cut into 1s.
CUT_COUNTS = 0.25
# Shapes between these multiples of the height of a word's digits are of digit size.
SIZES = (0.55, 1.7)


def sample_shapes(guesses: Sequence[Classified], threshold: float) -> list[int]:
    """Choose the shapes to look at first: all of them, or a sample from all over a frame that has very many.

    Args:
        guesses: All shapes, not classified yet.
        threshold: Score at which a shape is as likely a digit as not, in nats.
    """
    del threshold
    places = sorted(range(len(guesses)), key=lambda i: (i * GOLDEN) % 1)
    return sorted(_afford(guesses, places, SAMPLE))


def choose_beside_digits(guesses: Sequence[Classified], threshold: float) -> list[int]:
    """Choose the shapes to look at next: those nearest to digits, and the more, the more digits there are.

    Args:
        guesses: All shapes, a sample of them with the evidence of its surroundings.
        threshold: Score at which a shape is as likely a digit as not, in nats.
    """
    unseen = np.array([i for i, guess in enumerate(guesses) if guess.unseen], int)
    digits = [i for i, guess in enumerate(guesses) if guess.score >= threshold]
    if not len(unseen) or not digits:
        return []
    left, top, right, bottom = find_edges([guess.shape for guess in guesses])
    x, y = (left + right) // 2, (top + bottom) // 2
    away = np.hypot(x[unseen, None] - x[digits], y[unseen, None] - y[digits]).min(axis=1)
    return _afford(guesses, unseen[np.argsort(away, kind="stable")].tolist(), MORE_PER_DIGIT * len(digits))


def _afford(guesses: Sequence[Classified], places: list[int], effort: float) -> list[int]:
    """Take the first places, as many as this effort allows."""
    efforts = np.cumsum([measure_effort(guesses[i].shape) for i in places])
    return places[: int(np.searchsorted(efforts, effort, side="right"))]


def judge_shapes(finding: Candidates, guesses: Sequence[Classified], threshold: float) -> list[Classified]:
    """Add the evidence of the surroundings to the scores of all shapes of a frame that may be digits.

    Most frames plainly show digits and little else. There, only shapes that are higher than most are looked at.

    Args:
        finding: The frame and its shapes.
        guesses: The model's guess for each shape.
        threshold: Score below which the model refuses a shape, in nats.
    """
    telling = sum(guess.score >= threshold and guess.digit != 1 for guess in guesses)
    if finding.ruled or telling < max(FEWEST_TELLING, PLAIN * len(guesses)):
        return judge_parts(finding, guesses, threshold)
    usual = ODD * statistics.median(guess.shape.box.height for guess in guesses)
    return [
        guess.with_score(_add_context(guess.score, TYPICAL, threshold))
        if guess.shape.box.height <= usual
        else judge_parts(finding, [guess], threshold)[0]
        for guess in guesses
    ]


def judge_parts(finding: Candidates, guesses: Sequence[Classified], threshold: float) -> list[Classified]:
    """Add the evidence of the surroundings to the scores of shapes that may be digits.

    Args:
        finding: The frame.
        guesses: The model's guesses for shapes or parts of them.
        threshold: Score below which the model refuses a shape, in nats.
    """
    judged = list(guesses)
    if not (places := [i for i, guess in enumerate(guesses) if guess.score > threshold - HOPELESS]):
        return judged
    contexts = load_context_network()(cut_windows(finding, [guesses[i].shape for i in places]))
    for i, context in zip(places, contexts.tolist(), strict=True):
        judged[i] = guesses[i].with_score(_add_context(guesses[i].score, context, threshold), CONTEXT * context)
    return judged


def _add_context(score: float, context: float, threshold: float) -> float:
    return threshold + SCORE * min(MOST_SCORE, score - threshold) + CONTEXT * context + INTERCEPT


def judge_by_neighbours(guesses: Sequence[Classified], threshold: float) -> list[Classified]:
    """Add the evidence of the neighbours, near ones and the whole frame, to the scores of all shapes.

    Args:
        guesses: At least one shape, with the evidence of its surroundings.
        threshold: Score below which the model refuses a shape, in nats.
    """
    scores = np.array([guess.score for guess in guesses]) + COMPANY * weigh_neighbours(guesses, threshold) + ALONE
    telling = np.array([guess.digit != 1 for guess in guesses])
    digits = np.count_nonzero(telling & (scores >= threshold + LEAST))
    against = math.log((len(guesses) - digits + 1) / (digits + 1))
    scores -= DOUBT * max(0.0, against - BEYOND)
    return [guess.with_score(score) for guess, score in zip(guesses, scores.tolist(), strict=True)]


def weigh_neighbours(guesses: Sequence[Classified], threshold: float) -> NDArray[np.float64]:
    """Weigh the near neighbours of each shape, float64 [N]: the log of the digits per other shape, one of each added.

    Args:
        guesses: At least one shape, with the evidence of its surroundings.
        threshold: Score at which a shape is as likely a digit as not, in nats.
    """
    left, top, right, bottom = find_edges([guess.shape for guess in guesses])
    size = np.maximum(right - left, bottom - top).astype(float)
    across, down = (np.abs(edge[:, None] - edge) / size[:, None] for edge in ((left + right) / 2, (top + bottom) / 2))
    near = np.exp(-0.5 * ((across / REACH_ACROSS) ** 2 + (down / REACH_DOWN) ** 2))
    near *= np.minimum(size[:, None], size) > SIMILAR * np.maximum(size[:, None], size)
    np.fill_diagonal(near, 0)
    scores = np.array([guess.score for guess in guesses])
    probability = 1 / (1 + np.exp((threshold - scores).clip(-60, 60)))
    # Any straight stroke looks like a 1: it says nothing about its neighbours.
    telling = np.array([guess.digit != 1 for guess in guesses])
    return np.log((near @ (probability * telling) + 1) / (near @ (1 - probability) + 1))


def choose_rows(guesses: Sequence[Classified], threshold: float) -> list[list[Classified]]:
    """Choose the shapes that are digits: rows from top to bottom, digits from left to right.

    Args:
        guesses: All shapes, with the evidence of their surroundings.
        threshold: Score below which the model refuses a shape, in nats.
    """
    if not guesses:
        return []
    rows = group_into_rows(judge_by_neighbours(guesses, threshold), lambda guess: guess.shape.box)
    kept = ([guess for word in _split_words(row) for guess in _keep_digits(word, threshold + LEAST)] for row in rows)
    return [row for row in kept if row]


def _split_words(row: list[Classified]) -> list[list[Classified]]:
    """Split a row where its gaps are wide."""
    words = [[row[0]]]
    right = row[0].shape.box.right
    for before, guess in pairwise(row):
        box = guess.shape.box
        if box.x - right < WORD_GAP * max(box.height, before.shape.box.height):
            words[-1].append(guess)
        else:
            words.append([guess])
        right = max(right, box.right)
    return words


def _keep_digits(word: list[Classified], least: float) -> list[Classified]:
    """Keep the digits of a word; none if it is of other writing: some letters look like digits, most do not."""
    digits = [guess for guess in word if guess.score >= least]
    if not digits:
        return []
    height = statistics.median(guess.shape.box.height for guess in digits)
    low, high = SIZES[0] * height, SIZES[1] * height
    others = sum(guess.score < least and low < guess.shape.box.height < high for guess in word)
    found = any(guess.whole for guess in digits)
    if not found and all(guess.digit == 1 for guess in digits):
        return []  # Any stroke, cut off, looks like a 1.
    most = max(float(found), MOST_REFUSED * sum(1.0 if guess.whole else CUT_COUNTS for guess in digits))
    return [] if others > most else digits
