"""The probability that a read shape is a digit at all: fitted on pictures with and without digits, tried on others.

Digits are validation's, written in rows on paper; non-digits come from pictures without digits. Each digit that the
reader reports is one case. A logistic function of two numbers, the score and the company
(`edge/runtimes/abstention.py`), gives its probability. All frames have equal weight, so that a single digit counts as
much as a page, and digits and non-digits have equal weight, as if they were equally common.

Every probability that is judged here comes from a fit that has not seen its picture: pictures are divided into FOLDS
parts, and each part is judged by a fit on the others. The fit for the card is on all of them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ....edge.bundle.card import CARD_NAME, SCHEMA_VERSION, ModelCardError, encode_card
from ....edge.bundle.contract import ImageSet
from ....edge.bundle.export_record import DigitOdds
from ....edge.bundle.folder import Bundle
from ....edge.common.files import write_atomically
from ....edge.common.terminal.progress import ProgressBar
from ....edge.data.images import Images
from ....edge.media.pictures import SUFFIXES, read_gray
from ....edge.reading.ink.shapes import Box
from ....edge.reading.reader import Reader
from ....edge.runtimes.abstention import weigh_company
from ...errors import BenchmarkError
from ...statistics.logistic import fit_logistic, logistic
from ..reading.placed_digits import enlarge

Gray = NDArray[np.uint8]

FOLDS = 5
BINS = 10
SEED = 1
PAGES = 400
# A drawn page: the digits' height in pixels, the number of rows, and of digits in each.
HEIGHTS, MOST_ROWS, MOST_COLUMNS = (24, 120), 3, 8
# Each picture is read as a whole and in crops of these shares of its sides, none larger than this.
CROPS, CROPS_OF_EACH = (0.2, 0.35, 0.6), 12
LONGEST_SIDE = 700


@dataclass(frozen=True)
class Case:
    """A digit that the reader reported.

    Attributes:
        picture: The picture that it was read in; all crops of a picture count as one.
        score: Score of the digit.
        company: Company of its frame.
        class_probability: Probability of its class.
        is_digit: Whether there is a digit.
        is_right: Whether it is that digit.
        weight: Weight of the case; all cases of a frame together weigh 1.
    """

    picture: str
    score: float
    company: float
    class_probability: float
    is_digit: bool
    is_right: bool
    weight: float


def collect_cases(reader: Reader, digits: Images, scenes: Path, pages: int = PAGES) -> tuple[list[Case], ImageSet]:
    """Read pages of digits and pictures without any; return the cases, and the set of those pictures.

    Raises:
        BenchmarkError: There are no pictures.
        PictureError: A picture cannot be read.
    """
    files = sorted(file for file in scenes.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if len(files) < FOLDS:
        raise BenchmarkError(f"{scenes}: expected at least {FOLDS} pictures without digits, found {len(files)}.")
    content = hashlib.sha256()
    cases: list[Case] = []
    with ProgressBar(total=pages + len(files), unit="picture") as bar:
        for i in range(pages):
            cases += read_page(reader, digits, i)
            bar.update()
        for file in files:
            content.update(file.read_bytes())
            for frame in crop_scene(read_gray(file)):
                cases += _read(reader, frame, f"scene {file.name}", [])
            bar.update()
    if not any(case.is_digit for case in cases) or all(case.is_digit for case in cases):
        raise BenchmarkError(
            f"{scenes}: no false digit was read in {len(files)} pictures. Add pictures, or pictures with more detail."
        )
    name = scenes.resolve().name
    return cases, ImageSet(name=name, source=name, count=len(files), sha256=content.hexdigest())


def read_page(reader: Reader, digits: Images, number: int) -> list[Case]:
    """Draw a page of digits in rows, on paper with some grain, and read it."""
    random = np.random.default_rng((SEED, number))
    # A third of the pages have a single digit.
    rows, columns = (1, 1) if number % 3 == 0 else random.integers(1, (MOST_ROWS + 1, MOST_COLUMNS + 1)).tolist()
    height = float(np.exp(random.uniform(*np.log(HEIGHTS))))
    across, down, margin = round(1.3 * height), round(1.7 * height), round(0.7 * height)
    page = np.full((2 * margin + rows * down, 2 * margin + columns * across), random.uniform(140, 235))
    contrast = random.uniform(0.5, 0.85)
    there: list[tuple[Box, int]] = []
    for place in range(rows * columns):
        chosen = int(random.integers(len(digits)))
        ink = enlarge(digits.pixels[chosen][..., 0], height * random.uniform(0.85, 1.1))[:down]
        y, x = margin + place // columns * down, margin + place % columns * across
        part = page[y : y + ink.shape[0], x : x + ink.shape[1]]
        part *= 1 - contrast * ink[: part.shape[0], : part.shape[1]] / 255
        there.append((Box(x, y, part.shape[1], part.shape[0]), int(digits.labels[chosen])))
    page += random.normal(0, random.uniform(0.5, 4), page.shape)
    frame = page.clip(0, 255).astype(np.uint8)
    return _read(reader, 255 - frame if random.random() < 0.25 else frame, f"page {number}", there)


def crop_scene(scene: Gray) -> Iterator[Gray]:
    """Yield a picture as a whole, and crops of it: as seen from farther and from nearer."""
    yield _shrink(scene)
    random = np.random.default_rng(SEED)
    for share in CROPS:
        height, width = (max(1, int(share * side)) for side in scene.shape)
        for _ in range(CROPS_OF_EACH):
            y, x = random.integers(0, (scene.shape[0] - height + 1, scene.shape[1] - width + 1)).tolist()
            yield _shrink(scene[y : y + height, x : x + width])


def _shrink(scene: Gray) -> Gray:
    scale = LONGEST_SIDE / max(scene.shape)
    if scale >= 1:
        return np.ascontiguousarray(scene)
    size = max(1, round(scene.shape[1] * scale)), max(1, round(scene.shape[0] * scale))
    return cv2.resize(scene, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _read(reader: Reader, frame: Gray, picture: str, there: list[tuple[Box, int]]) -> list[Case]:
    """Read a frame, and match each reading to the digit around its centre, if there is one."""
    reading = reader.read(frame)
    company = weigh_company([digit.digit for digit in reading.digits], reading.shapes)
    cases: list[Case] = []
    for digit in reading.digits:
        x, y = digit.box.x + digit.box.width / 2, digit.box.middle
        labels = [label for box, label in there if box.x <= x < box.right and box.y <= y < box.bottom]
        cases.append(
            Case(
                picture=picture,
                score=digit.score,
                company=company,
                class_probability=digit.class_probability or 0.0,
                is_digit=bool(labels),
                is_right=digit.digit in labels,
                weight=1 / len(reading.digits),
            )
        )
    return cases


@dataclass(frozen=True)
class CaseColumns:
    """The cases as columns: `variables` float64 [N, 3], whose first column is 1; all others [N]."""

    variables: NDArray[np.float64]
    class_probability: NDArray[np.float64]
    is_digit: NDArray[np.bool_]
    is_right: NDArray[np.bool_]
    weights: NDArray[np.float64]
    fold: NDArray[np.int64]

    @classmethod
    def of(cls, cases: list[Case]) -> "CaseColumns":
        """Weigh digits as much as non-digits, and put each picture into one fold."""
        is_digit = np.array([case.is_digit for case in cases])
        weights = np.array([case.weight for case in cases])
        pictures = sorted({case.picture for case in cases})
        order = np.random.default_rng(SEED).permutation(len(pictures)) % FOLDS
        fold = dict(zip(pictures, order.tolist(), strict=True))
        for kind in (is_digit, ~is_digit):
            weights[kind] *= len(cases) / (2 * weights[kind].sum())
        return cls(
            np.array([(1.0, case.score, case.company) for case in cases]),
            np.array([case.class_probability for case in cases]),
            is_digit,
            np.array([case.is_right for case in cases]),
            weights,
            np.array([fold[case.picture] for case in cases]),
        )


def fit_odds(table: CaseColumns, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit the weights of the logistic function, float64 [3], on these rows."""
    return fit_logistic(table.variables[rows], table.is_digit[rows], table.weights[rows])


