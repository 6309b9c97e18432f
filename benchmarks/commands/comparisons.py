"""`edge-mnist compare`: parse, compare, print the table, write the reports."""

from pathlib import Path

import click

from ...edge.commands.options import BUNDLE, FiniteRange, out_option
from ...edge.common.files import check_writable, write_all
from ...edge.common.terminal.output import echo, echo_json, echo_lines, echo_text
from ...edge.common.terminal.verbosity import note
from ..comparison.history import format_history, read_history
from ..comparison.models import compare_models
from ..comparison.models_report import describe_models, format_models, write_comparison
from ..comparison.regressions import THRESHOLD_PERCENT, compare_runs
from ..comparison.regressions_report import describe_comparison, format_comparison
from ..errors import BenchmarkError
from ..results.files import read_results
from ..results.wording import format_count
from .options import report_options, require_report_packages


@click.command()
@click.argument("runs", nargs=-1, required=True, type=BUNDLE, metavar="RUN...")
@report_options
def compare(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Compare models side by side: accuracy, latency and size.

    RUN is an exported bundle, whose card has accuracies and sizes, or a JSON file of `edge-mnist benchmark`, which also
    has latencies. Nothing is measured. Runs on different images, or timed on different machines, are refused.

    \b
    Examples:
      edge-mnist compare nano standard my-model
      edge-mnist compare before/standard.json after/standard.json --out compared
    """
    require_report_packages()
    check_writable(out)
    comparison = compare_models(runs)
    if as_json:
        echo_json(comparison)
    else:
        echo_text(format_models(comparison, "simple"))
        echo_lines(["", *describe_models(comparison)])
    note(f"Reports: {', '.join(map(str, write_comparison(comparison, out)))}")


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    type=FiniteRange(min=0),
    default=THRESHOLD_PERCENT,
    show_default=True,
    metavar="PERCENT",
    help="A row whose whole 95 % interval is above this slowdown is a regression.",
)
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with code 1 if a row got worse, or if no latency could be judged.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Compare runs made under different conditions, too. Rows that the second run was not asked for are no "
    "regressions.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON instead of tables.")
def compare_two_runs(
    first: Path, second: Path, threshold: float, fail_on_regression: bool, force: bool, as_json: bool
) -> None:
    """Report what got slower or less accurate from one run to the next.

    FIRST and SECOND are the JSON files of two runs. Runs on another processor, with another governor, kernel, Python,
    runtime, number of threads or set of images, or a quick one and a full one, are refused; the version of edge-mnist
    and the model files may differ. A row is worse if its whole 95 % interval is above --threshold, if its accuracy
    is measurably lower on the same images, or if it no longer runs or is missing.

    \b
    Examples:
      edge-mnist benchmark compare before/standard.json after/standard.json
      edge-mnist benchmark compare main.json branch.json --fail-on-regression
    """
    require_report_packages()
    comparison = compare_runs(read_results(first), read_results(second), threshold, force)
    if as_json:
        echo_json(comparison)
    else:
        echo_text(format_comparison(comparison))
        echo_lines(["", *describe_comparison(comparison)])
    if fail_on_regression:
        if all(row.speed == "not judged" for row in comparison.rows):
            raise BenchmarkError(
                "no latency of these runs could be judged, so a regression cannot be ruled out. Measure again on "
                "an idle machine."
            )
        if comparison.regressions:
            raise click.exceptions.Exit(1)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@out_option(
    click.Path(dir_okay=False, path_type=Path),
    default=Path("trend.html"),
    show_default=True,
    help="HTML page to write.",
)
def history(folder: Path, out: Path) -> None:
    """Draw latency and accuracy over a folder of runs.

    FOLDER contains JSON files of edge-mnist benchmark, also in subfolders. Damaged and other files are skipped and
    listed.

    \b
    Examples:
      edge-mnist benchmark history reports
      edge-mnist benchmark history ci-results --out trend.html
    """
    require_report_packages()
    found = read_history(folder)
    check_writable(out.parent)
    write_all({out: format_history(found).encode()})
    for sentence in found.skipped:
        echo(f"Skipped: {sentence}", err=True)
    skipped = format_count(len(found.skipped), "file", "files")
    echo(f"{out}: {format_count(len(found.runs), 'run', 'runs')}, {skipped} skipped.")
