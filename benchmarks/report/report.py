"""The reports of a run: Markdown and the headlines of a README, the conditions, and the files to keep."""

from pathlib import Path

import msgspec

from ...edge.common.files import write_all
from ...edge.common.pages.markdown import escape_all_markdown, list_points
from ...edge.common.terminal.formatting import format_percent
from ...edge.data.images import Images
from ...edge.runtimes.registry import RUNTIMES
from ..results.csv_table import format_csv
from ..results.files import encode_results
from ..results.schema import MachineRun, Results
from ..results.wording import format_count, format_or_unknown
from .page import format_page, format_summary
from .summary import summarize_run
from .tables import format_tables


def format_headlines(results: Results) -> str:
    """Format the tables for a README: only common runtimes, on one thread, with default settings, on this machine."""
    rows = [
        row
        for row in results.rows
        if row.runtime in RUNTIMES and (row.machine, row.threads, row.delegate) == (0, 1, "default")
    ]
    return format_tables(escape_all_markdown(msgspec.structs.replace(results, rows=rows)), "github")


def format_report(results: Results) -> str:
    """Format the Markdown report: tables, findings, and the conditions of the measurement."""
    results = escape_all_markdown(results)
    findings = list_points(summarize_run(results))
    conditions = list_points(describe_conditions(results))
    sections = [
        f"# {results.name}: accuracy and latency",
        format_tables(results, "github"),
        findings,
        "## How it was measured",
        conditions,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def describe_conditions(results: Results) -> list[str]:
    """Describe the conditions: how it was measured, on which machine, with which software."""
    settings = results.settings
    doubt = "" if results.held_out else " (it is not known whether the model was trained on them)"
    rounds, calls = format_count(settings.rounds, "fresh process", "fresh processes"), f"{settings.calls:,}"
    return [
        f"**Accuracy**: {results.image_count:,} images, {results.evaluated_on}{doubt}. The Keras model itself: "
        f"{format_percent(results.keras_correct / results.image_count)}. Intervals are Wilson's; drops are percentage "
        "points against the float32 file of the same format on the same runtime, image by image, with a paired "
        "score interval (Tango), and p is exact McNemar's.",
        f"**Latency**: batch 1 through this package's Python layer; {rounds} per row in random order, {calls} "
        f"calls in each after warm-up, at most {settings.seconds:g} s, loading excluded. Intervals are of the "
        "median over processes; targets are compared by their processes' medians (Mann and Whitney). The JSON "
        "file has all raw values.",
        "**Load** includes importing the runtime; **peak MB** is of the whole process; both are medians over "
        "processes. kB and MB are powers of ten.",
        *(_describe_machine(machine) for machine in results.machines),
        f"**Run**: edge-mnist {results.edge_mnist}, {results.name} with {results.parameters:,} parameters, card "
        f"SHA-256 {results.card_sha256[:12]}…. Started {results.started}, took {results.seconds:,.0f} s, seed "
        f"{settings.seed}.",
    ]


def write_reports(results: Results, folder: Path, images: Images | None = None) -> tuple[Path, ...]:
    """Write a run into an existing folder: `NAME.json` with every raw value, `NAME.md`, `NAME.html` and `NAME.csv`.

    Args:
        results: The run to write.
        folder: An existing folder.
        images: The images that it was evaluated on, to show those that changed; without them, the page has the
            reason.

    Returns:
        The paths, in this order; without the packages of pages, there is no page.

    Raises:
        ValueError: The images are not those of the run.
        EdgeMnistError: A file cannot be written.
    """
    if images is not None and images.sha256 != results.images_sha256:
        raise ValueError(f"expected the images of {results.evaluated_on}, got {images.name}.")
    page = format_page(results, images, describe_conditions(results))
    contents = {
        "json": encode_results(results),
        "md": format_report(results).encode(),
        "html": page.encode(),
        "csv": format_csv(results).encode(),
    }
    return write_all({folder / f"{results.name}.{suffix}": content for suffix, content in contents.items()})


def write_summary(results: Results, folder: Path) -> Path:
    """Write the summary of a run, `NAME-summary.html`, one page to print, into an existing folder; return its path.

    Raises:
        EdgeMnistError: The file cannot be written.
    """
    return write_all({folder / f"{results.name}-summary.html": format_summary(results).encode()})[0]


def _describe_machine(machine: MachineRun) -> str:
    host, first, last = machine.host, machine.samples[:1], machine.samples[-1:]
    loads = [format_or_unknown(sample.load_1m) for sample in (*first, *last)]
    heat = [format_or_unknown(sample.temperature_c, " °C") for sample in (*first, *last)]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"**Machine** ({machine.name}): {host.model}, {format_count(host.cores, 'core', 'cores')}, {host.system}, "
        f"Python {host.python}, governor {format_or_unknown(host.governor)}, "
        f"processors {', '.join(map(str, machine.affinity))}, load "
        f"average {' before and '.join(loads)} after, temperature {' and '.join(heat)}. {versions}."
    )
