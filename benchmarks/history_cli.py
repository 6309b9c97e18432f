"""`edge-mnist benchmark history`: parse, read the runs, write the page."""

from pathlib import Path

import click

from ..edge.output import echo
from .files import check_writable, write_all
from .history import read_history
from .history_page import format_history
from .wording import count


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
    found = read_history(folder)
    check_writable(out.parent)
    write_all({out: format_history(found).encode()})
    for sentence in found.skipped:
        echo(f"Skipped: {sentence}", err=True)
    echo(f"{out}: {count(len(found.runs), 'run', 'runs')}, {count(len(found.skipped), 'file', 'files')} skipped.")
