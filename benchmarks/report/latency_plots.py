"""Plots of latencies: ranges on one axis, distributions relative to their medians, and ratios."""

from collections.abc import Sequence

import numpy as np

from ...edge.common.pages.page import PageFigure
from ...edge.common.pages.row_charts import ChartRow, draw_rows
from ...edge.common.terminal.formatting import format_percent
from ..results.findings import measure_ratio
from ..results.schema import Latency, Row
from ..results.wording import NO_DIFFERENCE, format_count, format_us, row_label
from .cost_section import kind_of

# A row's index in the results, the row, and its latency.
Timed = tuple[int, Row, Latency]
COLOURS = "Blue: integers; orange: floats; green: others' models."


def format_bounds(latency: Latency) -> str:
    """Format the interval of the median, in microseconds."""
    return " to ".join(map(format_us, latency.p50_interval))


def draw_ranges(rows: Sequence[Timed], machine: str) -> PageFigure:
    """Draw median, p99 and the slowest call of each row on one axis."""
    drawn = [
        ChartRow(
            name=row_label(row),
            note=_amount(latency),
            value=f"p50 {_us(latency.p50)}",
            value_note=f"{format_bounds(latency)}; p99 {format_us(latency.p99)}",
            kind=kind_of(row),
            link=f"raw-{place}",
            bar=latency.p50_interval,
            line=(latency.p50, latency.p99),
            strokes=(latency.p50, latency.p99),
            rings=(latency.max,),
        )
        for place, row, latency in rows
    ]
    note = (
        f"{COLOURS} The long stroke is the median (p50) and the thick bar its 95 % interval over processes; the line "
        "reaches to p99, and the ring is the slowest call."
    )
    across = "microseconds a call at batch 1, logarithmic"
    chart = draw_rows(f"Latencies, {machine}", across, drawn, is_log=True)
    return PageFigure(chart, "Median, p99 and slowest call", note, _paths(rows))


def draw_shapes(rows: Sequence[Timed], machine: str) -> PageFigure:
    """Draw each distribution relative to its median, up to every p90, and to p99 unless that is far away."""
    tails = float(np.median([latency.p99 / latency.p50 for _, _, latency in rows]))
    furthest = max(latency.p90 / latency.p50 for _, _, latency in rows)
    # A little beyond the last p90, so that its stroke is visible.
    end = max(1.01 * furthest, min(tails, max(2.0, 1.2 * furthest)))
    drawn = [_shape(place, row, latency, end) for place, row, latency in rows]
    note = (
        f"{COLOURS} The hill shows calls; strokes are p50, p90 and, where it is not further right, p99; the thick bar "
        "is the 95 % interval of p50, and dots are the medians of processes: where they lie apart, processes differ."
    )
    chart = draw_rows(f"Distributions, {machine}", "times the row's own median", drawn)
    return PageFigure(chart, "Distributions, each beside its own median", note, _paths(rows))


def _shape(place: int, row: Row, latency: Latency, end: float) -> ChartRow:
    pooled = np.concatenate(latency.rounds) / latency.p50
    low, high = latency.p50_interval
    return ChartRow(
        name=row_label(row),
        note=_amount(latency),
        value=f"p90 {latency.p90 / latency.p50:.2f}",
        value_note=f"{format_percent(float((pooled > end).mean()))} of calls further right",
        kind=kind_of(row),
        link=f"raw-{place}",
        hill=pooled[(pooled <= end) & (pooled >= np.quantile(pooled, 0.001))],
        bar=(low / latency.p50, high / latency.p50),
        strokes=[1.0, *(one / latency.p50 for one in (latency.p90, latency.p99) if one / latency.p50 <= end)],
        dots=[float(np.median(one)) / latency.p50 for one in latency.rounds],
    )


def draw_ratios(
    title: str, note: str, rows: Sequence[Timed], sides: tuple[str, str], machine: str
) -> PageFigure | None:
    """Draw by how many percent the second of two measurements of each row takes longer; None if no row has both."""
    found = [(place, row, ratio) for place, row, _ in rows if (ratio := measure_ratio(*_pick(row, sides)))]
    if not found:
        return None
    drawn: list[ChartRow] = []
    for place, row, ratio in found:
        low, high = map(_percent, ratio.interval)
        drawn.append(
            ChartRow(
                name=row_label(row),
                note=" and ".join(_us(one.p50) for one in _pick(row, sides) if one),
                value=f"{_percent(ratio.value):+.1f} %",
                value_note=f"95 %: {low:+.1f} to {high:+.1f}{f'; {NO_DIFFERENCE}' if low <= 0 <= high else ''}",
                kind=kind_of(row),
                link=f"raw-{place}",
                bar=(low, high),
                rings=(_percent(ratio.value),),
            )
        )
    raw = {f"rows[{place}].{side}.rounds": f"raw-{place}" for place, _, _ in found for side in sides}
    return PageFigure(draw_rows(f"{title}, {machine}", "percent longer", drawn, zero=True), title, note, raw)


def _paths(rows: Sequence[Timed]) -> dict[str, str]:
    return {f"rows[{place}].latency.rounds": f"raw-{place}" for place, _, _ in rows}


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
