"""The report of a comparison of two runs at the terminal: a table, and the findings."""

from ...edge.common.terminal.formatting import describe_p
from ...edge.common.terminal.tables import format_table
from ..results.wording import NO_DIFFERENCE, describe_change, format_count, format_interval, format_us
from .regressions import RowChange, RunComparison

HEADERS = ["file", "on", "p50 us", "change %", "95 % interval", "time", "accuracy %", "drop", "accuracy"]
SPEEDS = {
    "regression": "REGRESSION",
    "slower": "slower, within the threshold",
    "faster": "faster",
    "same": NO_DIFFERENCE,
    "not judged": "not judged",
}
READINGS = {"regression": "REGRESSION", "better": "better", "same": NO_DIFFERENCE, "not judged": "not judged"}


def format_comparison(comparison: RunComparison, style: str = "simple") -> str:
    """Format a line for each row that both runs have, and for each that is gone.

    Args:
        comparison: The comparison to show.
        style: A tabulate style.
    """
    lines = [_cells(row) for row in comparison.rows]
    align = ("left", "left", "right", "right", "right", "left", "right", "right", "left")
    return format_table(lines, HEADERS, style, align)


def describe_comparison(comparison: RunComparison) -> list[str]:
    """Describe the findings: whether forced, regressions one by one, what could not be judged, and the criteria."""
    sentences = []
    if comparison.differences:
        sentences.append(
            "FORCED: these runs were made under different conditions, and the machine may have caused the "
            f"differences: {'; '.join(comparison.differences)}."
        )
    sentences += [f"REGRESSION: {_describe_regression(row)}" for row in comparison.regressions]
    sentences += [
        f"{_name(row)}: {'; '.join(row.notes)}." for row in comparison.rows if row.notes and not row.is_regression
    ]
    for which, names in (("first", comparison.only_first), ("second", comparison.only_second)):
        if names:
            sentences.append(f"Only in the {which} run: {', '.join(names)}.")
    regressions = format_count(len(comparison.regressions), "row", "rows")
    verdict = f"{regressions} got worse" if comparison.regressions else "Nothing got measurably worse"
    timed = sum(row.slowdown is not None for row in comparison.rows)
    read = sum(row.reading != "not judged" for row in comparison.rows)
    sentences.append(
        f"{verdict}, of {len(comparison.rows)}: latency was judged for {timed}, accuracy for {read}. A "
        f"regression is a slowdown whose whole 95 % interval is above {comparison.threshold_percent:g} % "
        "(Hodges and Lehmann, over the processes' medians), or an accuracy that is measurably lower on the "
        "same images (exact McNemar, p <= 0.05)."
    )
    return sentences


def _describe_regression(row: RowChange) -> str:
    parts = []
    if row.speed == "regression" and row.slowdown and row.p50_us:
        before, after = map(format_us, row.p50_us)
        parts.append(
            f"{describe_change(row.slowdown.percent)} (p50 {before} to {after} us, 95 % interval "
            f"{format_interval(row.slowdown.interval_percent)} %, {describe_p(row.slowdown.p)}; "
            f"{100 * row.slowdown.slower_share:.0f} % of calls are slower)"
        )
    if row.reading == "regression" and row.drop:
        parts.append(
            f"{row.drop.points:.2f} points less accurate (95 % interval "
            f"{format_interval(row.drop.interval, '+z.2f')}, {row.drop.only_first} images lost, "
            f"{row.drop.only_second} gained, {describe_p(row.drop.p)})"
        )
    changed = "" if row.same_file else " The model file differs."
    return f"{_name(row)}: {'; '.join([*parts, *row.notes])}.{changed}"


def _cells(row: RowChange) -> list[str]:
    slowdown, drop = row.slowdown, row.drop
    return [
        row.file,
        _target(row),
        " to ".join(map(format_us, row.p50_us)) if row.p50_us else "",
        f"{slowdown.percent:+.1f}" if slowdown else "",
        format_interval(slowdown.interval_percent) if slowdown else "",
        SPEEDS[row.speed],
        " to ".join(f"{100 * share:.2f}" for share in row.accuracies) if row.accuracies else "",
        f"{drop.points:+z.2f}" if drop else "",
        READINGS[row.reading],
    ]


def _name(row: RowChange) -> str:
    return f"{row.file} on {_target(row)}"


def _target(row: RowChange) -> str:
    delegate = ", no delegate" if row.delegate == "none" else ""
    threads = f", {row.threads} threads" if row.threads > 1 else ""
    return f"{row.runtime}{delegate}{threads} ({row.machine})"
