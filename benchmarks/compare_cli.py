"""`edge-mnist compare`: parse, compare, print the table, write the reports."""

from pathlib import Path

import click

from ..edge.options import BUNDLE
from ..edge.output import echo, echo_json, echo_lines, echo_text
from .compare import compare as compare_runs
from .compare_report import describe, format_comparison, write_comparison
from .files import check_writable


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
    check_writable(out)
    comparison = compare_runs(runs)
    if as_json:
        echo_json(comparison)
    else:
        echo_text(format_comparison(comparison, "simple"))
        echo_lines(["", *describe(comparison)])
    echo(f"Reports: {', '.join(map(str, write_comparison(comparison, out)))}", err=True)
