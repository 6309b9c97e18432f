"""The wording of findings, the same everywhere: on the page, in Markdown, at the terminal.

A difference that chance explains is called none, however large its figure.
"""

from ...edge.common.terminal.formatting import describe_p
from ..statistics.paired import SIGNIFICANCE
from ..statistics.slowdowns import Slowdown
from .schema import Accuracy, Results, Row

NO_DIFFERENCE = "no measurable difference"
# With fewer processes each, no difference is significant: p is above 0.05 however different they are.
FEWEST_COMPARED = 4


def target_label(row: Row) -> str:
    """Name the target: the runtime, and its unusual settings."""
    delegate = ", no delegate" if row.delegate == "none" else ""
    threads = f", {row.threads} threads" if row.threads > 1 else ""
    return f"{row.runtime}{delegate}{threads}"


def row_label(row: Row) -> str:
    """Name the file and its target."""
    return f"{row.file} on {target_label(row)}"


def place_label(results: Results, row: Row) -> str:
    """Name the target, and the machine if there are several."""
    machine = f" ({results.machines[row.machine].name})" if len(results.machines) > 1 else ""
    return f"{target_label(row)}{machine}"


def describe_drop(accuracy: Accuracy) -> str:
    """Describe a file's drop against its float file, with the interval and the images behind it; empty without one."""
    if accuracy.drop_vs_float_pp is None or accuracy.p_vs_float is None:
        return ""
    drop, p = accuracy.drop_vs_float_pp, accuracy.p_vs_float
    low_high = accuracy.drop_interval_pp
    interval = f", 95 % interval {low_high[0]:+z.2f} to {low_high[1]:+z.2f}" if low_high else ""
    flips = f"{len(accuracy.lost)} lost, {len(accuracy.gained)} gained of {accuracy.count:,}"
    verdict = judge_drop(accuracy)
    where = " in accuracy" if verdict == NO_DIFFERENCE else ""
    return f"{verdict}{where} (drop {drop:+z.2f} points{interval}; {flips}; {describe_p(p)})"


def judge_drop(accuracy: Accuracy) -> str:
    """Judge the same drop in a few words; empty if there is nothing to compare with."""
    drop, p = accuracy.drop_vs_float_pp, accuracy.p_vs_float
    if drop is None or p is None:
        return ""
    if p > SIGNIFICANCE:
        return NO_DIFFERENCE
    return f"{abs(drop):.2f} points {'less' if drop > 0 else 'more'} accurate"


def judge_slowdown(slowdown: Slowdown) -> str:
    """Judge whether it is slower, and by how much, as far as the processes show."""
    if min(slowdown.processes) < FEWEST_COMPARED:
        return f"too few processes to tell ({min(slowdown.processes)}, it takes {FEWEST_COMPARED} of each)"
    if not slowdown.measurable:
        return NO_DIFFERENCE
    return describe_change(slowdown.percent)


def describe_change(percent: float) -> str:
    """Describe a change in time in words: as a factor from a half more or a third less on."""
    ratio = 1 + percent / 100
    if ratio >= 1.5:
        return f"takes {ratio:.1f} times as long"
    if ratio <= 1 / 1.5:
        return f"{1 / ratio:.1f} times as fast"
    return f"takes {abs(percent):.1f} % {'longer' if percent >= 0 else 'less time'}"


def format_interval(interval: tuple[float, float] | None, form: str = "+.1f") -> str:
    """Format two bounds, or the reason why there are none."""
    return f"{interval[0]:{form}} to {interval[1]:{form}}" if interval else "too few values"


def format_us(value: float) -> str:
    """Format microseconds with three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def format_count(number: int, noun: str, plural: str) -> str:
    """Format a number with its noun."""
    return f"{number:,} {noun if number == 1 else plural}"


def format_or_unknown(value: object, unit: str = "") -> str:
    """Format a reported value, or `unknown` if the machine does not report it."""
    if value is None:
        return "unknown"
    return f"{value:.4g}{unit}" if isinstance(value, float) else f"{value}{unit}"
