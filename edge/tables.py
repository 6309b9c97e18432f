"""Tables of text, at a terminal and in Markdown: every cell within its line, whatever name is in it."""

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from .safe_text import one_line


def format_table(
    rows: Iterable[Iterable[object]],
    headers: Sequence[str],
    style: str = "simple",
    align: Sequence[str] = (),
) -> str:
    """Lay out a table.

    Args:
        rows: Cells of each line, shown as they are: numbers are already formatted. For Markdown they are escaped.
        headers: Titles of the columns; none if empty.
        style: `simple` or `plain` for people at a terminal, `github` for Markdown.
        align: `left` or `right`, for each column.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    return tabulate(
        cells, headers, tablefmt=style, disable_numparse=True, colalign=tuple(align) if align and cells else None
    )
