"""The page's last part: where the values behind every figure are, process by process."""

from urllib.parse import quote

import numpy as np

from .page_parts import Html, paragraph, section, table, to_html
from .results import Latency, Results, Row
from .wording import count, format_us, name_row

HEAD = ["path in the JSON", "processes", "calls of each", "median of each process, us", "slowest of each, us"]


def draw_raw_values(results: Results, file: str) -> Html:
    """A table for each row, which links from all figures lead to.

    Args:
        results: A run.
        file: Name of the JSON beside the page.
    """
    parts = [_draw_row(results, place, row) for place, row in enumerate(results.rows) if not row.unavailable]
    whole = Html(
        f'<p>Every value that was measured is in <a href="{quote(file)}">{to_html(file)}</a>, which lies beside this '
        "page; its schema comes with edge-mnist (<code>edge-mnist benchmark schema</code>). The paths below are places "
        "in it.</p>"
    )
    return section("raw", "Raw values", whole, *parts)


def _draw_row(results: Results, place: int, row: Row) -> Html:
    machine = results.machines[row.machine].name
    measured = {"latency": row.latency, "bare": row.bare, "paced": row.paced}
    measured |= {f"batches[{i}]": batch for i, batch in enumerate(row.batches)}
    lines = [_cells(f"rows[{place}].{name}.rounds", latency) for name, latency in measured.items() if latency]
    facts = [f"SHA-256 {row.file_sha256[:16]}…"]
    if row.accuracy:
        wrong = count(len(row.accuracy.misread), "image", "images")
        facts.append(f"{wrong} misread, in rows[{place}].accuracy.misread")
    if row.clock_resolution_us is not None:
        facts.append(f"timed by a clock that steps by {row.clock_resolution_us:g} us")
    title = f"row {place}: {name_row(row)}, {machine}"
    return Html(
        f'<h3 id="raw-{place}">{to_html(title)}</h3>{paragraph("; ".join(facts) + ".", "note")}{table(HEAD, lines)}'
    )


def _cells(path: str, latency: Latency) -> list[str]:
    calls = dict.fromkeys(f"{len(one):,}" for one in latency.rounds)
    return [
        Html(f"<code>{path}</code>"),
        str(len(latency.rounds)),
        ", ".join(calls),
        ", ".join(format_us(float(np.median(one))) for one in latency.rounds),
        ", ".join(format_us(max(one)) for one in latency.rounds),
    ]
