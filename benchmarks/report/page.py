"""A benchmark's HTML page for decisions: the verdict, then findings, plots, pictures, conditions and raw values.

One HTML file without scripts or external resources. The JSON with the raw values lies beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...edge.common.pages.page import PageTable, TableCell, render_page
from ...edge.common.terminal.formatting import format_percent
from ...edge.data.images import Images
from ..results.findings import find_fastest, mark_front, timed_rows
from ..results.schema import Latency, Results, Row
from ..results.wording import describe_drop, format_count, format_us, row_label, target_label
from .accuracy_section import MOST_SHOWN, draw_accuracies
from .cost_section import draw_costs, measured_rows, tabulate_costs
from .glossary import GLOSSARY
from .latency_plots import format_bounds
from .latency_section import draw_latencies
from .machine_section import draw_budgets, draw_machines
from .summary import describe_doubts, describe_findings

HEAD = ["path in the JSON", "processes", "calls of each", "median of each process, us", "slowest of each, us"]
# Lines of the first table.
MOST_FIRST = 8


@dataclass(frozen=True)
class RawValues:
    """The places of a row's raw values, the target of links from all figures."""

    anchor: str
    title: str
    facts: str
    table: PageTable


def format_page(results: Results, images: Images | None, conditions: Sequence[str]) -> str:
    """Render the page.

    Args:
        results: The run to show.
        images: The images that it was evaluated on, to show those that changed; None if not available.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    return render_page(
        "benchmark.html",
        title=f"{results.name}: accuracy and latency",
        results=results,
        file=f"{results.name}.json",
        machines="; ".join(f"{machine.name} ({machine.host.model})" for machine in results.machines),
        doubts=describe_doubts(results),
        verdict=describe_verdict(results),
        best=_tabulate_best(results),
        findings=describe_findings(results),
        costs=draw_costs(results),
        accuracies=draw_accuracies(results, images),
        has_images=images is not None,
        most_shown=MOST_SHOWN,
        latencies=draw_latencies(results),
        budgets=draw_budgets(results),
        conditions=draw_machines(results),
        missing=_list_missing(results),
        how=conditions,
        raw=[_list_raw(results, place, row) for place, row in enumerate(results.rows) if not row.unavailable],
        glossary=GLOSSARY,
    )


def describe_verdict(results: Results) -> str:
    """Describe our fastest file on the first machine that timed any, in Markdown; empty if there is none."""
    for place, machine in enumerate(results.machines):
        row = find_fastest(timed_rows(results, place))
        if row and row.latency and row.accuracy:
            drop = describe_drop(row.accuracy) if row.precision != "float32" else ""
            return (
                f"The fastest file on {machine.name} is **{row_label(row)}**: it reads "
                f"**{format_percent(row.accuracy.share)}** of {row.accuracy.count:,} images, takes "
                f"**{format_us(row.latency.p50)} us** an image (p50; 95 % interval {format_bounds(row.latency)}) and "
                f"has {row.size_bytes / 1000:.0f} kB.{f' Against float32: {drop}.' if drop else ''}"
            )
    return ""


def _tabulate_best(results: Results) -> PageTable:
    """Tabulate the rows of the first machine that nothing else beats, the most accurate first."""
    for place, _ in enumerate(results.machines):
        rows = measured_rows(results, place)
        front = mark_front((one.place, one.row) for one in rows)
        best = sorted((one for one in rows if one.place in front), key=lambda one: -one.accuracy.share)
        if best:
            return tabulate_costs(best[:MOST_FIRST], rows)
    return PageTable([], [])


def _list_raw(results: Results, place: int, row: Row) -> RawValues:
    measured = {"latency": row.latency, "bare": row.bare, "paced": row.paced}
    measured |= {f"batches[{i}]": batch for i, batch in enumerate(row.batches)}
    lines = [_cells(f"rows[{place}].{name}.rounds", latency) for name, latency in measured.items() if latency]
    facts = [f"SHA-256 {row.file_sha256[:16]}…"]
    if row.accuracy:
        wrong = format_count(len(row.accuracy.misread), "image", "images")
        facts.append(f"{wrong} misread, in rows[{place}].accuracy.misread")
    if row.clock_resolution_us is not None:
        facts.append(f"timed by a clock that steps by {row.clock_resolution_us:g} us")
    title = f"row {place}: {row_label(row)}, {results.machines[row.machine].name}"
    return RawValues(f"raw-{place}", title, "; ".join(facts) + ".", PageTable(HEAD, lines))


def _cells(path: str, latency: Latency) -> list[str]:
    calls = dict.fromkeys(f"{len(one):,}" for one in latency.rounds)
    return [
        path,
        str(len(latency.rounds)),
        ", ".join(calls),
        ", ".join(format_us(float(np.median(one))) for one in latency.rounds),
        ", ".join(format_us(max(one)) for one in latency.rounds),
    ]


def _list_missing(results: Results) -> PageTable:
    """List rows without figures and the reasons, and rows without latencies."""
    lines: list[list[str | TableCell]] = [["", "", machine, reason] for machine, reason in results.unreachable.items()]
    for row in results.rows:
        reason = row.unavailable or ("" if row.latency else "checked for correctness only; its latency is not shown")
        if reason:
            lines.append([row.file, target_label(row), results.machines[row.machine].name, reason])
    return PageTable(["file", "on", "machine", "why"], lines, left=3, words=["why"])
