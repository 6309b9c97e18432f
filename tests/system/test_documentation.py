"""The README and the pages: figures are those of the results, links lead somewhere, and the English is plain."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.report.report import format_headlines
from edge_mnist.benchmarks.results.files import read_results
from edge_mnist.benchmarks.studies.networks.zoo_report import format_claims, format_models
from edge_mnist.benchmarks.studies.networks.zoo_results import Zoo
from edge_mnist.edge.bundle.catalogue import CATALOGUE
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from tests.conftest import REPOSITORY

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"
RESULTS = DOCS / "results"
STAGES = ("edge", "train", "export", "benchmarks", "edge_mnist")
PAGES = [README, REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
# Words of a translation, and what to write.
STILTED = {
    "whoever": "those who, or the role",
    "told": "given, set, reported",
    "anew": "again",
    "so many": "the number, or at most N",
    "is had": "there is",
    "comes along": "arrives",
    "what is none": "non-digits",
    "says so": "what it prints",
}
STILTED_WORDS = re.compile(r"\b(" + "|".join(STILTED).replace(" ", r"\s+") + r")\b", re.IGNORECASE)


def test_the_first_screen_has_a_picture_and_a_command() -> None:
    lines = README.read_text().splitlines()
    first = {mark: next(i for i, line in enumerate(lines, 1) if line.startswith(mark)) for mark in ("![", "```sh")}

    assert first["!["] <= 10
    assert first["```sh"] < 15
    assert len(lines) < 150


def test_the_readme_has_the_measured_accuracies_and_sizes() -> None:
    readme = README.read_text()
    results = read_results(RESULTS / "standard.json")
    shown = {row.file: f"{100 * row.accuracy.correct / row.accuracy.count:.2f}" for row in results.rows if row.accuracy}

    for name in ("standard-float32.tflite", "standard-int8.tflite"):
        kilobytes = round((SHIPPED / name).stat().st_size / 1000)
        assert re.search(rf"`{name}` \| {kilobytes} kB, {shown[name]} %", readme)
        assert re.search(rf"(?m)^{name} +litert +{shown[name]} ", readme)


def test_the_readme_has_the_size_and_accuracy_of_nano() -> None:
    file = open_bundle(SHIPPED.parent / "nano").file("tflite", "int8")
    kilobytes, accuracy = round(file.record.size_bytes / 1000), file.verification.correct / 100

    assert f"`nano-int8.tflite` | {kilobytes} kB, {accuracy:.2f} %" in README.read_text()


def test_int8_is_as_small_as_the_readme_claims() -> None:
    sizes = [(SHIPPED / f"standard-{precision}.tflite").stat().st_size for precision in ("float32", "int8")]

    assert f"{sizes[0] / sizes[1]:.1f} times as small as float32" in README.read_text()


def test_the_page_on_quantization_has_the_scales_of_the_shipped_file() -> None:
    file = open_bundle(SHIPPED).file("tflite", "int8")
    page = (DOCS / "explanation" / "quantization.md").read_text()

    for tensor in (file.input, file.output):
        assert f"`{tensor.name}` | {tensor.dtype} | {tensor.scale:.6g}" in page
        assert f"| {tensor.zero_point} |" in page


def test_the_results_page_shows_the_measured_table() -> None:
    assert format_headlines(read_results(RESULTS / "standard.json")) in (RESULTS / "index.md").read_text()


def test_the_results_page_shows_the_measured_zoo() -> None:
    zoo = msgspec.json.decode((RESULTS / "zoo.json").read_bytes(), type=Zoo)
    page = (RESULTS / "index.md").read_text()

    assert format_models(zoo) in page
    assert format_claims(zoo) in page


# What mkdocs does not see, or would only see when the site is built.
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_page_links_to_files_that_exist(page: Path) -> None:
    generated = {"card.schema.json", "openapi.json"}
    links = [link for link in LINK.findall(page.read_text()) if Path(link).name not in generated]

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_result_is_linked_from_the_results_page() -> None:
    page = (RESULTS / "index.md").read_text()

    results = [path for path in RESULTS.rglob("*") if path.is_file() and path.name != "index.md"]

    assert results
    assert [str(path) for path in results if f"({path.relative_to(RESULTS)})" not in page] == []


def test_messages_name_pages_that_exist() -> None:
    named = {
        (str(path.relative_to(REPOSITORY)), name)
        for path in _product_files()
        for name in re.findall(r"docs/[\w/-]+\.(?:md|py|json)", path.read_text())
    }

    assert named
    assert [
        (path, name) for path, name in named if "schema-VERSION" not in name if not (REPOSITORY / name).exists()
    ] == []


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_network_has_its_figures_on_the_results_page(name: str) -> None:
    assert re.search(rf"(?m)^\| {name} +\|", (RESULTS / "index.md").read_text())


def test_everything_that_users_read_is_in_plain_english() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]!r}; write: {STILTED[' '.join(match[0].lower().split())]}"
        for path, text in _texts_for_users()
        for match in STILTED_WORDS.finditer(text)
    ]

    assert found == []


def _texts_for_users() -> Iterator[tuple[Path, str]]:
    """Pages, and of the product its docstrings, helps, messages, templates and the files of the served page."""
    for path in (*PAGES, REPOSITORY / "CHANGELOG.md", REPOSITORY / "Makefile", REPOSITORY / "mkdocs.yml"):
        yield path, path.read_text()
    for path in _product_files():
        if path.suffix != ".py":
            yield path, path.read_text()
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def _product_files() -> list[Path]:
    suffixes = {".py", ".html", ".js", ".css", ".service", ".default"}
    paths = (path for stage in STAGES for path in (REPOSITORY / stage).rglob("*") if path.suffix in suffixes)
    return sorted(path for path in paths if "/models/" not in str(path))
