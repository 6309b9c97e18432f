"""The decision that a benchmark supports: which file to deploy, what it costs against float32, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...edge.common.pages.page import PageTable, Svg, TableCell
from ...edge.common.pages.scatter import draw_scatter
from ...edge.common.terminal.formatting import format_percent
from ..results.findings import compare_latencies, find_float, mark_front, timed_rows
from ..results.schema import Accuracy, Results, Row
from ..results.wording import (
    FEWEST_COMPARED,
    NO_DIFFERENCE,
    describe_drop,
    format_us,
    judge_drop,
    judge_slowdown,
    place_label,
    target_label,
)
from ..statistics.paired import SIGNIFICANCE
from ..statistics.slowdowns import Slowdown
from .cost_section import make_mark
from .latency_plots import format_bounds

CHOICE = (
    "The first file is the one to deploy: the smallest of those that are not measurably slower than the fastest, among "
    "files of ours without a measurable drop. ★ marks files that no other file beats in accuracy, time and size "
    "together; ≈ means no measurable difference from float32."
)
HEAD = ["file", "accuracy %", "drop vs float, points", "p50 us", "time / float's", "kB"]
# Lines of the first table, which the first plot shows, too.
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class DeployCandidate:
    """A file at its fastest target on a machine.

    Attributes:
        place: Index of the row in the results.
        slowdown: Its time beside that of the float32 file on the same target; None if either was not timed.
    """

    place: int
    row: Row
    accuracy: Accuracy
    slowdown: Slowdown | None

    @property
    def time(self) -> float:
        """Median latency in microseconds, infinite if it is missing or invalid."""
        return self.row.latency.p50 if self.row.latency and self.row.validity != "invalid" else np.inf

    @property
    def is_fit(self) -> bool:
        """Whether it is an exported file of ours without a measurable drop from float32."""
        drop, p = self.accuracy.drop_vs_float_pp or 0.0, self.accuracy.p_vs_float
        return not self.row.is_peer and self.row.format != "keras" and (drop <= 0 or p is None or p > SIGNIFICANCE)


def list_candidates(results: Results) -> list[DeployCandidate]:
    """List each machine's files at their fastest targets, on each machine the one to deploy first.

    That is the smallest file of those that are not measurably slower than the fastest, among files of ours without a
    measurable drop; without latencies, the smallest of these. An unstable time is slower only if its interval lies
    above the other's. The others follow by time.
    """
    fastest: dict[tuple[int, str], DeployCandidate] = {}
    for place, row in enumerate(results.rows):
        if row.accuracy is None:
            continue
        one = DeployCandidate(place, row, row.accuracy, _compare_with_float(results, row))
        best = fastest.setdefault((row.machine, row.file), one)
        if one.time < best.time:
            fastest[row.machine, row.file] = one
    machines = sorted({machine for machine, _ in fastest})
    each = MOST_CANDIDATES // max(1, len(machines)) or 1
    ranked = [_rank([one for (machine, _), one in fastest.items() if machine == place])[:each] for place in machines]
    return [one for part in ranked for one in part][:MOST_CANDIDATES]


def _compare_with_float(results: Results, row: Row) -> Slowdown | None:
    base = find_float(results, row)
    if base is None or base is row or base.latency is None or row.latency is None:
        return None
    return compare_latencies(base.latency, row.latency)


def _rank(candidates: Sequence[DeployCandidate]) -> list[DeployCandidate]:
    fit = sorted((one for one in candidates if one.is_fit), key=lambda one: (one.time, one.row.size_bytes))
    alike = [one for one in fit[1:] if not _is_slower(one, fit[0])]
    chosen = min([*fit[:1], *alike], key=lambda one: one.row.size_bytes, default=None)
    return sorted(candidates, key=lambda one: (one is not chosen, one.row.is_peer, one.time, one.row.size_bytes))


def _is_slower(one: DeployCandidate, fastest: DeployCandidate) -> bool:
    if one.row.latency and fastest.row.latency and one.row.validity != "invalid":
        if "unstable" in {one.row.validity, fastest.row.validity}:
            return one.row.latency.p50_interval[0] > fastest.row.latency.p50_interval[1]
        slowdown = compare_latencies(fastest.row.latency, one.row.latency)
        if min(slowdown.processes) >= FEWEST_COMPARED:
            return slowdown.measurable
    return one.time > fastest.time


def _choose_first(candidates: Sequence[DeployCandidate]) -> list[DeployCandidate]:
    """Choose the file to deploy on each machine that has one."""
    first = {one.row.machine: one for one in reversed(candidates)}
    return [first[machine] for machine in sorted(first) if first[machine].is_fit]


def describe_verdict(results: Results, candidates: Sequence[DeployCandidate]) -> str:
    """Describe, in Markdown, the file to deploy on the first machine, and name those of others."""
    chosen = _choose_first(candidates)
    if not chosen:
        return "**No file** can be recommended: none of ours was measured without a measurable drop from float32."
    others = [
        f" On {results.machines[one.row.machine].name}: **{one.row.file}** with **{target_label(one.row)}**"
        f"{f', {format_us(one.row.latency.p50)} us' if one.row.latency else ''}."
        for one in chosen[1:]
    ]
    return _describe_choice(results, chosen[0]) + "".join(others)


def _describe_choice(results: Results, one: DeployCandidate) -> str:
    row, latency = one.row, one.row.latency
    size = f"has **{row.size_bytes / 1000:,.0f} kB**"
    if latency:
        change = f"; compared with float32: {judge_slowdown(one.slowdown)}" if one.slowdown else ""
        interval = f"p50; 95 % interval {format_bounds(latency)}{change}"
        doubt = "" if row.validity == "valid" else f" This time is {row.validity}: measure again on an idle machine."
        costs = f"takes **{format_us(latency.p50)} us** an image ({interval}) and {size}.{doubt}"
    else:
        costs = f"and {size}. No latency of it was kept, so size decides."
    drop = describe_drop(one.accuracy) if row.precision != "float32" else ""
    return (
        f"Deploy **{row.file}** with **{target_label(row)}** on {results.machines[row.machine].name}: it reads "
        f"**{format_percent(one.accuracy.share)}** of {one.accuracy.count:,} images{',' if latency else ''} {costs}"
        f"{f' Against float32: {drop}.' if drop else ''}"
    )


def tabulate_candidates(results: Results, candidates: Sequence[DeployCandidate]) -> PageTable:
    """Tabulate what decides; files that no other row of their machine beats have a star."""
    machines = {one.row.machine for one in candidates}
    front = set().union(*(mark_front(timed_rows(results, machine)) for machine in machines))
    chosen = [one.place for one in _choose_first(candidates)]
    lines = [_cells(results, one, one.place in front, one.place in chosen) for one in candidates]
    shown = [i for i in range(len(HEAD)) if any(line[i] for line in lines)]
    return PageTable([HEAD[i] for i in shown], [[line[i] for i in shown] for line in lines])


def _cells(results: Results, one: DeployCandidate, is_leading: bool, is_first: bool) -> list[str | TableCell]:
    row, accuracy, latency = one.row, one.accuracy, one.row.latency
    drop, interval = accuracy.drop_vs_float_pp, accuracy.drop_interval_pp
    has_drop = drop is not None and row.precision != "float32"
    bounds = f"{interval[0]:+z.2f} to {interval[1]:+z.2f}" if interval else ""
    alike = "≈ " if judge_drop(accuracy) == NO_DIFFERENCE else ""
    where = f"{'peer, ' if row.is_peer else ''}{place_label(results, row)}"
    validity = "" if row.validity == "valid" else f"; {row.validity}"
    return [
        TableCell(f"{'★ ' if is_leading else ''}{row.file}", where, f"raw-{one.place}", "best" if is_first else ""),
        TableCell(f"{100 * accuracy.share:.2f}", " to ".join(f"{100 * bound:.2f}" for bound in accuracy.interval)),
        TableCell(f"{alike}{drop:+z.2f}", bounds) if has_drop else "",
        TableCell(format_us(latency.p50), f"{format_bounds(latency)}{validity}") if latency else "",
        _compare_times(one.slowdown) if one.slowdown else "",
        f"{row.size_bytes / 1000:,.0f}",
    ]


def _compare_times(slowdown: Slowdown) -> TableCell:
    """Format a time as a share of the float32 file's, with its interval."""
    bounds = slowdown.interval_percent
    interval = " to ".join(f"{1 + bound / 100:.2f}" for bound in bounds) if bounds else ""
    return TableCell(f"{'' if slowdown.measurable else '≈ '}{1 + slowdown.percent / 100:.2f}", interval)


