"""Plots of latencies: ranges on one axis, distributions relative to their medians, and ratios."""

from collections.abc import Sequence

import numpy as np

from ...edge.common.pages.html import Html, keep_percents, link_raw, to_html, two_lines
from ...edge.common.pages.svg import Axis, choose_ticks
from ...edge.common.terminal.formatting import format_percent
from ..results.findings import measure_ratio
from ..results.schema import Latency, Row
from ..results.wording import NO_DIFFERENCE, format_count, format_us, row_label
from .range_chart import (
    ChartRow,
    draw_distribution,
    draw_interval,
    draw_range,
    make_log_axis,
    make_signed_axis,
    render_row_chart,
)

# A row's index in the results, the row, and its latency.
Timed = tuple[int, Row, Latency]
LEGEND = (
    '<span class="ours"><span class="swatch"></span> integers</span>, <span class="float"><span class="swatch"></span> '
    'floats</span>, <span class="peer"><span class="swatch"></span> others\' models</span>.'
)


def kind_of(row: Row) -> str:
    """Return the kind of a row, which decides its colour."""
    if row.is_peer:
        return "peer"
    return "float" if row.precision in {None, "float32", "float16"} else "ours"


def format_bounds(latency: Latency) -> str:
    """Format the interval of the median, in microseconds."""
    return " to ".join(map(format_us, latency.p50_interval))


def draw_ranges(rows: Sequence[Timed], file: str) -> Html:
    """Draw median, p99 and the slowest call of each row on one axis; `file` is the JSON beside the page."""
    axis = make_log_axis(
        "microseconds a call at batch 1, logarithmic",
        min(latency.p50_interval[0] for _, _, latency in rows),
        max(latency.max for _, _, latency in rows),
    )
    lanes = [
        ChartRow(
            name=row_label(row),
            small=_amount(latency),
            value=two_lines(f"p50 {_us(latency.p50)}", f"{format_bounds(latency)}; p99 {format_us(latency.p99)}"),
            content=draw_range(axis, latency),
            kind=kind_of(row),
            target=f"raw-{place}",
        )
        for place, row, latency in rows
    ]
    words = (
        f"{LEGEND} The long stroke is the median (p50) and the thick bar its 95 % interval over processes; the line "
        "reaches to p99, and the ring is the slowest call."
    )
    return _figure("", axis, lanes, words, link_raw(file, _paths(rows)))


def draw_shapes(rows: Sequence[Timed], file: str) -> Html:
    """Draw each distribution relative to its median, up to every p90, and to p99 unless that is far away."""
    low = min(np.quantile(np.concatenate(latency.rounds), 0.001) / latency.p50 for _, _, latency in rows)
    tails = float(np.median([latency.p99 / latency.p50 for _, _, latency in rows]))
    furthest = max(latency.p90 / latency.p50 for _, _, latency in rows)
    # A little beyond the last p90, so that its stroke is visible.
    high = max(1.01 * furthest, min(tails, max(2.0, 1.2 * furthest)))
    axis = Axis("times the row's own median", choose_ticks(low, high), "{:.4g}".format)
    lanes: list[ChartRow] = []
    for place, row, latency in rows:
        pooled = np.concatenate(latency.rounds) / latency.p50
        beyond = float((pooled > axis.ticks[-1]).mean())
        lanes.append(
            ChartRow(
                name=row_label(row),
                small=_amount(latency),
                value=two_lines(
                    f"p90 {latency.p90 / latency.p50:.2f}", f"{format_percent(beyond)} of calls further right"
                ),
                content=draw_distribution(axis, latency, latency.p50),
                kind=kind_of(row),
                target=f"raw-{place}",
            )
        )
    words = (
        f"{LEGEND} The hill has the calls; strokes are p50, p90 and, where it is not further right, p99; the thick bar "
        "is the 95 % interval of p50, and dots are the medians of processes: where they lie apart, processes differ."
    )
    return _figure("Distributions, each beside its own median", axis, lanes, words, link_raw(file, _paths(rows)))


def _figure(title: str, axis: Axis, lanes: Sequence[ChartRow], words: str, raw: Html) -> Html:
    head = f"<h4>{to_html(title)}</h4>" if title else ""
    return Html(
        f"{head}<figure>{render_row_chart(axis, lanes)}<figcaption>"
        f'<p class="note">{keep_percents(words)}</p>{raw}</figcaption></figure>'
    )


def _paths(rows: Sequence[Timed]) -> dict[str, str]:
    return {f"rows[{place}].latency.rounds": f"raw-{place}" for place, _, _ in rows}


def draw_ratios(title: str, explanation: str, rows: Sequence[Timed], sides: tuple[str, str], file: str) -> Html:
    """Draw by how many percent the second of two measurements of each row takes longer, if it has both."""
    found = [(place, row, ratio) for place, row, _ in rows if (ratio := measure_ratio(*_pick(row, sides)))]
    if not found:
        return Html("")
    axis = make_signed_axis("percent longer", [_percent(bound) for _, _, ratio in found for bound in ratio.interval])
    lanes: list[ChartRow] = []
    for place, row, ratio in found:
        low, high = map(_percent, ratio.interval)
        words = f"; {NO_DIFFERENCE}" if low <= 0 <= high else ""
        lanes.append(
            ChartRow(
                name=row_label(row),
                small=" and ".join(_us(one.p50) for one in _pick(row, sides) if one),
                value=two_lines(f"{_percent(ratio.value):+.1f} %", f"95 %: {low:+.1f} to {high:+.1f}{words}"),
                content=draw_interval(axis, _percent(ratio.value), (low, high)),
                kind=kind_of(row),
                target=f"raw-{place}",
            )
        )
    raw = link_raw(file, {f"rows[{place}].{side}.rounds": f"raw-{place}" for place, _, _ in found for side in sides})
    return _figure(title, axis, lanes, explanation, raw)


def _pick(row: Row, sides: tuple[str, str]) -> tuple[Latency | None, Latency | None]:
    timed = {"bare": row.bare, "latency": row.latency, "paced": row.paced}
    return timed[sides[0]], timed[sides[1]]


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)


def _us(value: float) -> str:
    return f"{format_us(value)} us"


def _amount(latency: Latency) -> str:
    calls = sum(map(len, latency.rounds))
    return f"n = {format_count(calls, 'call', 'calls')} of {format_count(len(latency.rounds), 'process', 'processes')}"
