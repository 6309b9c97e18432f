"""The tables of a run: accuracy by file, latency by row, and the reasons for rows that were not measured.

Without intervals they need the base installation only, so that a machine that measures can print them.
"""

from collections.abc import Sequence

import numpy as np

from ...edge.common.terminal.tables import format_table
from ...edge.common.terminal.text import one_line
from ..results.findings import AccuracyGroup, group_alike, name_group
from ..results.schema import Results, Row
from ..results.wording import format_us, place_label

INTERVAL = "95 % interval"
ACCURACY_HEADERS = ["file", "on", "accuracy %", INTERVAL, "drop vs float", "agrees with Keras %"]
LATENCY_HEADERS = ["file", "on", "p50 us", INTERVAL, "p90 us", "p99 us", "images/s", "kB", "load ms", "peak MB"]
# Suffix of a row's target in tables if its latencies are not valid.
MARKS = {"valid": "", "unstable": " (unstable)", "invalid": " (invalid)"}


def format_tables(results: Results, style: str) -> str:
    """Format accuracy and latency as tables, with the reasons for rows that have none.

    Rows of a file that read every image alike share a line of the first table.

    Args:
        results: The run to show.
        style: A tabulate style: `simple` for a terminal, `github` for Markdown.
    """
    return _format_tables(results, style, has_intervals=True)


def format_plain_tables(results: Results) -> str:
    """Format the same tables for a terminal, without intervals, which take SciPy."""
    return _format_tables(results, "simple", has_intervals=False)


def _format_tables(results: Results, style: str, has_intervals: bool) -> str:
    accuracy = [_list_accuracy_cells(results, group, has_intervals) for group in group_alike(results)]
    latency = [_list_latency_cells(results, row, has_intervals) for row in results.rows if row.latency]
    parts = [_tabulate(accuracy, ACCURACY_HEADERS, style)]
    if latency:
        parts.append(_tabulate(latency, LATENCY_HEADERS, style))
    return "\n\n".join([*parts, *(["\n".join(missing)] if (missing := _list_missing(results)) else [])])


def _list_accuracy_cells(results: Results, group: AccuracyGroup, has_intervals: bool) -> list[str | None]:
    row, accuracy = group.rows[0], group.accuracy
    drop = accuracy.drop_vs_float_pp
    return [
        row.file,
        name_group(results, group),
        f"{100 * accuracy.share:.2f}",
        " to ".join(f"{100 * bound:.2f}" for bound in accuracy.interval) if has_intervals else None,
        "" if drop is None or row.precision == "float32" else f"{drop:+z.2f}",
        "" if accuracy.agreement is None else f"{100 * accuracy.agreement:.2f}",
    ]


def _list_latency_cells(results: Results, row: Row, has_intervals: bool) -> list[str | None]:
    latency = row.latency
    assert latency is not None  # noqa: S101 - only rows with a latency have a line
    return [
        row.file,
        place_label(results, row) + MARKS[row.validity],
        format_us(latency.p50),
        " to ".join(map(format_us, latency.p50_interval)) if has_intervals else None,
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


def _tabulate(rows: list[list[str | None]], headers: list[str], style: str) -> str:
    """Tabulate, with names aligned left and figures aligned right. A column of None is left out."""
    shown = [i for i in range(len(headers)) if not any(row[i] is None for row in rows)]
    align = ("left", "left", *["right"] * (len(shown) - 2))
    return format_table([[row[i] or "" for i in shown] for row in rows], [headers[i] for i in shown], style, align)
