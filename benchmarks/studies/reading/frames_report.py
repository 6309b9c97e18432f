"""The report of frame times: Markdown, and the files to keep."""

from pathlib import Path

from ....edge.common.machine import Host
from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.terminal.tables import format_table
from ...results.files import write_with_json
from ...results.wording import format_or_unknown
from .frame_growth import Growth, GrowthStep
from .frames import STAGES, FrameRow, Frames
from .side_by_side import SideBySide

HEADERS = ["frame", "MP", "digits", "found", "right", *(f"{stage} ms" for stage in STAGES), "total p50", "total p90",
           "ms per extra digit"]  # fmt: skip


def format_frames(results: Frames, style: str = "github") -> str:
    """Format the report: times, their growth, the comparison if there was one, and the conditions.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    results = escape_all_markdown(results)
    sections = [
        f"# {results.name}: time for a frame",
        format_times(results, style),
        list_points(describe_growth(results.growth)),
        format_side_by_side(results.beside, style) if results.beside else "",
        "## How it was measured",
        list_points(describe_frame_conditions(results)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def format_times(results: Frames, style: str) -> str:
    """Format a line for each frame. The last column compares with the line above: the same frame with fewer digits."""
    each = {step.after: step.ms_each for step in results.growth.steps if step.grows == "digits"}
    rows = [_cells(row, each.get((row.megapixels, row.digits))) for row in results.rows]
    return format_table(rows, HEADERS, style, ("right",) * len(HEADERS))


def describe_growth(growth: Growth) -> list[str]:
    """Describe the growth of times with more digits and more pixels."""
    worst = growth.worst
    if worst is None:
        return []
    verdict = (
        "The time grows **no worse than linearly**: in no step by a larger factor than the digits or pixels. "
        "The closest step was"
        if growth.at_most_linear
        else "The time grows **worse than linearly** in at least one step; the worst was"
    )
    return [
        f"A plane fitted to the medians: {growth.fixed_ms:.2f} ms, and {growth.megapixel_ms:.2f} ms for each "
        f"megapixel, and {growth.digit_ms:.3f} ms for each digit; its largest error is "
        f"{growth.largest_miss_ms:.2f} ms.",
        *(_describe_cost(growth, grows) for grows in ("digit", "megapixel")),
        f"{verdict} {_describe_step(worst)}.",
    ]


def format_side_by_side(beside: SideBySide, style: str) -> str:
    """Format both pipelines on the same frame, and the ratio of their times."""
    rows = [
        [name, f"{side.found} of {beside.digits}", str(side.right), f"{side.p50_ms:.2f}", f"{side.p90_ms:.2f}"]
        for name, side in (("this reader", beside.reader), ("Otsu and contours", beside.otsu))
    ]
    headers = ["pipeline", "found", "right", "p50 ms", "p90 ms"]
    align = ("left", *["right"] * 4)
    low, high = beside.interval
    return "\n\n".join(
        [
            f"## Compared with Otsu's threshold, {beside.width}x{beside.height}, {beside.digits} digits",
            format_table(rows, headers, style, align),
            f"The reader takes {beside.ratio:.2f} times as long as the usual pipeline with {beside.file} "
            f"(medians of all calls; 95 % interval {low:.2f} to {high:.2f}; single rounds "
            f"{min(beside.round_ratios):.2f} to {max(beside.round_ratios):.2f}).",
        ]
    )


def describe_frame_conditions(results: Frames) -> list[str]:
    """Describe the conditions: how it was measured, on which machine, with which software."""
    settings, before, after = results.settings, results.host_before, results.host_after
    sentences = [
        f"**Time**: one thread, of OpenCV and of the inference; {settings.rounds} rounds over all frames in "
        f"random order, {settings.calls} calls per frame in each. One warm-up call, loading, and opening "
        "picture files are not counted. Stages are medians of the reader's own clock, the total is timed "
        "around the call. The JSON file has all totals.",
        "**Frames**: drawn digits on grainy paper under uneven light, in rows, as large as fits, up to an "
        "eighth of the frame's height. **Found** is the number of digits that the reader reported, **right** "
        "the number of these that are on the page, at any place.",
        f"**Model**: {results.name}, {settings.precision}, {results.runtime} {results.runtime_version}; OpenCV "
        f"{results.opencv}; card SHA-256 {results.card_sha256[:12]}….",
        f"**Machine**: {describe_machine(before)}, load average {format_or_unknown(before.load_1m)} before and "
        f"{format_or_unknown(after.load_1m)} after. edge-mnist {results.edge_mnist}. Started {results.started}.",
    ]
    if results.beside:
        sentences.insert(
            1,
            "**Compared with Otsu's threshold**: grayscale, Otsu's threshold, 5x5 closing, outer contours, "
            f"one inference of {results.beside.file} (SHA-256 {results.beside.file_sha256[:12]}…) for each box "
            "in LiteRT, with one interpreter. Both pipelines take turns in one process, in random order, "
            f"{settings.shared_rounds} rounds of {settings.shared_calls} calls each; the interval is from "
            "resampling whole rounds.",
        )
    return sentences


def write_frame_reports(results: Frames, out: Path) -> tuple[Path, ...]:
    """Write `frames.json` and `frames.md` into an existing folder; return both paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    return write_with_json(results, out / "frames", md=format_frames(results))


def _cells(row: FrameRow, ms_each: float | None) -> list[str]:
    return [
        f"{row.width}x{row.height}",
        f"{row.megapixels:.1f}",
        str(row.digits),
        str(row.found),
        str(row.right),
        *(f"{row.stages[stage].p50:.2f}" for stage in STAGES),
        f"{row.total.p50:.2f}",
        f"{row.total.p90:.2f}",
        "" if ms_each is None else f"{ms_each:.3f}",
    ]


def _describe_cost(growth: Growth, grows: str) -> str:
    """Describe the cost of each additional digit or megapixel, over all steps."""
    costs = [step.ms_each for step in growth.steps if step.grows == f"{grows}s"]
    if not costs:
        return f"Only one number of {grows}s was measured, so their cost is unknown."
    return f"From one frame to the next, each further {grows} costs {min(costs):.2f} to {max(costs):.2f} ms."


def _describe_step(step: GrowthStep) -> str:
    (pixels, digits), (more_pixels, more_digits) = step.before, step.after
    if step.grows == "digits":
        change = f"from {digits} to {more_digits} digits at {pixels:.1f} MP"
    else:
        change = f"from {pixels:.1f} to {more_pixels:.1f} MP with {digits} {'digit' if digits == 1 else 'digits'}"
    return f"{change}: {step.time_factor:.2f} times the time for {step.amount_factor:.1f} times as many"


def describe_machine(host: Host) -> str:
    """Describe processor, cores, system, Python and governor."""
    cores = f"{host.cores} {'core' if host.cores == 1 else 'cores'}"
    return f"{host.model}, {cores}, {host.system}, Python {host.python}, governor {format_or_unknown(host.governor)}"
