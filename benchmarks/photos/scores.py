"""Scores of a reading against the truth: the digits found, and whether the rows agree.

- **Precision, recall, F1** compare the digits of an image as multisets, wherever they are: true positives are, summed
  over the ten digits, the smaller of how often each was written and how often it was read.
- **Row accuracy** is 1 - edit distance / number of digits, at least 0. The distance is Levenshtein's, between the rows
  of truth and reading, each joined by a line break that counts as a symbol: a digit that is missed, added or mistaken
  costs 1, and so does a row that is split in two or joined with the next; two digits in the wrong order cost 2.
  - **Exact** counts the images whose rows all agree.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

LINE_BREAK = "\n"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The score of an image or of several. Shares are in [0, 1], and None where they are 0 / 0.

    Attributes:
        images: Number of images.
        exact: Number of images read without any error.
        written: Number of digits in the truth.
        read: Number of digits in the readings.
        matched: Number of digits in both, image by image: true positives.
        distance: Edit distance of the rows, summed over the images.
        precision: `matched / read`.
        recall: `matched / written`.
        f1: Harmonic mean of both; also None if nothing was written, when every digit read is a false positive.
        row_accuracy: `1 - distance / written`, at least 0.
    """

    images: int
    exact: int
    written: int
    read: int
    matched: int
    distance: int
    precision: float | None
    recall: float | None
    f1: float | None
    row_accuracy: float | None


def score_image(truth: Sequence[str], reading: Sequence[str]) -> Score:
    """Compare the rows of a reading with those of the truth."""
    written, read = Counter("".join(truth)), Counter("".join(reading))
    return _make_score(
        images=1,
        exact=int(tuple(truth) == tuple(reading)),
        written=written.total(),
        read=read.total(),
        matched=(written & read).total(),
        distance=edit_distance(LINE_BREAK.join(truth), LINE_BREAK.join(reading)),
    )


def sum_scores(scores: Iterable[Score]) -> Score:
    """Sum the scores of several images: counts are added, and shares computed from the sums."""
    counted = list(scores)
    names = ("images", "exact", "written", "read", "matched", "distance")
    return _make_score(**{name: sum(getattr(score, name) for score in counted) for name in names})


def edit_distance(first: str, second: str) -> int:
    """Count the symbols to insert, delete or replace to turn one text into the other.

    Source: V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", Soviet
    Physics Doklady 10 (1966); by rows, as R. A. Wagner and M. J. Fischer, JACM 21 (1974).
    """
    return _edit_costs(first, second)[-1][-1]


def find_misread(truth: Sequence[str], reading: Sequence[str]) -> set[int]:
    """Find the digits of a reading, counted through its rows from 0, that are added or replace another one.

    They follow the fewest edits that turn one into the other; among several such ways, late digits count as right.
    """
    written, read = LINE_BREAK.join(truth), LINE_BREAK.join(reading)
    costs = _edit_costs(written, read)
    wrong: set[int] = set()
    i, j = len(written), len(read)
    while j:
        if i and costs[i][j] == costs[i - 1][j - 1] + (written[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            if written[i] == read[j]:
                continue
        elif i and costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
            continue
        else:
            j -= 1
        if read[j] != LINE_BREAK:
            wrong.add(j - read[:j].count(LINE_BREAK))
    return wrong


def _edit_costs(first: str, second: str) -> list[list[int]]:
    """Compute distances between all prefixes of both texts."""
    costs = [list(range(len(second) + 1))]
    for i, symbol in enumerate(first, 1):
        above, row = costs[-1], [i]
        for j, other in enumerate(second, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (symbol != other)))
        costs.append(row)
    return costs


def _make_score(*, images: int, exact: int, written: int, read: int, matched: int, distance: int) -> Score:
    return Score(
        images=images,
        exact=exact,
        written=written,
        read=read,
        matched=matched,
        distance=distance,
        precision=matched / read if read else None,
        recall=matched / written if written else None,
        f1=2 * matched / (written + read) if written else None,
        row_accuracy=max(0.0, 1 - distance / written) if written else None,
    )
