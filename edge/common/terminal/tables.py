"""Tables of text, at a terminal and in Markdown: every cell stays within its line, whatever its content."""

import math
import shutil
import sys
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from .text import one_line


def format_table(
    rows: Iterable[Iterable[object]],
    headers: Sequence[str],
    style: str = "simple",
    align: Sequence[str] = (),
) -> str:
    """Lay out a table.

    Args:
        rows: Cells of each line, shown as they are: numbers are already formatted. In Markdown they are escaped.
        headers: Titles of the columns; an empty sequence for no header.
        style: `simple` or `plain` for people at a terminal, `github` for Markdown.
        align: Alignment of each column, `left` or `right`.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    return tabulate(
        cells, headers, tablefmt=style, disable_numparse=True, colalign=tuple(align) if align and cells else None
    )


def format_table_to_width(
    head: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str], secondary: Sequence[str]
) -> str:
    """Lay out a table; at a narrow terminal without some columns, which are named below it.

    Args:
        head: Titles of the columns.
        rows: Cells of each line, as they are shown.
        align: Alignment of each column, `left` or `right`.
        secondary: Titles of columns that may be left out. The last is dropped first; if all are dropped, lines may
            wrap. Pipes and files get every column.
    """
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    kept = len(secondary)
    while kept and _measure(_format(head, rows, align, secondary[kept:])) > room:
        kept -= 1
    dropped = secondary[kept:]
    table = _format(head, rows, align, dropped)
    return f"{table}\nA wider terminal also shows: {', '.join(dropped)}." if dropped else table


def _measure(table: str) -> int:
    """Measure the width of a table in characters."""
    return max(map(len, table.splitlines()))


def _format(head: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str], dropped: Sequence[str]) -> str:
    places = [place for place, title in enumerate(head) if title not in dropped]

    def choose(cells: Sequence[str]) -> list[str]:
        return [cells[place] for place in places]

    return format_table([choose(row) for row in rows], choose(head), align=choose(align))
