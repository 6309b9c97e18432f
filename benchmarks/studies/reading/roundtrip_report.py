"""The report of the round trip to paper and back: Markdown, and the files to keep."""

from pathlib import Path

from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.terminal.formatting import format_percent
from ....edge.common.terminal.tables import format_table
from ...results.files import write_with_json
from .placed_digits import FRAME_SHAPE, HEIGHTS
from .roundtrip import Roundtrip, Tally

# Share of the model's accuracy that framing must keep.
REQUIRED_SHARE = 0.993
HEADERS = ["", "digits", "model %", "framed %", "of model %", "read %", "of model %", "nothing", "several"]


def format_roundtrip(results: Roundtrip, style: str = "github") -> str:
    """Format the report: the table, the verdict, and the conditions of the measurement.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    results = escape_all_markdown(results)
    sections = [
        f"# {results.name}: accuracy on paper",
        format_roundtrip_summary(results, style),
        "## How it was measured",
        list_points(describe_roundtrip_conditions(results)),
    ]
    return "\n\n".join(sections) + "\n"


def format_roundtrip_summary(results: Roundtrip, style: str) -> str:
    """Format the table and the verdict."""
    return f"{_format_tallies(results, style)}\n\n{describe_verdict(results)}"


def _format_tallies(results: Roundtrip, style: str) -> str:
    """Format a line for all, and one for each group that has any digits."""
    lines = [_cells("all", results.total)]
    for title, tallies in results.groups.items():
        lines += [_cells(f"{title}: {name}", tally) for name, tally in tallies.items() if tally.count]
    align = ("left", *["right"] * (len(HEADERS) - 1))
    return format_table(lines, HEADERS, style, align)


def describe_verdict(results: Roundtrip) -> str:
    """Describe how much of the model's accuracy framing and the whole reader keep."""
    framed, read = results.total.framed_share, results.total.read_share
    if framed is None or read is None:
        return "The model reads none of the images, so there is no accuracy to keep."
    verdict = "as required" if framed >= REQUIRED_SHARE else "less than required"
    return (
        f"Framing keeps {format_percent(framed)} of the model's accuracy on the same images, {verdict} (at least "
        f"{format_percent(REQUIRED_SHARE, 1)}); the whole reader keeps {format_percent(read)}."
    )


def describe_roundtrip_conditions(results: Roundtrip) -> list[str]:
    """Describe the meaning of the figures, and the conditions of the measurement."""
    host, settings = results.host, results.settings
    doubt = "" if results.held_out else " It is not known whether the model was trained on them."
    return [
        f"**Images**: {settings.count:,} pastes of {results.images.name} ({results.images.count:,} images), "
        f"seed {settings.seed}.{doubt} **Model** is the model's accuracy on the same images as in MNIST.",
        f"**Paper**: frames of {FRAME_SHAPE[1]}x{FRAME_SHAPE[0]} with one digit, {HEIGHTS[0]} to {HEIGHTS[1]} "
        "px high, each octave equally likely; strokes unchanged, thinner or thicker, as far as no hole closes "
        "and no stroke breaks; light and dark paper, a gradient, grain.",
        "**Framed**: the ink is cut out at its known place, framed as in the reader, and classified. "
        "**Read**: the whole reader; right means exactly one digit, the right one. **Nothing**, **several**: "
        "frames with no digit found, or more than one.",
        f"**Model**: {results.name}, {settings.precision}, {results.runtime} {results.runtime_version}; card SHA-256 "
        f"{results.card_sha256[:12]}….",
        f"**Machine**: {host.model}, {host.system}, Python {host.python}. edge-mnist {results.edge_mnist}. Started "
        f"{results.started}.",
    ]


def write_roundtrip_reports(results: Roundtrip, out: Path) -> tuple[Path, ...]:
    """Write `roundtrip.json` and `roundtrip.md` into an existing folder; return both paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    return write_with_json(results, out / "roundtrip", md=format_roundtrip(results))


def _cells(name: str, tally: Tally) -> list[str]:
    return [
        name,
        f"{tally.count:,}",
        f"{100 * tally.bare / tally.count:.2f}",
        f"{100 * tally.framed / tally.count:.2f}",
        _percent(tally.framed_share),
        f"{100 * tally.read / tally.count:.2f}",
        _percent(tally.read_share),
        str(tally.read_nothing),
        str(tally.read_several),
    ]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
