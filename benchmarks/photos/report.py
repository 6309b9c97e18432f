"""The report of a photo benchmark: a table, Markdown, and the files to keep."""

from pathlib import Path
from statistics import median

import msgspec

from ...edge.common.files import write_all
from ...edge.common.pages.markdown import escape_all_markdown, list_points
from ...edge.common.pages.page import PageTable
from ...edge.common.statistics import wilson_interval
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.tables import format_table
from .gallery import format_gallery
from .photos import PhotoResults
from .scores import Score

HEADERS = ["pictures", "count", "exact", "digits", "precision %", "recall %", "F1 %", "row accuracy %", "false digits"]


def format_scores(results: PhotoResults, style: str) -> str:
    """Format a line for each condition and one for all.

    Args:
        results: The run to show.
        style: A tabulate style: `simple` for a terminal, `github` for Markdown.
    """
    rows = [_score_cells(name, score) for name, score in _list_scores(results)]
    align = ("left", *["right"] * (len(HEADERS) - 1))
    return format_table(rows, HEADERS, style, align)


def format_photo_report(results: PhotoResults) -> str:
    """Format the Markdown report: the table, every misread picture, and the conditions of the measurement."""
    results = escape_all_markdown(results)
    failures = [image for image in results.images if not image.score.exact]
    lines = [[image.file, _join(image.truth), _join(image.reading)] for image in failures]
    sections = [
        f"# {results.name}: digits read from {results.photos}",
        format_scores(results, "github"),
        describe_total(results),
        f"## Not read exactly ({len(failures)})",
        format_table(lines, ["file", "truth", "read"], "github") if lines else "None.",
        "## How it was measured",
        list_points(describe_photo_conditions(results)),
    ]
    return "\n\n".join(sections) + "\n"


def describe_total(results: PhotoResults) -> str:
    """Describe in a sentence how many pictures were read without any error."""
    total = results.total
    low, high = wilson_interval(total.exact, total.images)
    return (
        f"{total.exact} of {total.images} pictures without any error ({format_percent(total.exact / total.images, 1)}, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f})."
    )


def describe_photo_conditions(results: PhotoResults) -> list[str]:
    """Describe the meaning of the figures, and the conditions of the measurement."""
    host = results.host
    return [
        "**Precision, recall, F1**: the digits of each picture as multisets. A digit counts as found when the picture "
        "has one of its value that is not yet accounted for. **False digits** are those read that are not there.",
        "**Row accuracy**: 1 - edit distance / digits, at least 0; rows are joined by a line break, which counts as a "
        "symbol. **Exact**: all rows are the same. Sums are over pictures; pictures without digits count in precision "
        "and row accuracy, too.",
        f"**Time**: {median(image.read_ms for image in results.images):.1f} ms a picture in the median, opening the "
        "file excluded.",
        f"**Model**: {results.name}, {results.precision}, {results.runtime} {results.runtime_version}, "
        f"{results.num_threads} {'thread' if results.num_threads == 1 else 'threads'}; card SHA-256 "
        f"{results.card_sha256[:12]}….",
        f"**Pictures**: {results.photos}, labels SHA-256 {results.labels_sha256[:12]}….",
        f"**Machine**: {host.model}, {host.system}, Python {host.python}. edge-mnist {results.edge_mnist}. Started "
        f"{results.started}.",
    ]


def write_photo_reports(results: PhotoResults, folder: Path, out: Path) -> tuple[Path, ...]:
    """Write `photos.md`, `photos.json` and, if possible, the gallery `photos.html` into `out`; return the paths.

    Args:
        results: The run to write.
        folder: The folder with its pictures; the gallery shows those with errors.
        out: An existing folder.

    Raises:
        EdgeMnistError: A file cannot be written.
        PictureError: A picture can no longer be read.
    """
    contents = {
        "md": format_photo_report(results).encode(),
        "json": msgspec.json.encode(results) + b"\n",
        "html": format_photo_page(results, folder).encode(),
    }
    return write_all({out / f"photos.{suffix}": content for suffix, content in contents.items()})


def format_photo_page(results: PhotoResults, folder: Path) -> str:
    """Render the page, see `format_gallery`."""
    table = PageTable(HEADERS, [_score_cells(name, score) for name, score in _list_scores(results)])
    return format_gallery(results, folder, describe_total(results), table, describe_photo_conditions(results))


def _list_scores(results: PhotoResults) -> list[tuple[str, Score]]:
    return [*results.conditions.items(), ("all", results.total)]


def _score_cells(name: str, score: Score) -> list[str]:
    shares = (score.precision, score.recall, score.f1, score.row_accuracy)
    return [
        name,
        str(score.images),
        str(score.exact),
        str(score.written),
        *("" if share is None else f"{100 * share:.1f}" for share in shares),
        str(score.read - score.matched),
    ]


def _join(rows: tuple[str, ...]) -> str:
    return " / ".join(rows) or "nothing"
