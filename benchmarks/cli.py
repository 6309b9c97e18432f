"""`edge-mnist benchmark`: parse, measure, print the table, write the reports."""

import shlex
from pathlib import Path
from typing import cast, get_args

import click
import msgspec

from ..edge.bundle import SHIPPED, open_bundle
from ..edge.card import Precision
from ..edge.classifiers import RUNTIMES
from ..edge.mnist import held_out_images
from ..edge.options import data_dir_option
from .files import check_writable
from .pages import write_page
from .photo_labels import SHIPPED_PHOTOS
from .photo_report import describe_total, format_scores, write_photo_reports
from .photos import PhotoSettings, run_photos
from .report import format_tables, summarize, write_reports
from .run import run_benchmark
from .targets import Settings


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), default=SHIPPED, required=False)
@data_dir_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="For the inference.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Fresh processes a row.")
@click.option(
    "--calls", type=click.IntRange(min=100), default=2000, show_default=True, help="Timed in each, after warm-up."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder for the reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report, with every raw value, and no table.")
@click.option(
    "--photos",
    metavar="FOLDER|shipped",
    help="Read these pictures instead, and score the digits. The folder has a labels.json: "
    '{"file.jpg": {"rows": ["123", "45"]}}.',
)
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    help="What reads the pictures of --photos.  [default: the first one installed, in this order]",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Of the file that reads the pictures of --photos.  [default: int8]",
)
def benchmark(  # noqa: PLR0913, PLR0917 - an argument for each option
    bundle: Path,
    data_dir: Path | None,
    threads: int,
    rounds: int,
    calls: int,
    out: Path,
    as_json: bool,
    photos: str | None,
    runtime: str | None,
    precision: str | None,
) -> None:
    """Measure each file of a bundle on each runtime installed here.

    Accuracy with its 95 % interval and the paired drop against float; latency at batch 1; throughput, size, load time
    and peak memory. Without BUNDLE, the shipped one. A runtime that is missing is a row that says so.

    With --photos, one file reads pictures whose digits are known: precision, recall and F1 of the digits, the rows'
    accuracy, and a page that shows every picture with an error.

    \b
    Examples:
      edge-mnist benchmark
      edge-mnist benchmark my-model --rounds 5 --calls 10000 --out reports
      edge-mnist benchmark --photos my-photos
      edge-mnist benchmark --photos shipped --precision float32
    """
    if photos is not None:
        settings = PhotoSettings(
            bundle=bundle, runtime=runtime, precision=cast("Precision", precision or "int8"), num_threads=threads
        )
        _benchmark_photos(SHIPPED_PHOTOS if photos == "shipped" else Path(photos), settings, out, as_json)
        return
    if runtime or precision:
        raise click.UsageError("--runtime and --precision go with --photos: without it, every file is measured.")
    opened = open_bundle(bundle)
    check_writable(out)
    trained_on = opened.card.training.dataset if opened.card.training else None
    results = run_benchmark(opened, held_out_images(trained_on, data_dir), Settings(rounds, calls, threads))
    json_path, markdown_path = write_reports(results, out)
    if as_json:
        click.echo(msgspec.json.encode(results).decode())
    else:
        click.echo(format_tables(results, "simple"))
        click.echo("\n".join(["", *summarize(results)]))
    click.echo(f"Reports: {markdown_path} and {json_path}", err=True)


def _benchmark_photos(folder: Path, settings: PhotoSettings, out: Path, as_json: bool) -> None:
    check_writable(out)
    results = run_photos(folder, settings)
    json_path, markdown_path, gallery_path = write_photo_reports(results, folder, out)
    if as_json:
        click.echo(msgspec.json.encode(results).decode())
    else:
        click.echo(format_scores(results, "simple"))
        click.echo(f"\n{describe_total(results)}")
    click.echo(f"Reports: {markdown_path}, {json_path} and, with the pictures, {gallery_path}", err=True)


@click.command()
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--row",
    "rows",
    multiple=True,
    default=("0123456789", "31415926", "2718"),
    show_default=True,
    help="Digits of a row.",
)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Of the hand and the paper.")
def example(picture: Path, rows: tuple[str, ...], seed: int) -> None:
    """Draw a page of handwriting-like digits, to have something to read.

    \b
    Examples:
      edge-mnist example page.png
      edge-mnist example page.png --row 12 --row 34 --seed 1
    """
    try:
        write_page(picture, rows, seed)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{picture}: cannot be written ({error}).") from error
    click.echo(f"{picture}: {', '.join(rows)}. Next: edge-mnist run {shlex.quote(str(picture))}")
