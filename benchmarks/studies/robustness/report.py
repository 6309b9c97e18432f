"""The report of a robustness benchmark: tables, findings, and the files to keep."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.pages.page import PageTable
from ....edge.common.terminal.formatting import format_p, format_percent
from ....edge.common.terminal.tables import format_table
from ...results.files import write_with_json
from ...statistics.paired import SIGNIFICANCE
from .page import format_robustness_page
from .results import CorruptedRow, CorruptionRecord, Robustness, RobustnessSettings, RuntimeRobustness

SEVERITY_HEADERS = ["int8, accuracy %", "severity 1", "2", "3", "4", "5", "mean", "MNIST-C's, 95 % interval"]
PAIR_HEADERS = ["over severities", "float32 %", "int8 %", "drop, points", "95 % interval", "p", "p (Holm)"]
ABSTAINING_HEADERS = ["of all images", "float32: wrong %", "refused %", "silent errors %",
                      "int8: wrong %", "refused %", "silent errors %"]  # fmt: skip


def format_robustness(results: Robustness, style: str = "github") -> str:
    """Format the Markdown report: tables, findings, the corruptions, and the conditions of the measurement.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    results = escape_all_markdown(results)
    definitions = tabulate_definitions(results)
    sections = [f"# {results.name}: corrupted digits"]
    for runtime in results.runtimes:
        sections += [f"## {runtime.runtime}", *format_runtime_tables(results, runtime, style)]
        sections.append(list_points(summarize_robustness(results, runtime)))
    sections += [
        "## Corruptions",
        format_table(definitions.rows, [str(title) for title in definitions.head], style),
        "## How it was measured",
        list_points(describe_robustness_conditions(results)),
    ]
    return "\n\n".join(sections) + "\n"


def tabulate_runtime(results: Robustness, runtime: RuntimeRobustness) -> tuple[PageTable, ...]:
    """Tabulate accuracy by severity, the files side by side, and the effect of abstaining; a line per corruption."""
    count = results.images.count
    return (
        _table(results, runtime, SEVERITY_HEADERS, lambda row, record: _severity_cells(row, record, count)),
        _table(results, runtime, PAIR_HEADERS, lambda row, _: _pair_cells(row, count)),
        _table(results, runtime, ABSTAINING_HEADERS, lambda row, _: _abstaining_cells(row, count)),
    )


def format_runtime_tables(results: Robustness, runtime: RuntimeRobustness, style: str) -> list[str]:
    """Format the same tables as text, with names aligned left and figures aligned right."""
    return [
        format_table(one.rows, [str(title) for title in one.head], style, ("left", *["right"] * (len(one.head) - 1)))
        for one in tabulate_runtime(results, runtime)
    ]


def format_robustness_tables(results: Robustness, style: str) -> str:
    """Format the files side by side and the findings, for each runtime."""
    parts: list[str] = []
    for runtime in results.runtimes:
        parts += [f"{runtime.runtime}:", format_runtime_tables(results, runtime, style)[1]]
        parts.append("\n".join(summarize_robustness(results, runtime)).replace("**", ""))
    return "\n\n".join(parts)


def summarize_robustness(results: Robustness, runtime: RuntimeRobustness) -> list[str]:
    """List findings about the model, about quantization, and about abstaining."""
    float32, int8, count = runtime.float32, runtime.int8, results.images.count
    clean = [1 - reading.correct / count for reading in (runtime.clean.float32, runtime.clean.int8)]
    relative = "" if runtime.relative_error is None else (
        f" Divided by float32's error under each corruption, int8's mean is {100 * runtime.relative_error:.1f} "
        "%."
    )  # fmt: skip
    hardest = max(runtime.rows, key=lambda row: sum(cell.int8.silent for cell in row.cells))
    silent = sum(cell.int8.silent for cell in hardest.cells) / (count * len(hardest.cells))
    return [
        f"**Mean corruption error**: float32 {format_percent(float32.error)}, int8 {format_percent(int8.error)}; at "
        f"MNIST-C's severities {format_percent(float32.published_error)} and {format_percent(int8.published_error)}; "
        f"without corruption {format_percent(clean[0])} and {format_percent(clean[1])}.{relative}",
        _describe_drops(runtime),
        f"**Abstaining**: of all corrupted images, int8 refuses {format_percent(int8.refused, 1)} and reads "
        f"{format_percent(int8.silent, 1)} wrong without refusing them, "
        f"{format_percent(int8.silent / int8.error if int8.error else 0, 0)} of its errors; float32 "
        f"{format_percent(float32.refused, 1)} and {format_percent(float32.silent, 1)}. Most of these silent "
        f"errors are under {hardest.corruption}: {format_percent(silent, 1)} of its images.",
    ]


