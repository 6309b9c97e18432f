"""The reports of a run: short tables for the terminal and a README, findings, and the files to keep."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from ...edge.common.files import write_all
from ...edge.common.pages.markdown import escape_all_markdown
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.tables import format_table
from ...edge.common.terminal.text import one_line
from ...edge.data.images import Images
from ...edge.runtimes.classifiers import RUNTIMES
from ..results.csv_table import format_csv
from ..results.findings import AccuracyGroup, group_alike, name_group
from ..results.schema import MachineRun, Results, Row
from ..results.wording import format_count, format_or_unknown, format_us, place_label
from .page import format_page
from .summary import summarize_run

ACCURACY_HEADERS = ["file", "on", "accuracy %", "95 % interval", "drop vs float", "agrees with Keras %"]
LATENCY_HEADERS = ["file", "on", "p50 us", "95 % interval", "p90 us", "p99 us", "images/s", "kB", "load ms", "peak MB"]
# Suffix of a row's target in tables if its latencies are not valid.
MARKS = {"valid": "", "unstable": " (unstable)", "invalid": " (invalid)"}


def format_tables(results: Results, style: str) -> str:
    """Format accuracy and latency as tables, with the reasons for rows that have none.

    Rows of a file that read every image alike share a line of the first table.

    Args:
        results: The run to show.
        style: A tabulate style: `simple` for a terminal, `github` for Markdown.
    """
    accuracy = [_accuracy_cells(results, group) for group in group_alike(results)]
    latency = [_latency_cells(results, row) for row in results.rows if row.latency]
    parts = [_tabulate(accuracy, ACCURACY_HEADERS, style)]
    if latency:
        parts.append(_tabulate(latency, LATENCY_HEADERS, style))
    return "\n\n".join([*parts, *(["\n".join(missing)] if (missing := _list_missing(results)) else [])])


def format_headlines(results: Results) -> str:
    """Format the tables for a README: only common runtimes, on one thread, with default settings, on this machine."""
    rows = [
        row
        for row in results.rows
        if row.runtime in RUNTIMES and (row.machine, row.threads, row.delegate) == (0, 1, "default")
    ]
    return format_tables(escape_all_markdown(msgspec.structs.replace(results, rows=rows)), "github")


def format_report(results: Results) -> str:
    """Format the Markdown report: tables, findings, and the conditions of the measurement."""
    results = escape_all_markdown(results)
    findings = "\n".join(f"- {sentence}" for sentence in summarize_run(results))
    conditions = "\n".join(f"- {sentence}" for sentence in describe_conditions(results))
    sections = [
        f"# {results.name}: accuracy and latency",
        format_tables(results, "github"),
        findings,
        "## How it was measured",
        conditions,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def describe_conditions(results: Results) -> list[str]:
    """Describe the conditions: how it was measured, on which machine, with which software."""
    settings = results.settings
    doubt = "" if results.held_out else " (it is not known whether the model was trained on them)"
    rounds, calls = format_count(settings.rounds, "fresh process", "fresh processes"), f"{settings.calls:,}"
    return [
        f"**Accuracy**: {results.image_count:,} images, {results.evaluated_on}{doubt}. The Keras model itself: "
        f"{format_percent(results.keras_correct / results.image_count)}. Intervals are Wilson's; drops are percentage "
        "points against the float32 file of the same format on the same runtime, image by image, with a paired "
        "score interval (Tango), and p is exact McNemar's.",
        f"**Latency**: batch 1 through this package's Python layer; {rounds} per row in random order, {calls} "
        f"calls in each after warm-up, at most {settings.seconds:g} s, loading excluded. Intervals are of the "
        "median over processes; targets are compared by their processes' medians (Mann and Whitney). The JSON "
        "file has all raw values.",
        "**Load** includes importing the runtime; **peak MB** is of the whole process; both are medians over "
        "processes. kB and MB are powers of ten.",
        *(_describe_machine(machine) for machine in results.machines),
        f"**Run**: edge-mnist {results.edge_mnist}, {results.name} with {results.parameters:,} parameters, card "
        f"SHA-256 {results.card_sha256[:12]}…. Started {results.started}, took {results.seconds:,.0f} s, seed "
        f"{settings.seed}.",
    ]


def write_reports(results: Results, folder: Path, images: Images | None = None) -> tuple[Path, ...]:
    """Write a run into an existing folder: `NAME.json` with every raw value, `NAME.md`, `NAME.html` and `NAME.csv`.

    Args:
        results: The run to write.
        folder: An existing folder.
        images: The images that it was evaluated on, to show those that changed; without them, the page says so.

    Returns:
        The paths, in this order.

    Raises:
        ValueError: The images are not those of the run.
        FolderError: A file cannot be written.
    """
    if images is not None and images.sha256 != results.images_sha256:
        raise ValueError(f"expected the images of {results.evaluated_on}, got {images.name}.")
    page = format_page(results, images, describe_conditions(results))
    contents = {
        "json": msgspec.json.encode(results) + b"\n",
        "md": format_report(results).encode(),
        "html": page.encode(),
        "csv": format_csv(results).encode(),
    }
    paths = tuple(folder / f"{results.name}.{suffix}" for suffix in contents)
    write_all(dict(zip(paths, contents.values(), strict=True)))
    return paths


def _accuracy_cells(results: Results, group: AccuracyGroup) -> list[str]:
    row, accuracy = group.rows[0], group.accuracy
    low, high = accuracy.interval
    drop = accuracy.drop_vs_float_pp
    return [
        row.file,
        name_group(results, group),
        f"{100 * accuracy.share:.2f}",
        f"{100 * low:.2f} to {100 * high:.2f}",
        "" if drop is None or row.precision == "float32" else f"{drop:+z.2f}",
        "" if accuracy.agreement is None else f"{100 * accuracy.agreement:.2f}",
    ]


def _latency_cells(results: Results, row: Row) -> list[str]:
    latency = row.latency
    assert latency is not None  # noqa: S101 - only rows with a latency have a line
    low, high = latency.p50_interval
    return [
        row.file,
        place_label(results, row) + MARKS[row.validity],
        format_us(latency.p50),
        f"{format_us(low)} to {format_us(high)}",
        format_us(latency.p90),
        format_us(latency.p99),
        f"{latency.images_per_second:,.0f}",
        f"{row.size_bytes / 1000:.0f}",
        _median(row.load_ms),
        _median(row.peak_memory_mb),
    ]


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f}" if values else ""


def _list_missing(results: Results) -> list[str]:
    """List the reasons why rows were not measured, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for row in results.rows:
        if row.unavailable:
            reasons.setdefault(row.unavailable, []).append(f"{row.file} on {place_label(results, row)}")
    return [one_line(f"- not measured: {', '.join(rows)}: {reason}") for reason, rows in reasons.items()]


def _describe_machine(machine: MachineRun) -> str:
    host, first, last = machine.host, machine.samples[:1], machine.samples[-1:]
    loads = [format_or_unknown(sample.load_1m) for sample in (*first, *last)]
    heat = [format_or_unknown(sample.temperature_c, " °C") for sample in (*first, *last)]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"**Machine** ({machine.name}): {host.model}, {format_count(host.cores, 'core', 'cores')}, {host.system}, "
        f"Python {host.python}, governor {format_or_unknown(host.governor)}, "
        f"processors {', '.join(map(str, machine.affinity))}, load "
        f"average {' before and '.join(loads)} after, temperature {' and '.join(heat)}. {versions}."
    )


def _tabulate(rows: list[list[str]], headers: list[str], style: str) -> str:
    """Tabulate, with names aligned left and figures aligned right."""
    align = ("left", "left", *["right"] * (len(headers) - 2))
    return format_table(rows, headers, style, align)
