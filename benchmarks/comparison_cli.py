"""`edge-mnist benchmark compare`: parse, compare, print, and say by the exit code whether anything got worse."""

from pathlib import Path

import click

from ..edge.options import FiniteRange
from ..edge.output import echo_json, echo_lines, echo_text
from .comparison import THRESHOLD_PERCENT, ComparisonError, compare_results
from .comparison_report import describe_comparison, format_comparison
from .result_files import read_results


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
def compare(first: Path, second: Path, threshold: float, fail_on_regression: bool, force: bool, as_json: bool) -> None:
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
    comparison = compare_results(read_results(first), read_results(second), threshold, force)
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
