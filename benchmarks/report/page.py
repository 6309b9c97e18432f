"""A benchmark's HTML page for decisions: findings, with intervals, plots, pictures, conditions and raw values.

One HTML file without scripts or external resources. The JSON with the raw values lies beside it.
"""

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from ...edge.common.pages.html import STYLE, Html, bullets, join, link, paragraph, render_page, section, table, to_html
from ...edge.data.images import Images
from ..results.schema import Latency, Results, Row
from ..results.wording import format_count, format_us, row_label, target_label
from . import accuracy_section as changed_digits
from . import cost_section
from . import range_chart as lanes
from .accuracy_section import draw_accuracies
from .cost_section import draw_costs
from .glossary import GLOSSARY
from .latency_section import draw_latencies
from .machine_section import draw_budgets, draw_machines
from .summary import describe_doubts, describe_findings

HEAD = ["path in the JSON", "processes", "calls of each", "median of each process, us", "slowest of each, us"]


def draw_raw_values(results: Results, file: str) -> Html:
    """Draw a table of raw values for each row, the target of links from all figures.

    Args:
        results: The run to show.
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
        wrong = format_count(len(row.accuracy.misread), "image", "images")
        facts.append(f"{wrong} misread, in rows[{place}].accuracy.misread")
    if row.clock_resolution_us is not None:
        facts.append(f"timed by a clock that steps by {row.clock_resolution_us:g} us")
    title = f"row {place}: {row_label(row)}, {machine}"
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


CONTENTS = {
    "cost": "Accuracy, latency, size",
    "accuracy": "Accuracy",
    "changed": "Changed digits",
    "latency": "Latency",
    "budget": "Stages",
    "conditions": "Conditions",
    "missing": "Not measured",
    "how": "How",
    "raw": "Raw values",
    "words": "Words",
}


def format_page(results: Results, images: Images | None, conditions: Sequence[str]) -> str:
    """Render the page.

    Args:
        results: The run to show.
        images: The images that it was evaluated on, to show those that changed; None if not available.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    file = f"{results.name}.json"
    parts = [
        draw_costs(results, file),
        draw_accuracies(results, images, file),
        draw_latencies(results, file),
        draw_budgets(results, file),
        draw_machines(results, file),
        _list_missing(results),
        section("how", "How it was measured", bullets(conditions)),
        draw_raw_values(results, file),
        _explain_words(),
    ]
    present = [(name, title) for name, title in CONTENTS.items() if any(f'id="{name}"' in part for part in parts)]
    contents = join(Html(f"<li>{link(name, title)}</li>") for name, title in present)
    head = [
        *(paragraph(doubt, "banner") for doubt in describe_doubts(results)),
        paragraph(_introduce(results)),
        bullets(describe_findings(results)),
        Html(f"<nav><ul>{contents}</ul></nav>"),
    ]
    style = STYLE + lanes.STYLE + changed_digits.STYLE + cost_section.STYLE
    return render_page(f"{results.name}: accuracy and latency", style, [*head, *(part for part in parts if part)])


def _introduce(results: Results) -> str:
    machines = "; ".join(f"{machine.name} ({machine.host.model})" for machine in results.machines)
    return (
        f"{results.name}, {results.parameters:,} parameters, {results.macs:,} multiply-adds an image, on "
        f"{results.image_count:,} images of {results.evaluated_on}. Measured {results.started} on {machines}."
    )


def _list_missing(results: Results) -> Html:
    """List rows without figures and the reasons, and rows without latencies."""
    lines = [["", "", machine, reason] for machine, reason in results.unreachable.items()]
    for row in results.rows:
        reason = row.unavailable or ("" if row.latency else "checked for correctness only; its latency is not shown")
        if reason:
            lines.append([row.file, target_label(row), results.machines[row.machine].name, reason])
    return section("missing", "Not measured", table(["file", "on", "machine", "why"], lines, left=3, words=["why"]))


def _explain_words() -> Html:
    words = (f"<dt>{to_html(word)}</dt><dd>{to_html(meaning)}</dd>" for word, meaning in GLOSSARY.items())
    return section("words", "What the words mean", Html(f"<dl>{''.join(words)}</dl>"))
