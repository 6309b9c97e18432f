"""The findings of a run, in sentences for decisions."""

from collections.abc import Sequence

from ...edge.common.terminal.formatting import describe_p, format_percent
from ..results.findings import (
    AccuracyGroup,
    compare_latencies,
    correct_mask,
    find_fastest,
    find_float,
    find_left_out,
    group_alike,
    measure_ratio,
    name_group,
    timed_rows,
)
from ..results.peer_inputs import doubt_input
from ..results.schema import MachineRun, Results, Row
from ..results.wording import FEWEST_COMPARED, NO_DIFFERENCE, describe_drop, judge_slowdown, place_label, row_label
from ..statistics.paired import measure_drop

QUICK = "Quick run with few calls and processes: measure without --quick before you draw conclusions."
# More doubtful rows than this are counted, not named.
MOST_NAMED = 3


def summarize_run(results: Results) -> list[str]:
    """Summarize a run: doubts first, then findings."""
    return describe_doubts(results) + describe_findings(results)


def describe_doubts(results: Results) -> list[str]:
    """List what limits the trust in the figures; empty if nothing does."""
    doubts = [QUICK] if results.settings.is_quick else []
    doubts += [f"{name} was not measured: {reason}" for name, reason in results.unreachable.items()]
    doubts += doubt_peers(results)
    for place, machine in enumerate(results.machines):
        left_out = find_left_out(row for row in results.rows if row.machine == place)
        doubts += _doubt_machine(machine, [row for _, row in timed_rows(results, place)], left_out)
    return doubts


def describe_findings(results: Results) -> list[str]:
    """List findings on quantization, our own layer, and peers."""
    sentences = [
        _describe_quantization(results, group)
        for group in group_alike(results)
        if group.rows[0].precision not in {None, "float32"}
    ]
    for place, machine in enumerate(results.machines):
        rows = timed_rows(results, place)
        where = f"{machine.name}: " if len(results.machines) > 1 else ""
        found = [*_describe_layer([row for _, row in rows]), *_describe_peers(rows)]
        sentences += [f"{where}{sentence}" for sentence in found]
    return sentences


def doubt_peers(results: Results) -> list[str]:
    """List peers that were most likely given inputs other than those they were trained on."""
    doubts = [(row, doubt_input(row.input_check)) for row in results.rows if row.input_check]
    return [f"Peer {row.file} {doubt}" for row, doubt in doubts if doubt]


def _doubt_machine(machine: MachineRun, rows: Sequence[Row], left_out: Sequence[Row]) -> list[str]:
    """List the reasons to doubt latencies, for the machine and for single rows."""
    doubts: list[str] = []
    if machine.validity != "valid":
        reasons = "; ".join(machine.reasons) or "unknown reason"
        doubts.append(f"Latencies of {machine.name} are {machine.validity}: {reasons}.")
    if left_out:
        names = "; ".join(f"{row_label(row)}: {', '.join(row.reasons)}" for row in left_out[:MOST_NAMED])
        more = f"; {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        doubts.append(
            f"The latencies of {len(left_out)} of {len(left_out) + len(rows)} rows are left out ({names}{more})."
        )
    doubtful = [row for row in rows if row.validity != "valid"]
    if len(doubtful) <= MOST_NAMED:
        doubts += [f"{row_label(row)} is {row.validity}: {'; '.join(row.reasons)}." for row in doubtful]
    elif not doubts:
        doubts.append(
            f"{len(doubtful)} of {len(rows)} rows are unstable or invalid; the tables list them with the reasons."
        )
    fewest = min((len(row.latency.rounds) for row in rows if row.latency), default=FEWEST_COMPARED)
    if fewest < FEWEST_COMPARED:
        doubts.append(
            f"{fewest} processes per row are too few to compare latencies: at least {FEWEST_COMPARED} are needed."
        )
    return doubts


def _describe_quantization(results: Results, group: AccuracyGroup) -> str:
    """Describe a quantized file's accuracy against float, and its latency if its settings are usual."""
    row = group.rows[0]
    alike = [one for one in group_alike(results) if one.rows[0].file == row.file]
    where = f" ({name_group(results, group)})" if len(alike) > 1 else ""
    parts = [f"{row.file}{where}: {describe_drop(group.accuracy) or 'no float32 file to compare with'}"]
    times: list[str] = []
    for one in group.rows:
        if one.threads > 1 or one.delegate == "none":
            continue
        base = find_float(results, one)
        if base and base.latency and one.latency and "invalid" not in {one.validity, base.validity}:
            slowdown = compare_latencies(base.latency, one.latency)
            if min(slowdown.processes) >= FEWEST_COMPARED:
                times.append(f"{judge_slowdown(slowdown)} ({place_label(results, one)})")
    if times:
        parts.append(f"compared with float32 on one thread: {', '.join(times)}")
    sizes = [one.size_bytes for one in results.rows if one.precision == "float32" and one.format == row.format]
    if sizes:
        parts.append(f"the file size is {format_percent(row.size_bytes / sizes[0], 0)} of float32's")
    return "; ".join(parts) + "."


def _describe_layer(rows: Sequence[Row]) -> list[str]:
    """Describe the time that this package's Python layer adds to the interpreter's own call."""
    ratios = [(row, ratio) for row in rows if (ratio := measure_ratio(row.bare, row.latency))]
    if not ratios:
        return []
    row, most = max(ratios, key=lambda pair: pair[1].value)
    low, high = (100 * (bound - 1) for bound in most.interval)
    return [
        f"This package's layer adds most to the bare interpreter on {row_label(row)}: "
        f"{100 * (most.value - 1):.1f} % (95 % interval {low:+.1f} to {high:+.1f})."
    ]


def _describe_peers(rows: Sequence[tuple[int, Row]]) -> list[str]:
    """Compare each peer with our fastest file on equally many threads."""
    sentences: list[str] = []
    for _, row in rows:
        ours = find_fastest([(place, one) for place, one in rows if one.threads == row.threads])
        if row.is_peer and row.latency and row.accuracy and ours and ours.latency and ours.accuracy:
            drop = measure_drop(correct_mask(ours.accuracy), correct_mask(row.accuracy))
            points = f"{abs(drop.points):.2f} points {'less' if drop.points > 0 else 'more'} than"
            verdict = points if drop.measurable else f"{NO_DIFFERENCE} from"
            slowdown = compare_latencies(ours.latency, row.latency)
            judged = min(slowdown.processes) >= FEWEST_COMPARED and row.validity != "invalid"
            time = f"; time compared with it: {judge_slowdown(slowdown)}" if judged else ""
            sentences.append(
                f"Peer {row_label(row)}: {format_percent(row.accuracy.share)} accurate, {verdict} {row_label(ours)} ("
                f"{describe_p(drop.p)}){time}."
            )
    return sentences