def _describe_drops(runtime: RuntimeRobustness) -> str:
    """Describe under which corruptions quantization makes a difference that chance does not explain."""
    found = [row for row in runtime.rows if _is_measurable(row)]
    parts = [
        f"{kind} from float32 to int8 under {_name_drops(rows, sign)}"
        for kind, sign, rows in (
            ("a measurable drop", 1, [row for row in found if row.drop_pp >= 0]),
            ("a measurable gain", -1, [row for row in found if row.drop_pp < 0]),
        )
        if rows
    ]
    rest = len(runtime.rows) - len(found)
    if rest:
        parts.append(f"no measurable difference under {'the other' if found else 'any of the'} {rest}")
    return f"**Quantization**: {'; '.join(parts)}{'' if found else ' corruptions'}."


def _is_measurable(row: CorruptedRow) -> bool:
    """Judge by the test and the interval: one counts images, the other points, and few large changes may decide."""
    low, high = row.drop_interval_pp
    return row.p_holm <= SIGNIFICANCE and not low <= 0 <= high


def _name_drops(rows: Sequence[CorruptedRow], sign: int) -> str:
    """List drops, the largest first; for gains, `sign` is -1."""
    ends = ((row, sorted(sign * end for end in row.drop_interval_pp)) for row in rows)
    return ", ".join(
        f"{row.corruption} ({sign * row.drop_pp:.2f} points, {low:.2f} to {high:.2f})"
        for row, (low, high) in sorted(ends, key=lambda one: -sign * one[0].drop_pp)
    )


def tabulate_definitions(results: Robustness) -> PageTable:
    """Tabulate what each severity does, with MNIST-C's marked, and how far images are from the originals."""
    lines = [
        [
            record.name,
            record.meaning,
            *(_mark(", ".join(f"{value:g}" for value in one), severity == record.published)
              for severity, one in enumerate(record.parameters, start=1)),
            " ".join(f"{distance:.0f}" for distance in record.distances),
        ]
        for record in results.corruptions
    ]  # fmt: skip
    headers = ["corruption", "parameters", "1", "2", "3", "4", "5", "distance"]
    return PageTable(headers, lines, left=2, words=["parameters", *"12345"])


def describe_robustness_conditions(results: Robustness) -> list[str]:
    """Describe the meaning of the figures, and the conditions of the measurement."""
    host, settings = results.host, results.settings
    doubt = "" if results.held_out else " It is not known whether the model was trained on them."
    part = "" if settings.count is None else " This is a part of the set; `--all` uses all of it."
    runtimes = ", ".join(f"{runtime.runtime} {runtime.version}" for runtime in results.runtimes)
    return [
        f"**Images**: {results.images.count:,} of {results.images.name} under each corruption and severity, "
        f"the same images for all.{part}{doubt} The model reads the corrupted 28x28 image itself, without the "
        "reader's earlier steps, which remove paper and frame shapes.",
        "**Corruptions**: after MNIST-C (Mu and Gilmer 2019), noise, blur, fog and spatter from ImageNet-C "
        "(Hendrycks and Dietterich 2019), implemented here from their definitions, so images are similar, not "
        "identical. A star marks the severity of MNIST-C; stripes, both lines and edges have only one there, "
        "and milder ones here; those of spatter are sorted. **Distance** is the root mean square over an "
        "image's pixels, in gray levels, mean over images, by severity.",
        "**Drop**: percentage points of float32's mean accuracy over severities minus int8's on the same "
        "images, with a percentile interval from resampling images. **p**: exact sign test in which an image "
        "counts once, for the file that reads it right at more severities, because five severities of one "
        "image are not five independent images. With one severity this is McNemar's exact test. **Holm**: "
        f"corrected for the {len(results.corruptions)} corruptions of a runtime. **Measurable** means at most "
        "0.05 there and an interval without 0.",
        "**Intervals** of accuracies are Wilson's. **Mean corruption error** is the mean over corruptions and "
        "severities, not divided by another model's.",
        f"**Refused** images score less than {results.threshold:g}, the card's threshold; **silent errors** "
        "are read wrong and not refused. Refused images may be right or wrong.",
        f"**Command**: `{describe_command(settings)}`, {results.seconds:,.0f} s. The counts of all figures are "
        "in `robustness.json` in the same folder.",
        f"**Model**: {results.name}, float32 and int8, {runtimes}, one thread; card SHA-256 "
        f"{results.card_sha256[:12]}….",
        f"**Machine**: {host.model}, {host.system}, Python {host.python}. edge-mnist {results.edge_mnist}. Started "
        f"{results.started}.",
    ]


