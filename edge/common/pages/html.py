"""Building blocks of self-contained HTML reports: text, tables, sections, and links to the raw values.

Pages have no scripts and load nothing from elsewhere.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import quote

from ..terminal.text import escape_html
from .svg import COLOURS, PRINT_STYLE
from .svg import STYLE as CHART_STYLE

STYLE = (
    COLOURS
    + CHART_STYLE
    + """
:root { --third: #0f8a63; --warn: #9a5b00; --bad: #b3362b; --band: #f3f5f8; }
@media (prefers-color-scheme: dark) { :root { --third: #45c295; --warn: #e5b04c; --bad: #f08d63; --band: #1b222a; } }
h2 { font-size: 1.3rem; border-top: 1px solid var(--line); padding-top: 1.2rem; } h3 { font-size: 1rem; }
a { color: inherit; text-decoration-color: var(--soft); } code { overflow-wrap: anywhere; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--first); }
small, .note { color: var(--soft); } .note { font-size: .875rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
:is(th, td).left { text-align: left; } :is(th, td) small { display: block; font-weight: 400; }
:is(th, td).words { text-align: left; white-space: normal; min-width: 9rem; max-width: 18rem; }
tr:target, figure:target { background: var(--band); }
.banner { border-left: 4px solid var(--warn); background: var(--band); padding: .6rem 1rem; max-width: 48rem; }
.unstable { color: var(--warn); font-weight: 600; } .invalid { color: var(--bad); font-weight: 600; }
dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; max-width: 46rem; } figure { margin: 1.5rem 0; }
@media (max-width: 34rem) { body { margin: 1rem auto; } th, td { padding: .2rem .4rem; } ul { padding-left: 1.2rem; }
  :is(th, td).left { white-space: normal; } }
"""
    + PRINT_STYLE
)

# More links to raw values than this are folded.
MOST_LINKS = 8


class Html(str):
    """Text that is already HTML; all other text is escaped."""

    __slots__ = ()


def to_html(text: str) -> Html:
    """Escape text for HTML."""
    return text if isinstance(text, Html) else Html(escape_html(text))


def join(parts: Iterable[Html], by: str = "") -> Html:
    """Join pieces of a page."""
    return Html(by.join(parts))


def render_page(title: str, style: str, parts: Iterable[Html]) -> str:
    """Render a page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{to_html(title)}</title><style>{style}</style></head><body>\n<h1>{to_html(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def section(name: str, title: str, *parts: Html) -> Html:
    """Render a section that links may lead to; empty without parts."""
    content = "\n".join(part for part in parts if part)
    return Html(f'<section id="{name}"><h2>{to_html(title)}</h2>\n{content}\n</section>' if content else "")


def paragraph(text: str, kind: str = "") -> Html:
    """Render a paragraph of text in which `**` and backticks are Markdown's."""
    return Html(f'<p class="{kind}">{emphasize(text)}</p>' if kind else f"<p>{emphasize(text)}</p>")


def bullets(sentences: Sequence[str]) -> Html:
    """Render a list of sentences in Markdown."""
    return Html(f"<ul>{''.join(f'<li>{emphasize(text)}</li>' for text in sentences)}</ul>" if sentences else "")


def emphasize(text: str) -> Html:
    """Convert Markdown's bold and code to HTML and escape the rest."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", keep_percents(escape_html(text)))
    return Html(re.sub(r"`(.+?)`", r"<code>\1</code>", bold))


def keep_percents(text: str) -> str:
    """Keep each number and its percent sign on one line."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: int = 1,
    names: Sequence[str] = (),
    words: Collection[str] = (),
) -> Html:
    """Render a table that scrolls by itself if it is wider than the page.

    Args:
        head: Titles of the columns.
        rows: Cells of each line.
        left: Number of first columns that hold names and are aligned to the left.
        names: Name of each line, for links; none if empty.
        words: Titles of columns that hold sentences, which wrap.
    """
    if not rows:
        return Html("")
    kinds = ["words" if title in words else "left" if i < left else "" for i, title in enumerate(head)]
    places = [f' id="{name}"' for name in names] or [""] * len(rows)
    lines = [f"<tr{place}>{_cells('td', row, kinds)}</tr>" for place, row in zip(places, rows, strict=True)]
    return Html(
        # In the order of the Tab key, so that it can be scrolled without a mouse.
        f'<div class="scroll" tabindex="0" role="region" aria-label="table"><table>'
        f"<thead><tr>{_cells('th', head, kinds)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def two_lines(first: str, second: str) -> Html:
    """Render a figure, and under it, smaller, its uncertainty."""
    return Html(f"{to_html(first)}<small>{to_html(second)}</small>")


def link(target: str, text: str) -> Html:
    """Render a link to a place on the page."""
    return Html(f'<a href="#{target}">{to_html(text)}</a>')


def link_raw(file: str, places: Mapping[str, str]) -> Html:
    """Link the raw values of a figure: a line of links into the JSON beside the page.

    Args:
        file: Name of the JSON.
        places: By path in the JSON, e.g. `rows[3].latency.rounds`, the place on this page that links to it.
    """
    links = join(
        (Html(f'<a href="#{target}"><code>{to_html(path)}</code></a>') for path, target in places.items()), ", "
    )
    where = f'<a href="{quote(file)}">{to_html(file)}</a>'
    if len(places) <= MOST_LINKS:
        return Html(f'<p class="note">Raw values: {links} in {where}.</p>')
    return Html(
        f'<details class="note"><summary>Raw values: {len(places)} places in the JSON</summary>{links} in {where}.'
        "</details>"
    )


def _cells(tag: str, cells: Sequence[str], kinds: Sequence[str]) -> str:
    return "".join(
        f'<{tag} class="{kind}">{to_html(cell)}</{tag}>' if kind else f"<{tag}>{to_html(cell)}</{tag}>"
        for cell, kind in zip(cells, kinds, strict=True)
    )
