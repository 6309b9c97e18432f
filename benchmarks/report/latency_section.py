"""The page's section on latency: distributions, differences between targets, our own layer, camera rate, batches."""

from collections.abc import Sequence

import numpy as np

from ...edge.common.pages.html import Html, join, link, paragraph, section, table, to_html, two_lines
from ...edge.common.terminal.formatting import format_p
from ..results.findings import compare_latencies, find_fastest, timed_rows
from ..results.schema import Latency, Results, Row
from ..results.wording import format_interval, format_us, judge_slowdown, row_label, target_label
from .latency_plots import Timed, draw_ranges, draw_ratios, draw_shapes, format_bounds

HEAD = ["row", "file", "on", "p50 us", "p90 us", "p99 us", "p99.9 us", "worst us", "images/s", "first ms", "load ms",
        "peak MB", "validity"]  # fmt: skip
SLOWER_HEAD = ["row", "file on target", "longer, %", "95 % interval", "p", "slower in calls, %", "in words"]


def draw_latencies(results: Results, file: str) -> Html:
    """Draw the whole section, machine by machine.

    Args:
        results: The run to show.
        file: Name of the JSON beside the page.
    """
    parts: list[Html] = []
    for place, machine in enumerate(results.machines):
        rows = timed_rows(results, place)
        if rows:
            title = Html(f"<h3>{to_html(machine.name)}: {to_html(machine.host.model)}</h3>")
            parts += [title, *_draw_machine(rows, file)]
    return section("latency", "Latency: how long a call takes", *parts)


def judge_validity(row: Row) -> Html:
    """Render the row's validity mark with its reasons."""
    if row.validity == "valid":
        return Html("valid")
    reasons = "; ".join(row.reasons) or "no reason given"
    return Html(f'<span class="{row.validity}">{row.validity}</span><small>{to_html(reasons)}</small>')


def _draw_machine(rows: Sequence[tuple[int, Row]], file: str) -> list[Html]:
    timed = [(place, row, row.latency) for place, row in rows if row.latency]
    return [
        draw_ranges(timed, file),
        draw_shapes(timed, file),
        _tabulate_latencies(timed),
        _compare_with_fastest(timed),
        draw_ratios(
            "This package's layer over the bare interpreter",
            "Both take turns on the same images in the same processes; the ratio of their medians in each process, and "
            "its 95 % interval over processes.",
            timed,
            ("bare", "latency"),
            file,
        ),
        draw_ratios(
            "At camera rate beside back to back",
            "A call every 1/30 s, as a camera has it: caches and clocks cool down between calls. In the same "
            "processes; the ratio of the medians in each, and its 95 % interval over processes.",
            timed,
            ("latency", "paced"),
            file,
        ),
        _tabulate_batches(timed),
    ]


def _tabulate_latencies(rows: Sequence[Timed]) -> Html:
    """Tabulate all quantiles, and energy if any was measured."""
    energies = [[_energy(row)] if any(one.energy_mj is not None for _, one, _ in rows) else [] for _, row, _ in rows]
    lines = [[*_cells(*timed), *energy] for timed, energy in zip(rows, energies, strict=True)]
    silent = "" if energies[0] else " No counter of energy is exposed here."
    note = paragraph(
        "Under p50, its 95 % interval over processes. First and load are medians over processes; load includes "
        f"importing the runtime.{silent}",
        "note",
    )
    head = [*HEAD, "mJ an image"] if energies[0] else HEAD
    names = [f"latency-{place}" for place, _, _ in rows]
    return join([table(head, lines, left=3, names=names, words=["validity"]), note])


def _energy(row: Row) -> str:
    return "not exposed" if row.energy_mj is None else two_lines(f"{row.energy_mj:.3g}", row.energy_source or "")


def _cells(place: int, row: Row, latency: Latency) -> list[str]:
    return [
        link(f"raw-{place}", str(place)),
        row.file,
        target_label(row),
        two_lines(format_us(latency.p50), format_bounds(latency)),
        *(format_us(value) for value in (latency.p90, latency.p99, latency.p999, latency.max)),
        f"{latency.images_per_second:,.0f}",
        f"{np.median(row.first_ms):.2f}" if row.first_ms else "",
        f"{np.median(row.load_ms):.0f}" if row.load_ms else "",
        f"{np.median(row.peak_memory_mb):.0f}" if row.peak_memory_mb else "",
        judge_validity(row),
    ]


def _compare_with_fastest(rows: Sequence[Timed]) -> Html:
    """Compare every other row with our fastest file, by processes."""
    fastest = find_fastest([(place, row) for place, row, _ in rows])
    if fastest is None or fastest.latency is None:
        return Html("")
    lines: list[list[str]] = []
    for place, row, latency in rows:
        if row is fastest:
            continue
        slowdown = compare_latencies(fastest.latency, latency)
        figures = [
            f"{slowdown.percent:+.1f}",
            format_interval(slowdown.interval_percent),
            format_p(slowdown.p),
            f"{100 * slowdown.slower_share:.0f}",
        ]
        words = "not judged: invalid" if row.validity == "invalid" else judge_slowdown(slowdown)
        lines.append([link(f"raw-{place}", str(place)), row_label(row), *figures, words])
    note = paragraph(
        f"Beside {row_label(fastest)}, the fastest of ours. Processes are compared, not calls (Mann and Whitney; "
        "Hodges and Lehmann's interval); each comparison stands for itself, so one of twenty without any difference "
        "may be called one. **Slower in calls** is how often a call takes longer than one of the fastest; 50 % is "
        "no difference.",
        "note",
    )
    return (
        join([Html("<h3>Differences</h3>"), table(SLOWER_HEAD, lines, left=2, words=SLOWER_HEAD[-1:]), note])
        if lines
        else Html("")
    )


def _tabulate_batches(rows: Sequence[Timed]) -> Html:
    lines = [
        [
            link(f"raw-{place}", str(place)),
            row_label(row),
            str(batch.batch),
            two_lines(format_us(batch.p50), format_bounds(batch)),
            format_us(batch.p50 / batch.batch),
            f"{batch.images_per_second:,.0f}",
        ]
        for place, row, latency in rows
        if row.batches
        for batch in (latency, *row.batches)
    ]
    head = ["row", "file on target", "images a call", "p50 us a call", "us an image", "images/s"]
    return join([Html("<h3>Several images a call</h3>"), table(head, lines, left=2)]) if lines else Html("")
