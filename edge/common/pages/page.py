"""Pages: one HTML file without scripts or external resources, written by Jinja2 from the templates beside this.

Templates escape all text; control characters of names from other machines become visible escapes.
"""

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EdgeMnistError
from ..terminal.text import clean, escape_html

if TYPE_CHECKING:
    from jinja2 import Environment


def explain_missing_package(error: ImportError) -> EdgeMnistError:
    """Make the error for a package that pages need and that is not installed."""
    return EdgeMnistError(f"a page needs the package {error.name}: pip install 'edge-mnist[report]'")


class Svg(str):
    """Markup that templates insert as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup."""
        return self


class TableCell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: Text of the cell.
        small: Smaller text under it, e.g. the interval of a figure.
        link: Anchor on the page that the text links to.
        kind: Class of the text, e.g. `invalid`.
    """

    text: str
    small: str = ""
    link: str = ""
    kind: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table of a page.

    Attributes:
        head: Titles of the columns.
        rows: Cells of each line.
        left: Number of first columns that hold names and are aligned to the left.
        names: Anchor of each line; none if empty.
        words: Titles of columns that hold sentences, which wrap.
        is_matrix: Whether its columns are alike: on a narrow screen it shrinks; other tables become lists.
    """

    head: Sequence[str | TableCell]
    rows: Sequence[Sequence[str | TableCell]]
    left: int = 1
    names: Sequence[str] = ()
    words: Collection[str] = ()
    is_matrix: bool = False


class PageFigure(NamedTuple):
    """A chart of a page.

    Attributes:
        chart: The drawing.
        title: Heading above it; none if empty.
        note: Explanation under it, in Markdown.
        raw: Anchor on the page by path of the raw values in the JSON beside the page.
    """

    chart: Svg
    title: str = ""
    note: str = ""
    raw: Mapping[str, str] = {}


def render_page(template: str, **content: object) -> str:
    """Render a page from a template of the folder `templates`.

    Raises:
        EdgeMnistError: Jinja2 is not installed.
    """
    return _environment().get_template(template).render(content)


def emphasize(text: str) -> Svg:
    """Convert Markdown's bold and code to HTML, keep numbers and their percent signs together, escape the rest."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape_html(text))
    code = re.sub(r"`(.+?)`", r"<code>\1</code>", bold)
    return Svg(re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", code))


def embed_png(content: bytes) -> str:
    """Return the address of a PNG that stands in the page itself."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise explain_missing_package(error) from error
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    environment.filters |= {"emphasize": emphasize}
    return environment
