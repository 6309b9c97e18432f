"""`edge-mnist benchmark report` and `schema`: draw the reports of runs that were measured anywhere; their format."""

from pathlib import Path

import click

from ...edge.commands.options import data_dir_option
from ...edge.common.files import check_writable
from ...edge.common.terminal.output import echo, echo_lines, echo_text
from ...edge.common.terminal.verbosity import note
from ...edge.data.datasets import DATASETS, load_sample, load_splits, split_sample_for_export
from ...edge.data.download import DataError
from ...edge.data.images import Images
from ..errors import BenchmarkError
from ..report.summary import summarize_run
from ..report.tables import format_tables
from ..results.combining import combine_runs
from ..results.files import read_results
from ..results.findings import leave_out_doubtful
from ..results.schema import Results, format_schema
from .options import reports_option, require_report_packages, summary_option


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@data_dir_option
@click.option("--stable-only", is_flag=True, help="Leave out latencies that are unstable or invalid; accuracies stay.")
@summary_option
@reports_option
def report(files: tuple[Path, ...], data_dir: Path | None, stable_only: bool, summary: bool, out: Path) -> None:
    """Draw the page, Markdown and CSV of a run, with intervals and tests, from its JSON.

    FILE is the JSON of edge-mnist benchmark, which any machine writes with the base installation. Several files of one
    bundle, measured alike on several machines, make one report.

    \b
    Examples:
      edge-mnist benchmark report reports/standard.json
      edge-mnist benchmark report pi4/standard.json pi5/standard.json --out both
      edge-mnist benchmark report reports/standard.json --summary
    """
    require_report_packages()
    from ..report.report import write_reports, write_summary  # noqa: PLC0415 - needs the packages just checked

    results = combine_runs({path: read_results(path) for path in files})
    target = out / f"{results.name}.json"
    if len(files) > 1 and target.resolve() in {path.resolve() for path in files}:
        raise BenchmarkError(
            f"{target}: the report of all files would replace this one. Give another folder with --out."
        )
    check_writable(out)
    if stable_only:
        results = leave_out_doubtful(results)
    echo_text(format_tables(results, "simple"))
    echo_lines(["", *summarize_run(results)])
    paths = write_reports(results, out, _find_images(results, data_dir))
    note(f"Reports: {', '.join(map(str, paths))}")
    if summary:
        note(f"Summary: {write_summary(results, out)}")


def _find_images(results: Results, data_dir: Path | None) -> Images | None:
    """Find the images of a run by their set's name; None if they are not available, so that the page shows none."""
    name = results.evaluated_on.partition("-test")[0]
    try:
        found = load_splits(name, data_dir).test if name in DATASETS else split_sample_for_export(load_sample())[2]
    except DataError as error:
        echo(f"{error} Without them, the page shows no pictures of changed digits.", err=True)
        return None
    return found if found.sha256 == results.images_sha256 else None


@click.command()
def schema() -> None:
    """Print the JSON schema of what a benchmark writes.

    \b
    Examples:
      edge-mnist benchmark schema > schema.json
    """
    echo_text(format_schema().decode().rstrip("\n"))
