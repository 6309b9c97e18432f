"""The page's first section: accuracy against time and size, and the files that no other file beats."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...edge.common.pages.error_axis import ACCURACY_TICKS, error_of, pick_front, render_front
from ...edge.common.pages.html import Html, join, link, link_raw, paragraph, section, table, to_html, two_lines
from ...edge.common.pages.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, render_frame
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.text import escape_html
from ..results.findings import mark_front, timed_rows
from ..results.schema import Accuracy, Latency, Results, Row
from ..results.wording import format_us, target_label
from .latency_plots import kind_of
from .latency_section import judge_validity
from .range_chart import LogAxis, make_log_axis

HEAD = ["row", "front", "file", "on", "accuracy %", "p50 us", "kB", "validity"]

STYLE = """
svg.chart { overflow: visible; }
.scatter { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem; }
.chart .mark-shape { fill: var(--mark); fill-opacity: .85; stroke: var(--paper); stroke-width: 1; }
.chart .doubt { fill: var(--paper); stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 2 2; }
.chart .whisker { stroke: var(--mark); stroke-width: 1.5; }
.chart .stairs { stroke: var(--ink); stroke-dasharray: 4 3; fill: none; stroke-width: 1.2; }
.chart .number { fill: var(--paper); font-size: 10px; font-weight: 700; } .chart .doubtful.number { fill: var(--ink); }
.chart .several.number { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
"""

# Marks with closer centres, in units of the drawing, hide each other's numbers.
CLEAR_OF = 12.0


@dataclass(frozen=True)
class CostMark:
    """The mark of a row in the drawing."""

    place: int
    row: Row
    accuracy: Accuracy
    latency: Latency


@dataclass(frozen=True)
class Cost:
    """The cost on the horizontal axis, and the way to get it from a mark."""

    title: str
    name: str
    of: Callable[[CostMark], float]


TIME = Cost("median latency at batch 1, microseconds, logarithmic", "latency", lambda mark: mark.latency.p50)
SIZE = Cost("size of the file, kB, logarithmic", "size", lambda mark: mark.row.size_bytes / 1000)


def draw_costs(results: Results, file: str) -> Html:
    """Draw charts and a table for each machine that timed anything.

    Args:
        results: The run to show.
        file: Name of the JSON beside the page.
    """
    parts: list[Html] = []
    for place, machine in enumerate(results.machines):
        marks = [
            CostMark(i, row, row.accuracy, row.latency)
            for i, row in timed_rows(results, place)
            if row.accuracy and row.latency
        ]
        if marks:
            title = f"<h3>{to_html(machine.name)}: {to_html(machine.host.model)}</h3>"
            parts += [Html(title), _draw_machine(marks, file)]
    return section("cost", "Accuracy, latency and size", *parts)


def _draw_machine(marks: Sequence[CostMark], file: str) -> Html:
    front = mark_front((mark.place, mark.row) for mark in marks)
    drawn = _pick_fastest(marks, each=lambda row: (row.file, row.runtime))
    drawings = join([_draw_scatter(TIME, drawn), _draw_scatter(SIZE, _pick_fastest(drawn, each=lambda row: row.file))])
    lines = [
        [
            link(f"raw-{mark.place}", str(mark.place)),
            "★" if mark.place in front else "",
            mark.row.file + (" (peer)" if mark.row.is_peer else ""),
            target_label(mark.row),
            two_lines(
                f"{100 * mark.accuracy.share:.2f}",
                " to ".join(f"{100 * bound:.2f}" for bound in mark.accuracy.interval),
            ),
            two_lines(format_us(mark.latency.p50), " to ".join(map(format_us, mark.latency.p50_interval))),
            f"{mark.row.size_bytes / 1000:.0f}",
            judge_validity(mark.row),
        ]
        for mark in marks
    ]
    note = paragraph(
        "Better is to the top left; upwards, errors are logarithmic. Of a file's targets on a runtime, the fastest is "
        "drawn; over size, the fastest of all. Numbers are rows of the table: in a mark, or above marks that hide each "
        "other. Whiskers are 95 % intervals; circles are TFLite, squares other formats; hollow marks are unstable or "
        "invalid. The stairs are the front of what is drawn; ★ is the front of accuracy, latency and size together: "
        "nothing else is at least as good in all three. Two rows on it may still differ by less than can be measured.",
        "note",
    )
    raw = link_raw(
        file, {f"rows[{mark.place}].{name}": f"raw-{mark.place}" for mark in marks for name in ("accuracy", "latency")}
    )
    return join([
        Html(f'<figure><div class="scatter">{drawings}</div><figcaption>{note}{raw}</figcaption></figure>'),
        table(HEAD, lines, left=4, words=HEAD[-1:]),
    ])  # fmt: skip


def _pick_fastest(marks: Sequence[CostMark], each: Callable[[Row], object]) -> list[CostMark]:
    """Pick the target with the lowest median for each value of `each`: all targets would cover one another."""
    fastest: dict[object, CostMark] = {}
    for mark in sorted(marks, key=TIME.of, reverse=True):
        fastest[each(mark.row)] = mark
    return [mark for mark in marks if mark in fastest.values()]


def _draw_scatter(cost: Cost, marks: Sequence[CostMark]) -> Html:
    costs = [cost.of(mark) for mark in marks]
    across = make_log_axis(cost.title, min(costs) / 1.1, max(costs) * 1.1)
    count = marks[0].accuracy.count
    errors = [error_of(bound, mark.accuracy.count) for mark in marks for bound in mark.accuracy.interval]
    ticks = [100 - tick for tick in ACCURACY_TICKS]
    worst = min((tick for tick in ticks if tick >= 100 * max(errors)), default=100.0)
    best = max((tick for tick in ticks if tick <= 100 * min(errors)), default=100 - ACCURACY_TICKS[-1])
    written = [tick for tick in ticks if best <= tick <= worst]
    # From large errors at the bottom to small ones at the top.
    up = LogAxis(f"accuracy, %, n = {count:,}", written, lambda error: f"{100 - error:.6g}")
    # Large marks first, so that none hides a smaller one.
    ordered = sorted(marks, key=lambda mark: -mark.row.size_bytes)
    largest = ordered[0].row.size_bytes
    drawn = "".join(_draw_mark((across, up), cost, mark, largest) for mark in ordered)
    parts = [_draw_front((across, up), cost, marks), drawn, _write_numbers((across, up), cost, ordered, largest)]
    return Html(render_frame(f"Accuracy and {cost.name}", (across, up), "".join(parts)))


def _place(axes: tuple[Axis, Axis], cost: float, accuracy: float, count: int) -> tuple[float, float]:
    x = LEFT + axes[0].place(cost, WIDTH - LEFT - RIGHT)
    return x, HEIGHT - BOTTOM - axes[1].place(100 * error_of(accuracy, count), HEIGHT - TOP - BOTTOM)


def _draw_front(axes: tuple[Axis, Axis], cost: Cost, marks: Sequence[CostMark]) -> str:
    valid = (mark for mark in marks if mark.row.validity != "invalid")
    front = pick_front(valid, cost.of, lambda mark: mark.accuracy.share)
    places = [_place(axes, cost.of(mark), mark.accuracy.share, mark.accuracy.count) for mark in front]
    return render_front("stairs", places, WIDTH - RIGHT)


def _draw_mark(axes: tuple[Axis, Axis], cost: Cost, mark: CostMark, largest: int) -> str:
    accuracy, row = mark.accuracy, mark.row
    x, y = _place(axes, cost.of(mark), accuracy.share, accuracy.count)
    low, high = (_place(axes, cost.of(mark), bound, accuracy.count)[1] for bound in accuracy.interval)
    radius = _radius(mark, largest)
    style = "mark-shape" if row.validity == "valid" else "doubt"
    if row.format == "tflite":
        shape = f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
    else:
        side, corner = 1.8 * radius, 0.9 * radius
        place = f'x="{x - corner:.1f}" y="{y - corner:.1f}" width="{side:.1f}" height="{side:.1f}"'
        shape = f'<rect class="{style}" {place}/>'
    told = (
        f"row {mark.place}: {row.file} on {target_label(row)}, {format_percent(accuracy.share)}, p50 "
        f"{format_us(mark.latency.p50)} us, {row.size_bytes:,} bytes"
    )
    return (
        f'<a href="#raw-{mark.place}" class="{kind_of(row)}"><title>{escape_html(told)}</title>'
        f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>{shape}</a>'
    )


def _radius(mark: CostMark, largest: int) -> float:
    return 7 + 4 * math.sqrt(mark.row.size_bytes / largest)


def _write_numbers(axes: tuple[Axis, Axis], cost: Cost, marks: Sequence[CostMark], largest: int) -> str:
    """Write each mark's row number in its centre; if marks overlap, write all their numbers above."""
    groups: list[list[tuple[float, float, CostMark]]] = []
    for mark in marks:
        x, y = _place(axes, cost.of(mark), mark.accuracy.share, mark.accuracy.count)
        near = [group for group in groups if any(math.hypot(x - a, y - b) < CLEAR_OF for a, b, _ in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(one for group in near for one in group), (x, y, mark)])
    texts: list[str] = []
    for group in groups:
        x = sum(x for x, _, _ in group) / len(group)
        if len(group) == 1:
            y, kind = group[0][1] + 3.5, "number" if group[0][2].row.validity == "valid" else "doubtful number"
        else:
            y, kind = min(y - _radius(mark, largest) for _, y, mark in group) - 3, "several number"
        rows = ", ".join(str(place) for place in sorted(mark.place for _, _, mark in group))
        texts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{rows}</text>')
    return f'<g pointer-events="none">{"".join(texts)}</g>'
