"""The page's section on conditions: the reader's time budget, and the state of each machine while it measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...edge.common.pages.curves import ChartAxes, ChartPoint, draw_curves
from ...edge.common.pages.drawing import COLOURS
from ...edge.common.pages.page import PageFigure, PageTable, Svg, TableCell
from ...edge.common.pages.row_charts import ChartRow, draw_rows
from ...edge.doctor.health import SINCE_START, THROTTLE_BITS
from ..results.schema import MachineRun, Results, Sample, StageBudget
from ..results.wording import format_count, format_or_unknown


def describe_bits(reported: Sequence[int]) -> str:
    """Describe throttling bits in words, over all samples; also if the machine reports none.

    Args:
        reported: Values of `vcgencmd get_throttled`.
    """
    if not reported:
        return "not reported by this machine"
    now = [words for bit, words in THROTTLE_BITS if any(bits >> bit & 1 for bits in reported)]
    since = [words for bit, words in THROTTLE_BITS if any(bits >> (bit + SINCE_START) & 1 for bits in reported)]
    parts = [f"{', '.join(now)} while measuring"] if now else []
    parts += (
        [f"{', '.join(earlier)} since it was started"] if (earlier := [one for one in since if one not in now]) else []
    )
    return "; ".join(parts) or "none, now or since it was started"


POWER = {None: "supply unknown", True: "from a battery", False: "from the mains"}
VIRTUAL = {
    None: "not known whether it is a virtual machine",
    True: "a virtual machine, whose neighbours are not seen from here",
    False: "no virtual machine",
}


@dataclass(frozen=True)
class FrameBudgets:
    """The stages of the reader on each measured frame, drawn and tabulated; and the colour of each stage."""

    figure: PageFigure
    table: PageTable
    colours: dict[str, str]


@dataclass(frozen=True)
class MachineConditions:
    """A machine and its state while it measured.

    Attributes:
        anchor: Anchor on the page.
        silent: Quantities that the machine does not report.
    """

    anchor: str
    title: str
    validity: str
    reasons: str
    facts: Sequence[str]
    charts: Sequence[Svg]
    silent: Sequence[str]
    raw: dict[str, str]


def draw_budgets(results: Results) -> FrameBudgets | None:
    """Draw a bar for each measured frame, divided into the reader's stages, and the same as a table."""
    if not results.budgets:
        return None
    names = list(dict.fromkeys(name for budget in results.budgets for name in budget.stages_ms))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    rows = [
        ChartRow(
            name=_frame(results, budget),
            note=f"{budget.file} on {budget.runtime}",
            value=f"p50 {budget.total_ms.p50:.2f} ms",
            value_note=f"p99 {budget.total_ms.p99:.2f} ms",
            link=f"budget-{i}",
            parts=[(f"{name}: {ms:.2f} ms", ms, colours[name]) for name, ms in budget.stages_ms.items()],
        )
        for i, budget in enumerate(results.budgets)
    ]
    raw = {f"budgets[{i}].total_ms.rounds": f"budget-{i}" for i in range(len(results.budgets))}
    chart = draw_rows("Stages of a frame", "milliseconds a frame, medians of stages", rows)
    head = ["frame", "file on target", *(f"{name} ms" for name in names), "whole, p50 ms", "p99 ms", "n"]
    lines = [_budget_cells(results, budget, names) for budget in results.budgets]
    anchors = [f"budget-{i}" for i in range(len(lines))]
    return FrameBudgets(PageFigure(chart, raw=raw), PageTable(head, lines, left=2, names=anchors), colours)


def _budget_cells(results: Results, budget: StageBudget, names: Sequence[str]) -> list[str | TableCell]:
    total = budget.total_ms
    low, high = total.p50_interval
    return [
        _frame(results, budget),
        f"{budget.file} on {budget.runtime}",
        *(f"{budget.stages_ms[name]:.2f}" if name in budget.stages_ms else "" for name in names),
        TableCell(f"{total.p50:.2f}", f"{low:.2f} to {high:.2f}"),
        f"{total.p99:.2f}",
        f"{sum(map(len, total.rounds)):,}",
    ]


