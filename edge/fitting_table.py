"""Tables for people that fit their terminal: what matters less gives way to what matters more."""

import math
import shutil
import sys
from collections.abc import Sequence

from .tables import format_table


def format_fitting(
    head: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str], secondary: Sequence[str]
) -> str:
    """A table; at a terminal that is too narrow without some columns, which it names below.

    Args:
        head: Titles of the columns.
        rows: Cells of each line, as they are shown.
        align: `left` or `right`, for each column.
        secondary: Titles of columns that may be left out. The last goes first; if all have gone, lines may wrap.
            Pipes and files get every column.
    """
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    kept = len(secondary)
    while kept and _measure(_format(head, rows, align, secondary[kept:])) > room:
        kept -= 1
    dropped = secondary[kept:]
    table = _format(head, rows, align, dropped)
    return f"{table}\nA wider terminal also shows: {', '.join(dropped)}." if dropped else table


def _measure(table: str) -> int:
    """How wide it is, in letters."""
    return max(map(len, table.splitlines()))


def _format(head: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str], dropped: Sequence[str]) -> str:
    places = [place for place, title in enumerate(head) if title not in dropped]

    def choose(cells: Sequence[str]) -> list[str]:
        return [cells[place] for place in places]

    return format_table([choose(row) for row in rows], choose(head), align=choose(align))
