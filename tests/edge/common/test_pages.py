"""Pages and charts: text stays text, charts have labels and links, and a missing package is one sentence."""

import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.pages.curves import ChartAxes, ChartPoint, draw_curves, draw_histograms
from edge_mnist.edge.common.pages.drawing import make_file
from edge_mnist.edge.common.pages.page import PageTable, TableCell, _environment, emphasize, render_page
from edge_mnist.edge.common.pages.row_charts import ChartRow, draw_rows
from edge_mnist.edge.common.pages.scatter import ChartMark, draw_scatter, error_of
from tests.builders.parsed_page import check_self_contained

HOSTILE = """<script>alert('"&')</script>\x1b[2J"""


def _row(**changes: object) -> ChartRow:
    return ChartRow(name="a", note="", value="1", value_note="", **changes)


def _ticks(chart: str) -> list[str]:
    """Labels of the horizontal axis."""
    return re.findall(r"<text[^>]*text-anchor: middle[^>]*>([-+.\dk]+)</text>", chart)


@pytest.mark.parametrize(("low", "high"), [(11.2, 480), (0.5, 0.9), (100, 100), (3, 1e6), (1, 2)])
def test_a_logarithmic_axis_has_labels_between_its_ends(low: float, high: float) -> None:
    labels = [float(text.replace("k", "e3")) for text in _ticks(draw_rows("r", "us", [_row(bar=(low, high))], True))]

    assert 2 <= len(set(labels)) <= 12
    assert min(labels) <= high
    assert max(labels) >= low


def test_a_logarithmic_axis_has_no_place_for_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        draw_rows("r", "us", [_row(bar=(0.0, 5.0))], is_log=True)


def test_differences_have_signs_and_a_zero() -> None:
    labels = _ticks(draw_rows("r", "points", [_row(bar=(-1.0, 2.0), rings=(0.5,))], zero=True))

    assert {"-1", "0", "+1"} <= {label.replace(".0", "").replace(".00", "") for label in labels} | set(labels)


def test_a_chart_is_the_same_each_time_and_loads_nothing() -> None:
    row = _row(hill=np.arange(50) / 10, strokes=(1, 2), dots=(1, 3), link="raw-1")
    charts = [draw_rows("r", "times", [row]) for _ in range(2)]

    assert charts[0] == charts[1]
    assert re.search(r"https?:|url\(|<style|<script", charts[0]) is None
    assert 'href="#raw-1"' in charts[0]
    assert re.search(r"#0[1-8]0[1-8]0[1-8]", charts[0]) is None
    assert "var(--first)" in charts[0]


def test_an_interval_lies_under_its_distribution() -> None:
    row = _row(hill=np.random.default_rng(1).normal(1, 0.1, 500), bar=(0.95, 1.05), strokes=(1, 1.2), dots=(1, 1.1))

    paths = re.findall(r'<path d="([^"]*)"([^>]*)', draw_rows("r", "times", [row]))

    heights = {
        name: [float(y) for path, style in paths if mark in style for y in re.findall(r"[ML] \S+ (\S+)", path)]
        for name, mark in (("hill", "opacity: 0.35"), ("bar", "stroke-width: 5"))
    }
    # Half of the bar's width is above its line.
    assert max(heights["hill"]) < min(heights["bar"]) - 2.5


def test_a_perfect_score_is_drawn_as_half_an_error() -> None:
    assert error_of(1.0, 100) == pytest.approx(0.005)

    mark = ChartMark(cost=5, accuracy=1.0, interval=(0.96, 1.0), count=100, area=10, tip=HOSTILE, label="<b>", link="x")
    chart = draw_scatter("Title", "kB", [mark], [("claim: 98 %", 0.98, ":")])

    assert "<script" not in chart
    assert "<title>&lt;script&gt;" in chart
    assert "\\u001b[2J" in chart
    assert "&lt;b&gt;" in chart
    assert "claim: 98 %" in chart
    assert chart.count(' href="#x">') >= 2
    assert chart.count('<a aria-label="') == chart.count("<a ")


def test_a_curve_stops_where_conditions_change() -> None:
    points = [ChartPoint(i, i, (i - 0.1, i + 0.1), f"point {i}", f"run-{i}", i == 1) for i in range(4)]

    chart = draw_curves("c", ChartAxes("runs", "us"), {"": points}, breaks=[1.5])

    assert len(re.findall(r'<path d="M[^"]*L[^"]*"[^>]*var\(--first\); stroke-width: 1.8', chart)) == 2
    assert chart.count("<title>point ") == 4
    assert len(re.findall(r"<use [^>]*fill: var\(--paper\)", chart)) == 1


def test_a_chart_is_a_file_of_its_own() -> None:
    chart = draw_histograms("h", ChartAxes("score", "share"), [0, 1, 2], {"a": [0.2, 0.8], "b": [0.5, 0.5]}, 0.7)

    drawing = ElementTree.fromstring(make_file(chart))  # noqa: S314 - made a line above

    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert "--ink" in (drawing[0].text or "")


def test_text_of_a_page_is_text() -> None:
    table = PageTable(["a", "b"], [[HOSTILE, TableCell(HOSTILE, HOSTILE, kind="invalid")]], names=["row-1"])
    content = render_page(
        "history.html", title=HOSTILE, verdict=HOSTILE, doubts=[HOSTILE], newest=table, chart="", skipped=[HOSTILE],
        latencies=[], accuracies=[], table=PageTable([], []),
    )  # fmt: skip

    page = check_self_contained(content)

    shown = HOSTILE.replace("\x1b", "\\u001b")
    assert page.text.count(shown) == 8
    assert emphasize("**50 %** `<a>`") == "<strong>50\N{NO-BREAK SPACE}%</strong> <code>&lt;a&gt;</code>"


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    _environment.cache_clear()

    with pytest.raises(EdgeMnistError, match=r"needs the package jinja2: pip install 'edge-mnist\[report\]'"):
        render_page("base.html", title="x")
