"""`edge-mnist benchmark --photos`: read pictures, print the scores, write the reports."""

from pathlib import Path
from typing import cast

import click
from click.core import ParameterSource

from ...edge.bundle.card import Precision
from ...edge.common.files import check_writable
from ...edge.common.terminal.output import echo, echo_json, echo_lines, echo_text
from ..photos.labels import SHIPPED_PHOTOS
from ..photos.photos import PhotoSettings, run_photos
from ..photos.report import describe_total, format_scores, write_photo_reports
from ..targets.targets import resolve_threads

# The other options describe how files are measured.
OPTIONS = {"bundle", "photos", "runtime", "precision", "threads", "out", "as_json"}


def check_options(ctx: click.Context) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: An option of the command does not go with `--photos`, or was given too often.
    """
    without = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name
        and parameter.name not in OPTIONS
        and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if without:
        raise click.UsageError(f"{', '.join(without)}: not with --photos, where no file is measured. Leave it out.")
    if len(ctx.params["threads"]) > 1:
        raise click.UsageError(f"expected one --threads with --photos, got {len(ctx.params['threads'])}.")


def choose_settings(
    bundle: Path, runtime: str | None, precision: str | None, threads: tuple[int, ...]
) -> PhotoSettings:
    """Choose the settings by the options: int8 and one thread by default; 0 threads mean all processors."""
    return PhotoSettings(
        bundle=bundle,
        runtime=runtime,
        precision=cast("Precision", precision or "int8"),
        num_threads=resolve_threads(threads or (1,))[0],
    )


def benchmark_photos(photos: str, settings: PhotoSettings, out: Path, as_json: bool) -> None:
    """Read and score a folder's pictures, or those shipped with the package if it is `shipped`."""
    folder = SHIPPED_PHOTOS if photos == "shipped" else Path(photos)
    check_writable(out)
    results = run_photos(folder, settings)
    if as_json:
        echo_json(results)
    else:
        echo_text(format_scores(results, "simple"))
        echo_lines(["", describe_total(results)])
    json_path, markdown_path, gallery_path = write_photo_reports(results, folder, out)
    echo(f"Reports: {markdown_path}, {json_path} and, with the pictures, {gallery_path}", err=True)
