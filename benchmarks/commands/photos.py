"""`edge-mnist benchmark photos`: read pictures, print the scores, write the reports."""

from pathlib import Path

import click

from ...edge.bundle.contract import Precision
from ...edge.bundle.shipped import SHIPPED
from ...edge.commands.options import BUNDLE
from ...edge.common.files import check_writable
from ...edge.common.terminal.output import echo_json, echo_lines, echo_text
from ...edge.common.terminal.verbosity import note
from ..photos.labels import SHIPPED_PHOTOS
from ..photos.photos import PhotoSettings, run_photos
from ..photos.report import describe_total, format_scores, write_photo_reports
from ..targets.targets import resolve_threads
from .options import precision_option, report_options, require_report_packages, runtime_option


@click.command()
@click.argument("folder", metavar="FOLDER|shipped")
@click.option("--model", type=BUNDLE, default=SHIPPED, show_default="the shipped one", help="Bundle to read with.")
@runtime_option
@precision_option
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Threads of one inference; 0 is all processors.",
)
@report_options
def photos(
    folder: str, model: Path, runtime: str | None, precision: Precision, threads: int, out: Path, as_json: bool
) -> None:
    """Read labelled photographs, and score the readings.

    FOLDER contains pictures and a labels.json: {"file.jpg": {"rows": ["123", "45"]}}; `shipped` is the set in this
    package. The report has precision, recall and F1 of digits, and the accuracy of rows; a page shows every picture
    with an error.

    \b
    Examples:
      edge-mnist benchmark photos my-photos
      edge-mnist benchmark photos shipped --model nano --json
    """
    require_report_packages()
    pictures = SHIPPED_PHOTOS if folder == "shipped" else Path(folder)
    check_writable(out)
    settings = PhotoSettings(
        bundle=model,
        runtime=runtime,
        precision=precision,
        num_threads=resolve_threads((threads,))[0],
    )
    results = run_photos(pictures, settings)
    if as_json:
        echo_json(results)
    else:
        echo_text(format_scores(results, "simple"))
        echo_lines(["", describe_total(results)])
    paths = write_photo_reports(results, pictures, out)
    note(f"Reports: {', '.join(map(str, paths))}")
