"""`edge-mnist compare`: parse, compare, print the table, write the reports."""

from pathlib import Path

import click

from ...edge.commands.options import BUNDLE, FiniteRange
from ...edge.common.files import check_writable, write_all
from ...edge.common.terminal.output import echo, echo_json, echo_lines, echo_text
from ..comparison.history import format_history, read_history
from ..comparison.models import compare_models
from ..comparison.models_report import describe, format_models, write_comparison
from ..comparison.regressions import THRESHOLD_PERCENT, ComparisonError, compare_runs
from ..comparison.regressions_report import describe_comparison, format_comparison
from ..results.files import read_results
from ..results.wording import format_count
from .options import require_report_packages


@click.command()
@click.argument("runs", nargs=-1, required=True, type=BUNDLE, metavar="RUN...")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder for the reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report and no table.")
def compare(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Draw models side by side: accuracy against latency against size.

    RUN is an exported bundle, whose card has accuracies and sizes, or the JSON that `edge-mnist benchmark` wrote, which
    has latencies, too. Nothing is measured here. Runs on other images, or timed on another machine, are refused.

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
        echo_lines(["", *describe(comparison)])
    echo(f"Reports: {', '.join(map(str, write_comparison(comparison, out)))}", err=True)


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    type=FiniteRange(min=0),
    default=THRESHOLD_PERCENT,
    show_default=True,
    metavar="PERCENT",
    help="Slower by more than this, with all of the 95 % interval, is a regression.",
)
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with code 1 if anything got worse, or if no latency could be judged.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Compare runs made under different conditions, too: what the second was not asked for is then no regression.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON and no table.")
def compare_two_runs(
    first: Path, second: Path, threshold: float, fail_on_regression: bool, force: bool, as_json: bool
) -> None:
    """Did anything get slower or less accurate from one run to the next?

    FIRST and SECOND are the JSON files of two runs. Runs on another processor, with another governor, kernel, Python,
    runtime, number of threads or set of images, or a quick one and a full one, are refused; the version of edge-mnist
    and the model files may differ. A row is worse if it is slower by more than --threshold with all of its 95 %
    interval, if its accuracy is measurably lower on the same images, or if it does not run any more or is gone.

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
            raise ComparisonError("no latency of these runs could be judged, so nothing says that none got worse.")
        if comparison.regressions:
            raise click.exceptions.Exit(1)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("trend.html"),
    show_default=True,
    help="Page to write.",
)
def history(folder: Path, out: Path) -> None:
    """Draw how latency and accuracy went over a folder of runs.

    FOLDER holds JSON files of edge-mnist benchmark, in folders of their own if you like. What is damaged or something
    else is named and left out.

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
