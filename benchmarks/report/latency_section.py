"""The page's section on latency: distributions, differences between targets, our own layer, camera rate, batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...edge.common.pages.page import PageFigure, PageTable, TableCell
from ...edge.common.terminal.formatting import format_p
from ..results.findings import compare_latencies, find_fastest, timed_rows
from ..results.schema import Latency, Results, Row
from ..results.wording import format_interval, format_us, judge_slowdown, row_label, target_label
from .cost_section import judge_validity
from .latency_plots import Timed, draw_ranges, draw_ratios, draw_shapes, format_bounds

HEAD = ["row", "file", "on", "p50 us", "p90 us", "p99 us", "p99.9 us", "worst us", "images/s", "first ms", "load ms",
        "peak MB", "validity"]  # fmt: skip
SLOWER_HEAD = ["row", "file on target", "longer, %", "95 % interval", "p", "slower in calls, %", "in words"]


@dataclass(frozen=True)
class MachineLatencies:
    """The charts and tables of a machine.

    Attributes:
        has_energy: Whether a counter of energy is exposed.
        fastest: Label of our fastest row; empty if there is none.
        differences: Other rows against the fastest; no lines without it.
        ratios: Charts of our layer, and of calls at camera rate.
    """

    title: str
    charts: Sequence[PageFigure]
    table: PageTable
    has_energy: bool
    fastest: str
    differences: PageTable
    ratios: Sequence[PageFigure]
    batches: PageTable


def draw_latencies(results: Results) -> list[MachineLatencies]:
    """Draw the charts and tables of each machine that timed anything."""
    found: list[MachineLatencies] = []
    for place, machine in enumerate(results.machines):
        rows = [(i, row, row.latency) for i, row in timed_rows(results, place) if row.latency]
        if rows:
            found.append(_draw_machine(f"{machine.name}: {machine.host.model}", machine.name, rows))
    return found


def _draw_machine(title: str, machine: str, rows: Sequence[Timed]) -> MachineLatencies:
    fastest = find_fastest([(place, row) for place, row, _ in rows])
    layer = draw_ratios(
        "This package's layer over the bare interpreter",
        "Both take turns on the same images in the same processes; the ratio of their medians in each process, and "
        "its 95 % interval over processes.",
        rows,
        ("bare", "latency"),
        machine,
    )
    paced = draw_ratios(
        "At camera rate beside back to back",
        "A call every 1/30 s, as a camera has it: caches and clocks cool down between calls. In the same "
        "processes; the ratio of the medians in each, and its 95 % interval over processes.",
        rows,
        ("latency", "paced"),
        machine,
    )
    return MachineLatencies(
        title=title,
        charts=[draw_ranges(rows, machine), draw_shapes(rows, machine)],
        table=_tabulate_latencies(rows),
        has_energy=any(row.energy_mj is not None for _, row, _ in rows),
        fastest=row_label(fastest) if fastest and fastest.latency else "",
        differences=PageTable(SLOWER_HEAD, _compare(rows, fastest), left=2, words=SLOWER_HEAD[-1:]),
        ratios=[figure for figure in (layer, paced) if figure],
        batches=_tabulate_batches(rows),
    )


def _tabulate_latencies(rows: Sequence[Timed]) -> PageTable:
    """Tabulate all quantiles, and energy if any was measured."""
    energies = [[_energy(row)] if any(one.energy_mj is not None for _, one, _ in rows) else [] for _, row, _ in rows]
    lines = [[*_cells(*timed), *energy] for timed, energy in zip(rows, energies, strict=True)]
    head = [*HEAD, "mJ an image"] if energies[0] else HEAD
    return PageTable(head, lines, left=3, names=[f"latency-{place}" for place, _, _ in rows], words=["validity"])


def _energy(row: Row) -> TableCell:
    if row.energy_mj is None:
        return TableCell("not exposed")
    return TableCell(f"{row.energy_mj:.3g}", row.energy_source or "")


def _cells(place: int, row: Row, latency: Latency) -> list[str | TableCell]:
    return [
        _link(place),
        row.file,
        target_label(row),
        TableCell(format_us(latency.p50), format_bounds(latency)),
        *(format_us(value) for value in (latency.p90, latency.p99, latency.p999, latency.max)),
        f"{latency.images_per_second:,.0f}",
        f"{np.median(row.first_ms):.2f}" if row.first_ms else "",
        f"{np.median(row.load_ms):.0f}" if row.load_ms else "",
        f"{np.median(row.peak_memory_mb):.0f}" if row.peak_memory_mb else "",
        judge_validity(row),
    ]


def _compare(rows: Sequence[Timed], fastest: Row | None) -> list[list[str | TableCell]]:
    """Compare every other row with our fastest file, by processes."""
    lines: list[list[str | TableCell]] = []
    for place, row, latency in rows:
        if fastest is None or fastest.latency is None or row is fastest:
            continue
        slowdown = compare_latencies(fastest.latency, latency)
        lines.append([
            _link(place),
            row_label(row),
            f"{slowdown.percent:+.1f}",
            format_interval(slowdown.interval_percent),
            format_p(slowdown.p),
            f"{100 * slowdown.slower_share:.0f}",
            "not judged: invalid" if row.validity == "invalid" else judge_slowdown(slowdown),
        ])  # fmt: skip
    return lines


def _tabulate_batches(rows: Sequence[Timed]) -> PageTable:
    lines = [
        [
            _link(place),
            row_label(row),
            str(batch.batch),
            TableCell(format_us(batch.p50), format_bounds(batch)),
            format_us(batch.p50 / batch.batch),
            f"{batch.images_per_second:,.0f}",
        ]
        for place, row, latency in rows
        if row.batches
        for batch in (latency, *row.batches)
    ]
    head = ["row", "file on target", "images a call", "p50 us a call", "us an image", "images/s"]
    return PageTable(head, lines, left=2)


def _link(place: int) -> TableCell:
    return TableCell(str(place), link=f"raw-{place}")
