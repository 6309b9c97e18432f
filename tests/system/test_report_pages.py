"""Every kind of page that the project writes, in a browser: the answer first, nothing cut or hidden, little paper."""

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.comparison.history import format_history, read_history
from edge_mnist.benchmarks.comparison.models import compare_models
from edge_mnist.benchmarks.comparison.models_report import draw_charts, format_comparison_page
from edge_mnist.benchmarks.report.page import format_page, format_summary
from edge_mnist.benchmarks.report.report import describe_conditions
from edge_mnist.benchmarks.results.files import encode_results
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.benchmarks.studies.networks import abstention_page
from edge_mnist.benchmarks.studies.networks.abstention_results import AbstentionResults
from edge_mnist.benchmarks.studies.robustness.report import write_robustness_reports
from edge_mnist.benchmarks.studies.robustness.results import Robustness
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.train.report.report import report_path
from tests.builders.benchmark_results import make_images, make_machine, make_results, make_row
from tests.conftest import REPOSITORY, edge_mnist
from tests.stand_ins.chromium import CONTRASTS, LEAST_CONTRAST, Page, page
from tests.stand_ins.file_server import serve_folder

__all__ = ["page"]
RESULTS = REPOSITORY / "docs" / "results"
FIRST_SCREEN = (1280, 900)
MOST_LINES = 8
# Each page of a PDF that Chromium writes is such an object.
PDF_PAGE = re.compile(rb"/Type /Page\b")
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
# Elements that reach beyond the screen, and tables that scroll.
CUT = """
const wide = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() &&
  !one.closest("svg") && one.getBoundingClientRect().right > innerWidth + 1);
const scrolling = [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth + 1);
return [...wide, ...scrolling].map((one) => one.tagName + " " + one.textContent.trim().slice(0, 40));
"""


def _make_doubtful() -> Results:
    """A run with more files than the first table has lines, and all kinds of doubts."""
    random = np.random.default_rng(4)
    reasons = ["other processes took up to 85 % of all processors' time", "latencies were not steady after warming up"]
    rows = [
        make_row("toy-int8.tflite", random, 1.2 + i / 5, file=f"toy-int8-{i}.tflite", validity="unstable",
                 reasons=reasons)
        for i in range(5)
    ]  # fmt: skip
    results = make_results()
    return msgspec.structs.replace(
        results,
        rows=[*results.rows, *rows],
        settings=msgspec.structs.replace(results.settings, is_quick=True),
        machines=[make_machine(validity="unstable", reasons=reasons)],
        unreachable={"pi@shed": "pi@shed: the host key is not known."},
    )


def _write_benchmark(path: Path, _: pytest.FixtureRequest) -> None:
    results = make_results()
    path.write_text(format_page(results, make_images(), describe_conditions(results)))


def _write_doubtful(path: Path, _: pytest.FixtureRequest) -> None:
    results = _make_doubtful()
    path.write_text(format_page(results, None, describe_conditions(results)))


def _write_summary(path: Path, _: pytest.FixtureRequest) -> None:
    path.write_text(format_summary(make_results()))


def _write_doubtful_summary(path: Path, _: pytest.FixtureRequest) -> None:
    path.write_text(format_summary(_make_doubtful()))


def _write_history(path: Path, _: pytest.FixtureRequest) -> None:
    folder = path.with_suffix("")
    folder.mkdir()
    for i in range(4):
        results = make_results(i, calls=20, started=f"2026-01-0{i + 1}T00:00:00+00:00")
        (folder / f"{i}.json").write_bytes(encode_results(results))
    path.write_text(format_history(read_history(folder)))


def _write_models(path: Path, _: pytest.FixtureRequest) -> None:
    comparison = compare_models([SHIPPED.with_name("nano"), SHIPPED])
    path.write_text(format_comparison_page(comparison, draw_charts(comparison)))


