"""The page's section on conditions: the reader's time budget, and the state of each machine while it measured."""

from collections.abc import Callable, Sequence

from ...edge.common.pages.html import Html, bullets, join, link_raw, paragraph, section, table, to_html, two_lines
from ...edge.common.pages.svg import Axis, choose_ticks, render_curves
from ...edge.doctor.health import SINCE_START, THROTTLE_BITS
from ..results.schema import MachineRun, Results, Sample, StageBudget
from ..results.wording import format_count, format_or_unknown
from .range_chart import ChartRow, render_row_chart


def describe_bits(told: Sequence[int]) -> str:
    """Describe throttling bits in words, over all samples; also if the machine reports none.

    Args:
        told: Values of `vcgencmd get_throttled`.
    """
    if not told:
        return "this machine does not tell"
    now = [words for bit, words in THROTTLE_BITS if any(bits >> bit & 1 for bits in told)]
    since = [words for bit, words in THROTTLE_BITS if any(bits >> (bit + SINCE_START) & 1 for bits in told)]
    parts = [f"{', '.join(now)} while measuring"] if now else []
    parts += (
        [f"{', '.join(earlier)} since it was started"] if (earlier := [one for one in since if one not in now]) else []
    )
    return "; ".join(parts) or "none, now or since it was started"


# Okabe and Ito's colours that are visible on white and on black; further stages reuse them.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c98a00", "#56b4e9", "#8a6fd1")

POWER = {None: "supply not told", True: "from a battery", False: "from the mains"}
VIRTUAL = {
    None: "whether it is a virtual machine is not told",
    True: "a virtual machine, whose neighbours are not seen from here",
    False: "no virtual machine",
}


def draw_budgets(results: Results, file: str) -> Html:
    """Draw a bar for each measured frame, divided into the reader's stages, and the same as a table."""
    if not results.budgets:
        return Html("")
    names = list(dict.fromkeys(name for budget in results.budgets for name in budget.stages_ms))
    most = max(sum(budget.stages_ms.values()) for budget in results.budgets)
    axis = Axis("milliseconds a frame, medians of stages", choose_ticks(0, most), "{:g}".format)
    lanes = [_budget_lane(results, i, budget, names, axis) for i, budget in enumerate(results.budgets)]
    legend = join(
        (Html(f'<span class="swatch" style="--mark:{_colour(names, name)}"></span> {to_html(name)}') for name in names),
        ", ",
    )
    head = ["frame", "file on target", *(f"{name} ms" for name in names), "whole, p50 ms", "p99 ms", "n"]
    lines = [_budget_cells(results, budget, names) for budget in results.budgets]
    raw = link_raw(file, {f"budgets[{i}].total_ms.rounds": f"budget-{i}" for i in range(len(results.budgets))})
    return section(
        "budget",
        "Where a frame's time goes",
        Html(
            f"<figure>{render_row_chart(axis, lanes)}"
            f'<figcaption><p class="note">{legend}</p>{raw}</figcaption></figure>'
        ),
        table(head, lines, left=2, names=[f"budget-{i}" for i in range(len(lines))]),
        paragraph("Medians of stages need not add up to the median of the whole.", "note"),
    )


def _budget_lane(results: Results, place: int, budget: StageBudget, names: Sequence[str], axis: Axis) -> ChartRow:
    parts, start = [], 0.0
    for name, ms in budget.stages_ms.items():
        left, right = axis.place(start, 100), axis.place(start + ms, 100)
        parts.append(
            f'<rect class="part" x="{left:.2f}%" width="{right - left:.2f}%" y="8" height="26" '
            f'fill="{_colour(names, name)}"><title>{to_html(name)}: {ms:.2f} ms</title></rect>'
        )
        start += ms
    return ChartRow(
        name=_frame(results, budget),
        small=f"{budget.file} on {budget.runtime}",
        value=two_lines(f"p50 {budget.total_ms.p50:.2f} ms", f"p99 {budget.total_ms.p99:.2f} ms"),
        content="".join(parts),
        kind="ours",
        target=f"budget-{place}",
    )


def _budget_cells(results: Results, budget: StageBudget, names: Sequence[str]) -> list[str]:
    total = budget.total_ms
    low, high = total.p50_interval
    return [
        _frame(results, budget),
        f"{budget.file} on {budget.runtime}",
        *(f"{budget.stages_ms[name]:.2f}" if name in budget.stages_ms else "" for name in names),
        two_lines(f"{total.p50:.2f}", f"{low:.2f} to {high:.2f}"),
        f"{total.p99:.2f}",
        f"{sum(map(len, total.rounds)):,}",
    ]


