"""What strangers write stays text in reports: Markdown, HTML, SVG and spreadsheets, whatever it looks like."""

import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from edge_mnist.benchmarks.comparison.history import format_history, read_history
from edge_mnist.benchmarks.comparison.models import compare_models
from edge_mnist.benchmarks.comparison.models_report import draw_charts, format_comparison_page, format_markdown
from edge_mnist.benchmarks.report.page import format_page
from edge_mnist.benchmarks.report.report import describe_conditions, format_report, write_reports
from edge_mnist.benchmarks.results.csv_table import format_csv
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.edge.common.pages.markdown import csv_cell, escape_all_markdown, escape_markdown
from tests.builders.benchmark_results import make_results
from tests.builders.strangers_text import EVERYTHING, MARKUP, find_forged, find_steering

HOSTILE = EVERYTHING + MARKUP
# Fields that may hold any text.
FREE = {"file", "model", "governor", "system", "unavailable", "runtime_version", "evaluated_on", "name", "python"}


def _soil(value: Any, hostile: str) -> Any:
    """A copy of results with a stranger's words in every text that may be any text."""
    if isinstance(value, msgspec.Struct):
        changed = {
            field: f"{hostile}{item}" if field in FREE and isinstance(item, str) else _soil(item, hostile)
            for field in value.__struct_fields__
            for item in [getattr(value, field)]
        }
        return msgspec.structs.replace(value, **changed)
    if isinstance(value, list):
        return [_soil(item, hostile) for item in value]
    if isinstance(value, dict):
        return {f"{hostile}{key}" if isinstance(item, str) else key: item for key, item in value.items()}
    return value


@pytest.fixture(scope="module")
def hostile() -> Results:
    return msgspec.structs.replace(_soil(make_results(), HOSTILE), name="toy")


def _all_tokens(text: str) -> list[Token]:
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found += [token, *(token.children or [])]
    return found


@pytest.mark.parametrize(
    "text", [HOSTILE, MARKUP, "# head", "- item", "<!--", "a|b", "\\|", "![x](y)", "&lt;b&gt;", "--- "]
)
def test_markdown_text_shows_what_it_says(text: str) -> None:
    tokens = _all_tokens(f"| a |\n|---|\n| {escape_markdown(text)} |\n\n{escape_markdown(text)}\n")

    assert {token.type for token in tokens} <= {
        *("table_open", "thead_open", "tr_open", "th_open", "inline", "text", "th_close", "tr_close", "thead_close"),
        *("tbody_open", "td_open", "td_close", "tbody_close", "table_close", "paragraph_open", "paragraph_close"),
        "text_special",
    }
    assert sum(token.type == "td_open" for token in tokens) == 1


@pytest.mark.parametrize(
    "text", ["nano-int8.tflite", "x86_64", "tflite-runtime", "AMD EPYC (2 cores) @ 2.1 GHz", "p <= 0.05", "a & b <3"]
)
def test_usual_names_stay_as_they_are_for_who_reads_the_source(text: str) -> None:
    assert escape_markdown(text) == text


def test_only_texts_of_a_document_change() -> None:
    results = make_results()

    escaped = escape_all_markdown(results)

    assert escaped.rows[1].latency == results.rows[1].latency
    assert [row.key for row in escaped.rows] == [row.key for row in results.rows]


def test_a_markdown_report_has_no_markdown_of_strangers(hostile: Results) -> None:
    clean, soiled = _all_tokens(format_report(make_results())), _all_tokens(format_report(hostile))

    for kind in ("link_open", "image", "html_inline", "html_block", "code_inline", "td_open", "heading_open"):
        assert sum(token.type == kind for token in soiled) == sum(token.type == kind for token in clean), kind
    assert find_steering(format_report(hostile)) == []
    assert find_forged(format_report(hostile)) == []
    # GitHub makes links of these.
    assert "http://" not in format_report(hostile)
    assert "www." not in format_report(hostile)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, "")] + [(tag, name) for name, _ in attrs]


def _benchmark_page(results: Results, _folder: Path) -> str:
    return format_page(results, None, describe_conditions(results))


def _history_page(results: Results, folder: Path) -> str:
    (folder / "a.json").write_bytes(msgspec.json.encode(results))
    return format_history(read_history(folder))


def _comparison_page(results: Results, folder: Path) -> str:
    (folder / "a.json").write_bytes(msgspec.json.encode(results))
    comparison = compare_models([folder / "a.json"])
    return format_comparison_page(comparison, draw_charts(comparison))


@pytest.mark.parametrize("make", [_benchmark_page, _history_page, _comparison_page])
def test_a_page_has_no_tags_of_strangers(
    make: Callable[[Results, Path], str], hostile: Results, tmp_path: Path
) -> None:
    page = make(hostile, tmp_path)

    tags = _Tags()
    tags.feed(page)
    assert not {"img", "script", "iframe", "b"} & {tag for tag, _ in tags.found}
    assert not {name for _, name in tags.found if name.startswith("on")}
    assert "&lt;img src=x" in page
    assert find_steering(page) == []


def test_a_comparison_in_markdown_has_no_markdown_of_strangers(hostile: Results, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(msgspec.json.encode(hostile))

    tokens = _all_tokens(format_markdown(compare_models([tmp_path / "a.json"])))

    assert not {"link_open", "html_inline", "html_block", "code_inline", "s_open"} & {token.type for token in tokens}
    assert {token.attrs["src"] for token in tokens if token.type == "image"} <= {
        "compare-size.svg",
        "compare-latency.svg",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_spreadsheet_computes_a_strangers_cell(start: str) -> None:
    results = _soil(make_results(), f'{start}HYPERLINK("http://evil","x")')

    rows = list(csv.reader(io.StringIO(format_csv(results))))

    assert len(rows) == 1 + len(results.rows)
    head, first = rows[0], rows[1]
    assert first[head.index("file")].startswith("'")
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
        assert not cell.startswith("-") or float(cell) < 0


@pytest.mark.parametrize("value", [-0.5, 3, None, True, 1e-9])
def test_numbers_of_a_spreadsheet_stay_numbers(value: object) -> None:
    assert csv_cell(value) is value


def test_the_json_of_a_report_has_the_names_as_they_are(hostile: Results, tmp_path: Path) -> None:
    write_reports(hostile, tmp_path)

    assert json.loads((tmp_path / "toy.json").read_bytes())["rows"][0]["file"] == hostile.rows[0].file
