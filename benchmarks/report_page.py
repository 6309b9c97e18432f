"""A benchmark's page for who decides: what was found, with intervals, plots, pictures, conditions and raw values.

One HTML file without scripts or anything from elsewhere. The JSON with the raw values lies beside it.
"""

from collections.abc import Sequence

from ..edge.mnist import Images
from . import changed_digits, cost_section, lanes
from .accuracy_section import draw_accuracies
from .cost_section import draw_costs
from .glossary import GLOSSARY
from .latency_section import draw_latencies
from .machine_section import draw_budgets, draw_machines
from .page_parts import STYLE, Html, bullets, format_whole, join, link, paragraph, section, table, to_html
from .raw_section import draw_raw_values
from .results import Results
from .summary import describe_doubts, describe_findings
from .wording import name_target

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
    """The page.

    Args:
        results: A run.
        images: Those that it was evaluated on, for pictures of what changed; None where they are not at hand.
        conditions: How it was measured, as sentences in Markdown.
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
    return format_whole(f"{results.name}: accuracy and latency", style, [*head, *(part for part in parts if part)])


def _introduce(results: Results) -> str:
    machines = "; ".join(f"{machine.name} ({machine.host.model})" for machine in results.machines)
    return (
        f"{results.name}, {results.parameters:,} parameters, {results.macs:,} multiply-adds an image, on "
        f"{results.image_count:,} images of {results.evaluated_on}. Measured {results.started} on {machines}."
    )


def _list_missing(results: Results) -> Html:
    """Rows without figures and why, and rows without latencies."""
    lines = [["", "", machine, reason] for machine, reason in results.unreachable.items()]
    for row in results.rows:
        reason = row.unavailable or ("" if row.latency else "checked for correctness only; its latency is not shown")
        if reason:
            lines.append([row.file, name_target(row), results.machines[row.machine].name, reason])
    return section("missing", "Not measured", table(["file", "on", "machine", "why"], lines, left=3, words=["why"]))


def _explain_words() -> Html:
    words = (f"<dt>{to_html(word)}</dt><dd>{to_html(meaning)}</dd>" for word, meaning in GLOSSARY.items())
    return section("words", "What the words mean", Html(f"<dl>{''.join(words)}</dl>"))
