"""Decide which shapes are digits: the model's score, the surroundings of each shape, and its neighbours.

Each is evidence, and evidence adds up as log odds. The score says whether the ink looks like a digit, `context.py` whether
the place does. The neighbours say what else is there: among digits, an odd shape is one too; among letters, a shape that
looks like a digit is a letter.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .alternatives import Classified, SIZES, MOST_REFUSED, CUT_COUNTS
import statistics
from .context import cut_windows, load_context_network
from .finding import Candidates
from .shapes import find_edges, group_into_rows

# Weights of the evidence in nats, fitted by `edge-mnist measure context`: of the score above the threshold, limited to
# the highest one that counts; of the context; and the intercept.
SCORE, MOST_SCORE, CONTEXT, INTERCEPT = 0.55, 7.0, 1.26, -2.38
# Shapes that score less than this below the threshold are no digits whatever is around them.
HOPELESS = 2.5
# Of the neighbours: weight, intercept, and how far they count, in sizes of the shape, across and down.
COMPANY, ALONE = 1.0, 0.64
REACH = (3.0, 1.0)
# Shapes of less than this share of one another's size are no neighbours.
SIMILAR = 0.4
import math
import os
T=float(os.environ.get('T','0'))


def judge_by_context(finding: Candidates, guesses: Sequence[Classified], threshold: float) -> list[Classified]:
    """Add the evidence of the surroundings to the scores of all shapes that may be digits."""
    places = [place for place, guess in enumerate(guesses) if guess.score > threshold - HOPELESS]
    judged = list(guesses)
    if not places:
        return judged
    windows = cut_windows(finding, [guesses[place].shape for place in places])
    for place, context in zip(places, load_context_network()(windows).tolist(), strict=True):
        above = min(MOST_SCORE, guesses[place].score - threshold)
        judged[place] = replace(guesses[place], score=threshold + SCORE * above + CONTEXT * context + INTERCEPT)
    return judged


def judge_by_neighbours(guesses: Sequence[Classified], threshold: float) -> NDArray[np.float64]:
    """Return the scores of shapes with the evidence of their neighbours, float64 [N]."""
    left, top, right, bottom = find_edges([guess.shape for guess in guesses])
    size = np.maximum(right - left, bottom - top).astype(float)
    x, y = (left + right) / 2, (top + bottom) / 2
    across, down = (np.abs(middle[:, None] - middle) / size[:, None] for middle in (x, y))
    near = np.exp(-0.5 * ((across / REACH[0]) ** 2 + (down / REACH[1]) ** 2))
    near *= np.minimum(size[:, None], size) > SIMILAR * np.maximum(size[:, None], size)
    np.fill_diagonal(near, 0)
    scores = np.array([guess.score for guess in guesses])
    probability = 1 / (1 + np.exp(threshold - scores.clip(-60, 60)))
    # Any straight stroke looks like a 1: it says nothing about its neighbours.
    telling = probability * np.array([guess.digit != 1 for guess in guesses])
    return scores + COMPANY * np.log((near @ telling + 1) / (near @ (1 - probability) + 1)) + ALONE


def choose_rows(guesses: Sequence[Classified], threshold: float) -> list[list[Classified]]:
    """Choose the shapes that are digits, in rows; drop rows of other writing."""
    if not guesses:
        return []
    judged = [replace(g, score=x) for g, x in zip(guesses, judge_by_neighbours(guesses, threshold).tolist(), strict=True)]
    doubt = _doubt(judged, threshold + T)
    judged = [replace(g, score=g.score - doubt) for g in judged]
    kept = []
    for row in group_into_rows(judged, lambda guess: guess.shape.box):
        digits = [guess for word in split_words(row) for guess in keep_digits(word, threshold + T)]
        if digits:
            kept.append(digits)
    return kept


WORD_GAP = float(os.environ.get("WG", "1.2"))


def split_words(row):
    """Split a row where the gap is wide."""
    words = []
    for guess in row:
        box = guess.shape.box
        if words and box.x - right < WORD_GAP * max(box.height, height):
            words[-1].append(guess)
        else:
            words.append([guess])
            right = 0
        right, height = max(right, box.right), box.height
    return words


def keep_digits(word, threshold):
    digits = [guess for guess in word if guess.score >= threshold]
    if not digits:
        return []
    height = statistics.median(guess.shape.box.height for guess in digits)
    low, high = SIZES[0] * height, SIZES[1] * height
    others = [guess for guess in word if guess.score < threshold and low < guess.shape.box.height < high]
    if len(others) > max(1.0, MOST_REFUSED * sum(1.0 if guess.whole else CUT_COUNTS for guess in digits)):
        return []
    return digits


DW, DO = float(os.environ.get("DW", "1")), float(os.environ.get("DO", "1.5"))


def _doubt(judged, threshold):
    digits = sum(1 for guess in judged if guess.score >= threshold and guess.digit != 1)
    return DW * max(0.0, math.log((len(judged) - digits + 1) / (digits + 1)) - DO)