def _write_abstention(path: Path, _: pytest.FixtureRequest) -> None:
    results = msgspec.json.decode((RESULTS / "abstention.json").read_bytes(), type=AbstentionResults)
    path.write_text(abstention_page.format_page(results, ["**Digits**: of MNIST."]))


def _write_robustness(path: Path, _: pytest.FixtureRequest) -> None:
    results = msgspec.json.decode((RESULTS / "robustness.json").read_bytes(), type=Robustness)
    write_robustness_reports(results, np.zeros((15, 6, 28, 28), np.uint8), path.parent)


def _write_photos(path: Path, _: pytest.FixtureRequest) -> None:
    result = edge_mnist("benchmark", "photos", "shipped", "--out", path.parent)
    assert result.exit_code == 0, result.output


def _write_export(path: Path, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue("exported")
    shutil.copy(bundle.path / "report.html", path)


def _write_training(path: Path, request: pytest.FixtureRequest) -> None:
    shutil.copy(report_path(request.getfixturevalue("trained")), path)


KINDS: dict[str, Callable[[Path, pytest.FixtureRequest], None]] = {
    "benchmark": _write_benchmark,
    "doubtful": _write_doubtful,
    "summary": _write_summary,
    "doubtful-summary": _write_doubtful_summary,
    "history": _write_history,
    "models": _write_models,
    "abstention": _write_abstention,
    "robustness": _write_robustness,
    "photos": _write_photos,
    "export": _write_export,
    "training": _write_training,
}


@pytest.fixture(scope="module", params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page of each kind."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("needs a browser: apt install chromium chromium-driver")
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    KINDS[request.param](path, request)
    with serve_folder(path.parent) as server:
        yield f"{server}/{path.name}"


def test_the_first_screen_has_the_answer_a_short_table_and_a_plot(page: Page, address: str) -> None:
    page.show(*FIRST_SCREEN)
    page.open(address)

    ends = page.driver.execute_script(
        "return ['.verdict', 'table', 'svg.chart'].map((one) => {"
        " const found = document.querySelector(one).getBoundingClientRect(); return [found.height, found.bottom]; })"
    )
    lines = page.driver.execute_script("return document.querySelector('table').tBodies[0].rows.length")

    assert all(height > 0 and bottom < FIRST_SCREEN[1] for height, bottom in ends), ends
    assert 0 < lines <= MOST_LINES


@pytest.mark.parametrize(("width", "touch"), [(1280, False), (390, True)])
def test_nothing_is_cut_off_or_hidden(page: Page, address: str, width: int, touch: bool) -> None:
    page.show(width, 900, touch=touch)
    page.open(address)
    folded = page.driver.execute_script("return document.documentElement.scrollWidth")

    page.driver.execute_script(OPEN_ALL)

    assert folded <= width
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.driver.execute_script(CUT) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_pictures_have_words(page: Page, address: str, scheme: str) -> None:
    page.show(*FIRST_SCREEN, scheme)
    page.open(address)
    page.driver.execute_script(OPEN_ALL)

    faint = [pair for pair in page.driver.execute_script(CONTRASTS) if pair[1] < LEAST_CONTRAST]
    silent, broken, flat = page.driver.execute_script(
        "const drawings = [...document.querySelectorAll('svg')], pictures = [...document.images];"
        "return [[...drawings.filter((one) => !one.ariaLabel), ...pictures.filter((one) => !one.alt)],"
        " pictures.filter((one) => !one.naturalWidth),"
        " drawings.filter((one) => one.getBoundingClientRect().height < 20)].map((one) => one.length)"
    )

    assert faint == []
    assert silent == broken == flat == 0


def test_paper_takes_few_pages_and_a_summary_takes_one(page: Page, address: str) -> None:
    page.open(address)

    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})

    count = len(PDF_PAGE.findall(base64.b64decode(printed["data"])))
    assert count == 1 if "summary" in address else 2 <= count <= 6