def _frame(results: Results, budget: StageBudget) -> str:
    machine = f", {results.machines[budget.machine].name}" if len(results.machines) > 1 else ""
    return f"{budget.width}x{budget.height}, {format_count(budget.digits, 'digit', 'digits')}{machine}"


def _colour(names: Sequence[str], name: str) -> str:
    return COLOURS[names.index(name) % len(COLOURS)]


def draw_machines(results: Results, file: str) -> Html:
    """Describe each machine: its hardware, the validity of its latencies, and its state over time."""
    parts: list[Html] = []
    for place, machine in enumerate(results.machines):
        raw = link_raw(file, {f"machines[{place}].samples": f"machine-{place}"})
        parts += [
            Html(f'<h3 id="machine-{place}">{to_html(machine.name)}: {to_html(machine.host.model)}</h3>'),
            _judge(machine),
            bullets(_describe(machine)),
            _draw_timelines(machine, raw),
        ]
    return section("conditions", "Conditions", *parts)


def _judge(machine: MachineRun) -> Html:
    if machine.validity == "valid":
        return paragraph("**Valid**: nothing that was watched changed while it measured.")
    reasons = "; ".join(machine.reasons) or "no reason given"
    return Html(f'<p><span class="{machine.validity}">{machine.validity.capitalize()}</span>: {to_html(reasons)}.</p>')


def _describe(machine: MachineRun) -> list[str]:
    host = machine.host
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    bits = sorted({sample.throttled for sample in machine.samples if sample.throttled is not None})
    return [
        f"{host.machine}, {format_count(host.cores, 'core', 'cores')}, {host.system}, Python {host.python}; measured "
        f"on processors {', '.join(map(str, machine.affinity))}; governor {format_or_unknown(host.governor)}; power "
        f"{POWER[host.on_battery]}; {VIRTUAL[host.is_virtual]}.",
        f"Instructions that decide how integers are multiplied: {', '.join(host.flags) or 'none told'}.",
        f"Versions: {versions or 'not told'}.",
        f"Reading the clock takes {machine.timer_overhead_us:.3f} us, which is in every latency.",
        f"Throttling: {describe_bits(bits)}.",
    ]


def _draw_timelines(machine: MachineRun, raw: Html) -> Html:
    """Draw a chart for each quantity that the machine reports, and list those that it does not."""
    charts, silent = [], []
    sources: dict[str, tuple[str, Callable[[Sample], Sequence[float] | None]]] = {
        "Frequency": ("MHz: lowest and, dashed, highest", lambda sample: sample.frequency_mhz),
        "Temperature": ("degrees Celsius", lambda sample: _one(sample.temperature_c)),
        "Load average": ("over a minute", lambda sample: _one(sample.load_1m)),
        "Other processes": ("% of all processors' time", lambda sample: _one(sample.busy_elsewhere, 100)),
        "Slowed for heat": ("times since it was started", lambda sample: _one(sample.throttle_count)),
    }
    for title, (unit, read) in sources.items():
        told = [(sample.at_s, values) for sample in machine.samples if (values := read(sample))]
        if len(told) < 2:
            silent.append(title.lower())
            continue
        charts.append(_draw_timeline(title, unit, told))
    note = paragraph(f"Not told by this machine: {', '.join(silent)}.", "note") if silent else Html("")
    if not charts:
        return note
    return Html(f'<figure><div class="charts">{"".join(charts)}</div><figcaption>{note}{raw}</figcaption></figure>')


def _draw_timeline(title: str, unit: str, told: Sequence[tuple[float, Sequence[float]]]) -> str:
    lowest, highest = ([(at, bound(values)) for at, values in told] for bound in (min, max))
    ends = min(value for _, value in lowest), max(value for _, value in highest)
    # Without a margin, noise of a degree or a megahertz would fill the chart.
    room = max(0.05 * abs(ends[1]), 0.5)
    low = max(0.0, ends[0] - room) if ends[0] >= 0 else ends[0] - room
    axes = (
        Axis(f"seconds since the start, n = {len(told)}", choose_ticks(0, max(told[-1][0], 1.0)), "{:g}".format),
        Axis(unit, choose_ticks(low, ends[1] + room), "{:g}".format),
    )
    return render_curves(title, axes, (lowest, highest) if len(told[0][1]) > 1 else (lowest,))


def _one(value: float | None, factor: float = 1.0) -> list[float] | None:
    return None if value is None else [factor * value]
