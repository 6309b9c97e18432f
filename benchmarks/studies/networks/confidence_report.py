"""The reliability of the reader's confidence: results, a reliability table, and a Markdown report."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.export_record import DigitOdds
from ....edge.bundle.folder import Bundle
from ....edge.common.machine import Host, describe_host
from ....edge.common.terminal.formatting import format_percent
from ....edge.common.terminal.tables import format_table
from ....edge.data.images import Images
from ....edge.reading.reader import Reader
from ...results.files import write_with_json
from .confidence import (
    BINS,
    FOLDS,
    PAGES,
    CaseColumns,
    collect_cases,
    describe_odds,
    estimate_held_out,
    measure_weighted_error,
)

SCHEMA_VERSION = 1
HEADERS = ["confidence", "digits", "non-digits", "mean confidence %", "right %"]


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """The readings with a confidence in this range, [low, high); shares are weighted, see `confidence.py`.

    `mean` and `right`, the mean confidence and the share that is right, are None for an empty bin.
    """

    low: float
    high: float
    digits: int
    others: int
    mean: float | None
    right: float | None


class ConfidenceResults(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions; all shares in [0, 1].

    Attributes:
        odds: The fit on all pictures, for the card.
        calibration_error: Expected calibration error of the confidence, on pictures that had no part in the fit.
        calibration_error_of_class: Expected calibration error of the class probability alone, which ignores non-digits.
        digits_mean: Mean confidence of the digits that were read.
        others_mean: Mean confidence of the non-digits that were read.
        others_surest: Highest confidence of a non-digit.
        others_above: Share of the non-digits with a confidence above 0.9.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    runtime: str
    runtime_version: str
    started: str
    host: Host
    odds: DigitOdds
    calibration_error: float
    calibration_error_of_class: float
    digits_mean: float
    others_mean: float
    others_surest: float
    others_above: float
    bins: tuple[Bin, ...]


def run_confidence(bundle: Bundle, digits: Images, scenes: Path, pages: int = PAGES) -> ConfidenceResults:
    """Fit the probability that a reading is a digit, and measure its calibration on pictures without a part in the fit.

    Args:
        bundle: The bundle whose int8 file reads.
        digits: Validation digits.
        scenes: A folder of pictures without digits.
        pages: Number of pages to draw.

    Raises:
        BenchmarkError: There is nothing to fit on.
        PictureError: A picture cannot be read.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    # All rows: the fit decides which of them are likely.
    reader = Reader(bundle, least_likely=0.0)
    cases, pictures = collect_cases(reader, digits, scenes, pages)
    table = CaseColumns.of(cases)
    confidence = estimate_held_out(table) * table.class_probability
    others = confidence[~table.is_digit]
    return ConfidenceResults(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        runtime=reader.runtime.name,
        runtime_version=reader.runtime.version,
        started=started,
        host=describe_host(),
        odds=describe_odds(table, digits.describe(), pictures),
        calibration_error=measure_weighted_error(confidence, table.is_right, table.weights),
        calibration_error_of_class=measure_weighted_error(table.class_probability, table.is_right, table.weights),
        digits_mean=float(np.average(confidence[table.is_digit], weights=table.weights[table.is_digit])),
        others_mean=float(np.average(others, weights=table.weights[~table.is_digit])),
        others_surest=float(others.max()),
        others_above=float((others > 0.9).mean()),
        bins=tuple(_fill_bin(table, confidence, place) for place in range(BINS)),
    )


def _fill_bin(table: CaseColumns, confidence: NDArray[np.float64], place: int) -> Bin:
    inside = np.minimum((confidence * BINS).astype(int), BINS - 1) == place
    weights = table.weights[inside]
    return Bin(
        low=place / BINS,
        high=(place + 1) / BINS,
        digits=int((inside & table.is_digit).sum()),
        others=int((inside & ~table.is_digit).sum()),
        mean=float(np.average(confidence[inside], weights=weights)) if inside.any() else None,
        right=float(np.average(table.is_right[inside], weights=weights)) if inside.any() else None,
    )


def format_confidence_tables(results: ConfidenceResults, style: str) -> str:
    """Format the reliability table, and its summary.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    lines = [
        [f"{one.low:g} to {one.high:g}", f"{one.digits:,}", f"{one.others:,}", _percent(one.mean), _percent(one.right)]
        for one in results.bins
    ]
    table = format_table(lines, HEADERS, style, ["left", *["right"] * 4])
    odds = results.odds
    return f"""{table}

Expected calibration error {format_percent(results.calibration_error)}; of the class probability alone \
{format_percent(results.calibration_error_of_class)}. Mean confidence of digits \
{format_percent(results.digits_mean, 1)}, of non-digits {format_percent(results.others_mean, 1)}, at most \
{format_percent(results.others_surest, 1)}, and above 90 % for {format_percent(results.others_above, 1)} of them.

digit probability = 1 / (1 + exp(-({odds.intercept:g} + {odds.score:g} * score + {odds.company:g} * company))), at \
most {odds.highest:g}."""


def format_confidence_report(results: ConfidenceResults) -> str:
    """Format the whole report in Markdown."""
    odds, host = results.odds, results.host
    return f"""# Confidence of {results.name}

How often is what was read right, at each confidence? Digits of {odds.digits.name} were written on drawn pages \
({odds.read_digits:,} were read), and what is no digit was read in {odds.scenes.count} pictures of \
`{odds.scenes.name}` and on the pages' paper ({odds.read_others:,}). All that was read in a frame weighs 1, and \
digits as much as others, as if both were as common. Each picture was judged by a fit on the other {FOLDS - 1} fifths \
of the pictures.

{format_confidence_tables(results, "github")}

The company is log((digits other than 1 + 1) / (other shapes + 1)) of the frame. No probability is higher than the \
number of cases can show (Laplace's rule). int8 on {results.runtime} {results.runtime_version}, {host.model}; \
{results.started}; edge-mnist {results.edge_mnist}. SHA-256 of the pictures' files: `{odds.scenes.sha256[:16]}`.
"""


def write_confidence_reports(results: ConfidenceResults, out: Path) -> tuple[Path, ...]:
    """Write `confidence.json` and `confidence.md` into an existing folder; return the paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    return write_with_json(results, out / "confidence", md=format_confidence_report(results))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