def estimate_held_out(table: CaseColumns) -> NDArray[np.float64]:
    """Compute each case's probability of being a digit, by the fit that has not seen its picture: float64 [N]."""
    judged = np.zeros(len(table.fold))
    highest = find_highest(table)
    for fold in range(FOLDS):
        held_out = table.fold == fold
        judged[held_out] = np.minimum(logistic(table.variables[held_out] @ fit_odds(table, ~held_out)), highest)
    return judged


def find_highest(table: CaseColumns) -> float:
    """Bound the probability by what this number of cases can show: Laplace's rule for the rarer kind, no exception."""
    fewer = min(int(table.is_digit.sum()), int((~table.is_digit).sum()))
    return (fewer + 1) / (fewer + 2)


def measure_weighted_error(
    probability: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """Compute the expected calibration error in BINS bins of equal width, with weighted cases."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    surplus = np.bincount(place, weights * (probability - truth), minlength=BINS)
    return float(np.abs(surplus).sum() / weights.sum())


def describe_odds(table: CaseColumns, digits: ImageSet, scenes: ImageSet) -> DigitOdds:
    """Describe the fit for the card."""
    intercept, score, company = fit_odds(table, np.ones(len(table.fold), np.bool_)).round(4).tolist()
    return DigitOdds(
        intercept=intercept,
        score=score,
        company=company,
        highest=round(find_highest(table), 5),
        digits=digits,
        scenes=scenes,
        read_digits=int(table.is_digit.sum()),
        read_others=int((~table.is_digit).sum()),
        calibration_error=round(measure_weighted_error(estimate_held_out(table), table.is_digit, table.weights), 5),
    )


def write_odds(bundle: Bundle, odds: DigitOdds) -> None:
    """Write the odds into the bundle's card and seal it again; no other file changes.

    Raises:
        ModelCardError: The card cannot be written; it has not changed.
    """
    abstention = replace(bundle.export.abstention, digit_odds=odds)
    export = replace(bundle.export, abstention=abstention)
    card = replace(bundle.card, schema_version=SCHEMA_VERSION, export=export)
    path = bundle.path / CARD_NAME
    try:
        write_atomically(path, encode_card(card))
    except OSError as error:
        raise ModelCardError(f"{path}: cannot be written ({error.strerror}); the card is unchanged.") from error