def describe_sureness(results: Results) -> list[str]:
    """Describe, in Markdown, how the file was chosen, what its figures rest on, and what they do not cover."""
    settings = results.settings
    doubt = "" if results.held_out else " It is not known whether the model was trained on them."
    machines = "; ".join(
        f"{machine.name}: {machine.host.model}, {machine.validity} latencies" for machine in results.machines
    )
    return [
        f"**Choice**: {CHOICE[0].lower()}{CHOICE[1:]}",
        f"**Accuracy**: {results.image_count:,} images, {results.evaluated_on}, with Wilson's 95 % interval. The drop "
        f"is counted image by image against float32 in the same format, with Tango's interval.{doubt}",
        f"**Time**: the median of {settings.rounds} fresh processes with up to {settings.calls:,} calls each, one "
        "image a call, and its 95 % interval over processes. Time / float's is below 1 where a file is faster than "
        "float32.",
        f"**Machine**: {machines}. Other processors need a measurement of their own.",
    ]


def draw_candidates(results: Results, candidates: Sequence[DeployCandidate]) -> Svg | str:
    """Draw the accuracy of the tabulated files over time, or over size if no time was kept; empty without files."""
    timed = [(one, one.row.latency.p50) for one in candidates if one.row.latency]
    drawn = timed or [(one, one.row.size_bytes / 1000) for one in candidates]
    if not drawn:
        return ""
    across = "median time of an image, us, logarithmic" if timed else "size of the file, kB, logarithmic"
    title = f"Accuracy and {'time' if timed else 'size'}"
    marks = [make_mark(one.row, one.place, one.accuracy, cost, _shorten(results, one.row)) for one, cost in drawn]
    return draw_scatter(title, across, marks, ())


def _shorten(results: Results, row: Row) -> str:
    """Shorten a file's name for its mark: without the model's name, which all share."""
    return row.file.removeprefix(f"{results.name}-")