def describe_command(settings: RobustnessSettings) -> str:
    """Return the command that makes the same images again, given the same model and data."""
    runtimes = "".join(f" --runtime {name}" for name in settings.runtimes or ())
    amount = "--all" if settings.count is None else f"--count {settings.count}"
    return f"edge-mnist measure corruptions{runtimes} {amount} --seed {settings.seed}"


def write_robustness_reports(results: Robustness, sheet: NDArray[np.uint8], out: Path) -> tuple[Path, ...]:
    """Write `robustness.json`, `robustness.md` and, if possible, `robustness.html` into an existing folder.

    Args:
        results: The run to write.
        sheet: Originals and corrupted digits for the page, uint8 [15, 6, 28, 28].
        out: An existing folder.

    Returns:
        The paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    tables = {runtime.runtime: tabulate_runtime(results, runtime) for runtime in results.runtimes}
    sentences = {runtime.runtime: summarize_robustness(results, runtime) for runtime in results.runtimes}
    definitions, conditions = tabulate_definitions(results), describe_robustness_conditions(results)
    page = format_robustness_page(results, sheet, tables, sentences, definitions, conditions)
    return write_with_json(results, out / "robustness", md=format_robustness(results), html=page)


def _table(
    results: Robustness,
    runtime: RuntimeRobustness,
    headers: list[str],
    cells: Callable[[CorruptedRow, CorruptionRecord], list[str]],
) -> PageTable:
    """Tabulate a line for each corruption."""
    lines = [
        [row.corruption, *cells(row, record)] for row, record in zip(runtime.rows, results.corruptions, strict=True)
    ]
    return PageTable(headers, lines)


def _severity_cells(row: CorruptedRow, record: CorruptionRecord, count: int) -> list[str]:
    shares = [100 * cell.int8.correct / count for cell in row.cells]
    low, high = row.cells[record.published - 1].int8.interval
    marked = [_mark(f"{share:.2f}", i == record.published) for i, share in enumerate(shares, start=1)]
    return [*marked, f"{sum(shares) / len(shares):.2f}", f"{100 * low:.2f} to {100 * high:.2f}"]


def _pair_cells(row: CorruptedRow, count: int) -> list[str]:
    all_images = count * len(row.cells)
    low, high = row.drop_interval_pp
    return [
        f"{100 * sum(cell.float32.correct for cell in row.cells) / all_images:.2f}",
        f"{100 * sum(cell.int8.correct for cell in row.cells) / all_images:.2f}",
        f"{row.drop_pp:+z.2f}",
        f"{low:+z.2f} to {high:+z.2f}",
        format_p(row.p),
        format_p(row.p_holm),
    ]


def _abstaining_cells(row: CorruptedRow, count: int) -> list[str]:
    all_images = count * len(row.cells)
    cells: list[str] = []
    for readings in ([cell.float32 for cell in row.cells], [cell.int8 for cell in row.cells]):
        counts = (
            all_images - sum(reading.correct for reading in readings),
            sum(reading.refused for reading in readings),
            sum(reading.silent for reading in readings),
        )
        cells += [f"{100 * number / all_images:.2f}" for number in counts]
    return cells


def _mark(text: str, published: bool) -> str:
    return f"{text}*" if published else text
