"""A benchmark's HTML page for decisions: the verdict, then findings, plots, pictures, conditions and raw values.

One HTML file without scripts or external resources. The JSON with the raw values lies beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from ...edge.common.pages.page import PageTable, TableCell, render_page
from ...edge.data.images import Images
from ..results.schema import Latency, Results, Row
from ..results.wording import format_count, format_us, row_label, target_label
from .accuracy_section import MOST_SHOWN, draw_accuracies
from .cost_section import draw_costs
from .decision import CHOICE, describe_sureness, describe_verdict, draw_candidates, list_candidates, tabulate_candidates
from .glossary import GLOSSARY
from .latency_section import draw_latencies
from .machine_section import draw_budgets, draw_machines
from .summary import describe_doubts, describe_findings

HEAD = ["path in the JSON", "processes", "calls of each", "median of each process, us", "slowest of each, us"]


# Doubts that a summary shows; the page has all.
MOST_DOUBTS = 4


@dataclass(frozen=True)
class RawValues:
    """The places of a row's raw values, the target of links from all figures."""

    anchor: str
    title: str
    facts: str
    table: PageTable


def format_page(results: Results, images: Images | None, conditions: Sequence[str]) -> str:
    """Render the page.

    Args:
        results: The run to show.
        images: The images that it was evaluated on, to show those that changed; None if not available.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    candidates = list_candidates(results)
    return render_page(
        "benchmark.html",
        title=f"{results.name}: accuracy and latency",
        results=results,
        file=f"{results.name}.json",
        machines="; ".join(f"{machine.name} ({machine.host.model})" for machine in results.machines),
        doubts=describe_doubts(results),
        verdict=describe_verdict(results, candidates),
        best=tabulate_candidates(results, candidates),
        chart=draw_candidates(results, candidates),
        choice=CHOICE,
        findings=describe_findings(results),
        costs=draw_costs(results),
        accuracies=draw_accuracies(results, images),
        has_images=images is not None,
        most_shown=MOST_SHOWN,
        latencies=draw_latencies(results),
        budgets=draw_budgets(results),
        conditions=draw_machines(results),
        missing=_list_missing(results),
        how=conditions,
        raw=[_list_raw(results, place, row) for place, row in enumerate(results.rows) if not row.unavailable],
        glossary=GLOSSARY,
    )


def format_summary(results: Results) -> str:
    """Render the summary, one page to print: which file to deploy, its costs, and how sure that is."""
    candidates, doubts = list_candidates(results), describe_doubts(results)
    page = f"{results.name}.html"
    if len(doubts) > MOST_DOUBTS:
        doubts[MOST_DOUBTS:] = [f"{len(doubts) - MOST_DOUBTS} more doubts are in {page}."]
    content = render_page(
        "summary.html",
        title=f"{results.name}: which file to deploy",
        results=results,
        page=page,
        doubts=doubts,
        verdict=describe_verdict(results, candidates),
        best=tabulate_candidates(results, candidates),
        chart=draw_candidates(results, candidates),
        sureness=describe_sureness(results),
    )
    # The raw values are in the page beside it.
    return content.replace('href="#raw-', f'href="{quote(page)}#raw-')


def _list_raw(results: Results, place: int, row: Row) -> RawValues:
    measured = {"latency": row.latency, "bare": row.bare, "paced": row.paced}
    measured |= {f"batches[{i}]": batch for i, batch in enumerate(row.batches)}
    lines = [_cells(f"rows[{place}].{name}.rounds", latency) for name, latency in measured.items() if latency]
    facts = [f"SHA-256 {row.file_sha256[:16]}…"]
    if row.accuracy:
        wrong = format_count(len(row.accuracy.misread), "image", "images")
        facts.append(f"{wrong} misread, in rows[{place}].accuracy.misread")
    if row.clock_resolution_us is not None:
        facts.append(f"timed by a clock that steps by {row.clock_resolution_us:g} us")
    title = f"row {place}: {row_label(row)}, {results.machines[row.machine].name}"
    return RawValues(f"raw-{place}", title, "; ".join(facts) + ".", PageTable(HEAD, lines))


def _cells(path: str, latency: Latency) -> list[str]:
    calls = dict.fromkeys(f"{len(one):,}" for one in latency.rounds)
    return [
        path,
        str(len(latency.rounds)),
        ", ".join(calls),
        ", ".join(format_us(float(np.median(one))) for one in latency.rounds),
        ", ".join(format_us(max(one)) for one in latency.rounds),
    ]


def _list_missing(results: Results) -> PageTable:
    """List rows without figures and the reasons, and rows without latencies."""
    lines: list[list[str | TableCell]] = [["", "", machine, reason] for machine, reason in results.unreachable.items()]
    for row in results.rows:
        reason = row.unavailable or ("" if row.latency else "checked for correctness only; its latency is not shown")
        if reason:
            lines.append([row.file, target_label(row), results.machines[row.machine].name, reason])
    return PageTable(["file", "on", "machine", "why"], lines, left=3, words=["why"])
