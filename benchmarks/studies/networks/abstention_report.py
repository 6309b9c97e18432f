"""The report of an abstention benchmark: tables, Markdown, and the files to keep."""

from collections.abc import Callable
from pathlib import Path

from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.terminal.tables import format_table
from ...results.files import write_with_json
from ...statistics.selective import CALIBRATION_BINS, risk_at
from .abstention_page import format_page
from .abstention_results import AbstentionResults, Figures, Separation

SEPARATION_HEADERS = [
    "file", "runtime", "AUROC", "vs float", "digits accepted %", "non-digits refused %", "accuracy %",
    "accuracy of accepted %",
]  # fmt: skip
# Coverages for which the table shows the risk.
COVERAGES = (0.99, 0.98, 0.95, 0.9)
CONFIDENCE_HEADERS = ["file", "runtime", "ECE %", "at temperature 1 %",
                      *(f"risk at {coverage:.0%} %" for coverage in COVERAGES)]  # fmt: skip


def format_abstention(results: AbstentionResults, style: str = "github") -> str:
    """Format the Markdown report: tables, their meaning, and the conditions of the measurement.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    results = escape_all_markdown(results)
    sections = [
        f"# {results.name}: digits and non-digits",
        format_abstention_tables(results, style),
        "## How it was measured",
        list_points(describe_abstention_conditions(results)),
    ]
    return "\n\n".join(sections) + "\n"


def format_abstention_tables(results: AbstentionResults, style: str) -> str:
    """Format three tables, plain images, framed ones and confidence, and the reasons for missing files."""
    missing = [f"- {row.file} on {row.runtime}: {row.unavailable}" for row in results.rows if row.unavailable]
    parts = [
        "Unframed images:",
        _table(results, SEPARATION_HEADERS, lambda figures: _separation_cells(figures.plain, results), style),
        "Images framed as in the reader:",
        _table(results, SEPARATION_HEADERS, lambda figures: _separation_cells(figures.framed, results), style),
        "Confidence of the digits:",
        _table(results, CONFIDENCE_HEADERS, _confidence_cells, style),
        *(["\n".join(missing)] if missing else []),
    ]
    return "\n\n".join(parts)


def describe_abstention_conditions(results: AbstentionResults) -> list[str]:
    """Describe the meaning of the figures, and the conditions of the measurement."""
    card, host = results.abstention, results.host
    doubt = "" if results.held_out else " It is not known whether the model was trained on them."
    seen = (
        " They are among the images on which threshold and temperature were chosen." if results.chosen_on_them
        else ""
    )  # fmt: skip
    versions = sorted({f"{row.runtime} {row.runtime_version}" for row in results.rows if row.figures})
    return [
        f"**Digits**: {results.digits.count:,} images, {results.digits.name}.{doubt}{seen} **Non-digits**: "
        f"{results.others.count:,} images from {results.others.name}, SHA-256 {results.others.sha256[:12]}….",
        "**Score**: the log odds of a digit, logsumexp of the ten logits. **AUROC** is the probability that a "
        "digit scores higher than a non-digit, equal scores counted half (Mann and Whitney's U); **vs float** "
        "is against the float32 file of the format on the same runtime. **Accepted** images score at least "
        f"{card.threshold:g}, the card's threshold, chosen on {card.validation.name}.",
        f"**ECE**: expected calibration error of the confidence in {CALIBRATION_BINS} bins of equal width (Guo "
        f"et al. 2017), at the card's temperature, {card.temperature:g}, and at 1. **Risk**: share of errors "
        "among the digits that are kept when those of least confidence are dropped (El-Yaniv and Wiener "
        "2010). Digits are dropped by confidence, not by score: the score only shows whether there is a "
        "digit. Both are measured on unframed images.",
        "**Framed**: digits and non-digits are cropped to their ink, scaled and centred as in the reader.",
        f"**Model**: {results.name}, {', '.join(versions) or 'no runtime'}; card SHA-256 {results.card_sha256[:12]}….",
        f"**Machine**: {host.model}, {host.system}, Python {host.python}. edge-mnist {results.edge_mnist}. Started "
        f"{results.started}.",
    ]


def write_abstention_reports(results: AbstentionResults, out: Path) -> tuple[Path, ...]:
    """Write `abstention.json`, `abstention.md` and, if possible, `abstention.html` into an existing folder.

    Returns:
        The paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    page = format_page(results, describe_abstention_conditions(results))
    return write_with_json(results, out / "abstention", md=format_abstention(results), html=page)


def _table(results: AbstentionResults, headers: list[str], cells: Callable[[Figures], list[str]], style: str) -> str:
    """Tabulate a line for each file that ran, with names aligned left and figures aligned right."""
    lines = [[row.file, row.runtime, *cells(row.figures)] for row in results.rows if row.figures]
    align = ("left", "left", *["right"] * (len(headers) - 2))
    return format_table(lines, headers, style, align)


def _separation_cells(separation: Separation, results: AbstentionResults) -> list[str]:
    difference = separation.auroc_vs_float
    return [
        f"{separation.auroc:.5f}",
        "" if difference is None else f"{difference:+z.5f}",
        f"{100 * separation.accepted / results.digits.count:.2f}",
        f"{100 * separation.refused / results.others.count:.2f}",
        f"{100 * separation.right / results.digits.count:.2f}",
        f"{100 * separation.accepted_right / separation.accepted:.2f}" if separation.accepted else "",
    ]


def _confidence_cells(figures: Figures) -> list[str]:
    return [
        f"{100 * figures.calibration_error:.2f}",
        f"{100 * figures.uncalibrated_error:.2f}",
        *(f"{100 * risk_at(figures.risk, coverage).risk:.3f}" for coverage in COVERAGES),
    ]