def _frame(results: Results, budget: StageBudget) -> str:
    machine = f", {results.machines[budget.machine].name}" if len(results.machines) > 1 else ""
    return f"{budget.width}x{budget.height}, {format_count(budget.digits, 'digit', 'digits')}{machine}"


def draw_machines(results: Results) -> list[MachineConditions]:
    """Describe each machine: its hardware, the validity of its latencies, and its state over time."""
    found: list[MachineConditions] = []
    for place, machine in enumerate(results.machines):
        anchor = f"machine-{place}"
        charts, silent = _draw_timelines(machine)
        found.append(
            MachineConditions(
                anchor=anchor,
                title=f"{machine.name}: {machine.host.model}",
                validity=machine.validity,
                reasons="; ".join(machine.reasons) or "no reason given",
                facts=_describe(machine),
                charts=charts,
                silent=silent,
                raw={f"machines[{place}].samples": anchor} if charts else {},
            )
        )
    return found


def _describe(machine: MachineRun) -> list[str]:
    host = machine.host
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    bits = sorted({sample.throttled for sample in machine.samples if sample.throttled is not None})
    return [
        f"{host.machine}, {format_count(host.cores, 'core', 'cores')}, {host.system}, Python {host.python}; measured "
        f"on processors {', '.join(map(str, machine.affinity))}; governor {format_or_unknown(host.governor)}; power "
        f"{POWER[host.on_battery]}; {VIRTUAL[host.is_virtual]}.",
        f"Instructions that decide how integers are multiplied: {', '.join(host.flags) or 'none reported'}.",
        f"Versions: {versions or 'unknown'}.",
        f"Reading the clock takes {machine.timer_overhead_us:.3f} us, which is in every latency.",
        f"Throttling: {describe_bits(bits)}.",
    ]


def _draw_timelines(machine: MachineRun) -> tuple[list[Svg], list[str]]:
    """Draw a chart for each quantity that the machine reports, and list those that it does not."""
    charts: list[Svg] = []
    silent: list[str] = []
    sources: dict[str, tuple[str, Callable[[Sample], Sequence[float] | None]]] = {
        "Frequency": ("MHz: lowest and, dashed, highest", lambda sample: sample.frequency_mhz),
        "Temperature": ("degrees Celsius", lambda sample: _one(sample.temperature_c)),
        "Load average": ("over a minute", lambda sample: _one(sample.load_1m)),
        "Other processes": ("% of all processors' time", lambda sample: _one(sample.busy_elsewhere, 100)),
        "Slowed for heat": ("times since it was started", lambda sample: _one(sample.throttle_count)),
    }
    for title, (unit, read) in sources.items():
        samples = [(sample.at_s, values) for sample in machine.samples if (values := read(sample))]
        if len(samples) < 2:
            silent.append(title.lower())
        else:
            charts.append(_draw_timeline(title, unit, samples, f"{title}, {machine.name}"))
    return charts, silent


def _draw_timeline(title: str, unit: str, samples: Sequence[tuple[float, Sequence[float]]], name: str) -> Svg:
    bounds = {"lowest": min, "highest": max} if len(samples[0][1]) > 1 else {"": min}
    curves = {label: [ChartPoint(at, pick(values)) for at, values in samples] for label, pick in bounds.items()}
    low = min(point.y for points in curves.values() for point in points)
    high = max(point.y for points in curves.values() for point in points)
    # Without a margin, noise of a degree or a megahertz would fill the chart.
    room = max(0.05 * abs(high), 0.5)
    limits = (max(0.0, low - room) if low >= 0 else low - room, high + room)
    return draw_curves(title, ChartAxes(f"seconds since the start, n = {len(samples)}", unit, limits=limits), curves,
                       name=name)  # fmt: skip


def _one(value: float | None, factor: float = 1.0) -> list[float] | None:
    return None if value is None else [factor * value]
