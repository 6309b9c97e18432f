"""Comparing models: nothing invented, nothing mixed that does not mix, and drawings that show all of it."""

import hashlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import Result

from edge_mnist.benchmarks.comparison.models import (
    ModelComparison,
    ModelPoint,
    PublishedClaim,
    compare_models,
    mark_front,
)
from edge_mnist.benchmarks.comparison.models_report import (
    CostAxis,
    describe_models,
    draw_charts,
    draw_points,
    format_comparison_page,
)
from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.results.schema import Accuracy, Results, Row
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.catalogue import CATALOGUE
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.pages.drawing import make_file
from edge_mnist.edge.common.pages.scatter import pick_front
from edge_mnist.edge.common.statistics import wilson_interval
from tests.builders.benchmark_results import make_machine, make_results
from tests.conftest import edge_mnist

MACHINE = make_machine()
OTHER = make_machine(host=msgspec.structs.replace(MACHINE.host, model="Other"))


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return open_bundle(SHIPPED)


def _results(name: str, latency_us: float, correct: int = 9_900, threads: int = 1, **changes: object) -> Results:
    """A benchmark of one int8 TFLite file; besides it, what is not compared."""
    wrong = [(index, 0) for index in range(10_000 - correct)]
    accuracy = Accuracy(
        correct=correct,
        count=10_000,
        confusion=[[correct, 10_000 - correct, *[0] * 8], *[[0] * 10] * 9],
        misread=wrong,
    )
    row = Row(
        file=f"{name}-int8.tflite", file_sha256="ab" * 32, format="tflite", precision="int8", size_bytes=10_000,
        runtime="litert", runtime_version="2", threads=threads, accuracy=accuracy,
        latency=summarize_rounds([[latency_us] * 3] * 3, 1),
    )  # fmt: skip
    others: list[dict[str, object]] = [
        {"runtime": "tflite-runtime", "unavailable": "not installed", "accuracy": None, "latency": None},
        {"delegate": "none"},
        {"threads": 2 * threads},
        {"machine": 1},
        {"file": "keras", "format": "keras", "runtime": "keras"},
        {"file": "peer.tflite", "precision": None, "is_peer": True},
    ]
    results = make_results(
        name=name,
        card_sha256=hashlib.sha256(name.encode()).hexdigest(),
        evaluated_on="mnist-test-10k",
        image_count=10_000,
        machines=[MACHINE, make_machine("another")],
        rows=[row, *(msgspec.structs.replace(row, **other) for other in others)],
    )
    return msgspec.structs.replace(results, **changes)


def _write(folder: Path, results: Results, name: str | None = None) -> Path:
    path = folder / f"{name or results.name}.json"
    path.write_bytes(msgspec.json.encode(results))
    return path


def _point(correct: int, size_bytes: int, latency_us: float | None = None, model: str = "m") -> ModelPoint:
    return ModelPoint(
        model=model, file=f"{model}.tflite", format="tflite", precision="int8", runtime="litert 2",
        size_bytes=size_bytes, correct=correct, count=100, interval=wilson_interval(correct, 100),
        latency_us=latency_us,
    )  # fmt: skip


def _run(*arguments: object) -> Result:
    return edge_mnist("compare", *arguments)


def test_a_bundle_is_compared_by_what_its_card_says(shipped: Bundle) -> None:
    comparison = compare_models([SHIPPED])

    found = {(point.file, point.size_bytes, point.correct, point.latency_us) for point in comparison.points}
    assert found == {(one.record.name, one.record.size_bytes, one.verification.correct, None) for one in shipped.files}
    assert comparison.front_of == ("accuracy", "size")


def test_latency_is_never_drawn_where_nobody_measured_it() -> None:
    comparison = compare_models([SHIPPED])

    assert comparison.timing is None
    assert set(draw_charts(comparison)) == {"size"}
    assert any(sentence.startswith("Not timed: ") for sentence in describe_models(comparison))


def test_a_file_of_a_bundle_and_of_its_benchmark_counts_once_as_timed(shipped: Bundle, tmp_path: Path) -> None:
    sha256 = shipped.card_sha256
    images = shipped.export.evaluations[0].images
    same = {"card_sha256": sha256, "evaluated_on": images.name, "images_sha256": images.sha256}
    timed = _write(tmp_path, _results("standard", 250.0, **same))

    comparison = compare_models([SHIPPED, timed])

    assert len(comparison.points) == len(shipped.files)
    assert {point.file: point.latency_us for point in comparison.points if point.latency_us} == {
        "standard-int8.tflite": pytest.approx(250.0)
    }
    assert set(draw_charts(comparison)) == {"size", "latency"}


def test_an_invalid_latency_is_named_and_not_used(tmp_path: Path) -> None:
    throttled = _results("hot", 1.0)
    rows = [msgspec.structs.replace(row, validity="invalid") for row in throttled.rows]
    paths = [_write(tmp_path, msgspec.structs.replace(throttled, rows=rows)), _write(tmp_path, _results("cool", 9.0))]

    comparison = compare_models(paths)

    assert {point.model: point.latency_us for point in comparison.points} == {"hot": None, "cool": pytest.approx(9.0)}
    assert comparison.front_of == ("accuracy", "size")
    sentences = describe_models(comparison)
    assert any(one.startswith("Invalid latency left out: hot's hot-int8.tflite on") for one in sentences)
    assert not any(one.startswith("Not timed") for one in sentences)
    assert "hot-int8.tflite" not in draw_charts(comparison)["latency"]


def test_a_row_that_did_not_run_is_left_out(tmp_path: Path) -> None:
    comparison = compare_models([_write(tmp_path, _results("a", 1.0))])

    assert [point.runtime for point in comparison.points] == ["litert 2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluated_on": "mnist-sample-evaluation-4000", "images_sha256": "2b" * 32}, "on mnist-sample.*2b2b"),
        ({"images_sha256": "2b" * 32}, r"different images .*on mnist-test-10k \(SHA-256 2b2b2b2b2b2b…\)"),
        ({"threads": 2}, "--threads 1.*--threads 2"),
        ({"machines": [OTHER, MACHINE]}, "Made-up processor.*Other"),
    ],
    ids=["images", "images of the same name", "threads", "machine"],
)
def test_runs_under_other_conditions_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    first, second = _write(tmp_path, _results("a", 1.0)), _write(tmp_path, _results("b", 1.0, **changes))

    with pytest.raises(BenchmarkError, match=message):
        compare_models([first, second])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "not the results of edge-mnist benchmark"),
        (b"\xff\xfe", "damaged"),
        (msgspec.json.encode(_results("a", 1.0, schema_version=9)), "expected schema_version 2 or 3, got 9"),
        (msgspec.json.encode(_results("a", 1.0, rows=[])), "no measured file in it"),
        (None, "does not exist"),
    ],
    ids=["other JSON", "no text", "other version", "no rows", "missing"],
)
def test_what_is_no_benchmark_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchmarkError, match=message):
        compare_models([path])


def test_a_bundle_that_was_not_exported_is_refused(trained: Path) -> None:
    with pytest.raises(ModelCardError, match="Run: edge-mnist export"):
        compare_models([trained])


def test_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [
        _write(tmp_path, _results("a", 1.0), "monday"),
        _write(tmp_path, _results("a", 2.0, card_sha256="0" * 64), "tuesday"),
    ]

    assert {point.model for point in compare_models(paths).points} == {"a (monday)", "a (tuesday)"}


@pytest.mark.parametrize(
    ("points", "timed", "front"),
    [
        ([(90, 10, 5.0), (80, 10, 5.0)], True, {0}),
        ([(90, 10, 5.0), (80, 9, 6.0)], True, {0, 1}),
        ([(90, 10, 5.0), (90, 10, 5.0)], True, {0, 1}),
        ([(90, 10, 5.0), (90, 10, 4.0)], True, {1}),
        ([(90, 10, 5.0), (80, 20, 1.0)], False, {0}),
    ],
    ids=["worse", "smaller", "equal", "faster", "speed does not count untimed"],
)
def test_the_front_has_what_nothing_beats(points: list[tuple[int, int, float]], timed: bool, front: set[int]) -> None:
    named = [_point(*point, model=str(i)) for i, point in enumerate(points)]

    assert {int(point.model) for point in mark_front(named, timed) if point.on_front} == front


def test_the_stairs_go_over_the_points_that_cost_least() -> None:
    points = [_point(80, 10), _point(95, 40), _point(90, 20), _point(85, 30)]

    front = pick_front(points, lambda one: one.size_bytes, lambda one: one.accuracy)

    assert [point.accuracy for point in front] == [0.8, 0.9, 0.95]


def test_the_reference_marks_are_the_catalogues_claims() -> None:
    claims = {entry.name: entry.reference for entry in CATALOGUE.values() if entry.reference}

    references = compare_models([SHIPPED]).references

    assert {(one.name, one.accuracy, one.split, one.rough) for one in references} == {
        (name, claim.accuracy, claim.split, claim.rough) for name, claim in claims.items()
    }


def test_claims_about_mnist_stand_beside_no_other_images(tmp_path: Path) -> None:
    comparison = compare_models([_write(tmp_path, _results("a", 1.0, evaluated_on="fashion-mnist-test-10k"))])

    assert comparison.references == []


@pytest.mark.parametrize(
    "points",
    [
        [_point(100, 10)],
        [_point(0, 10), _point(100, 10)],
        [_point(50 + i, 10 ** (i % 5 + 2), model=f"a model with a long name {i}") for i in range(40)],
    ],
    ids=["a single perfect one", "all and nothing", "many"],
)
def test_drawings_hold_every_point_and_nothing_outside(points: list[ModelPoint]) -> None:
    references = [PublishedClaim(name="<published>", accuracy=0.9, split="test", rough=True)]

    svg = make_file(draw_points("Title", CostAxis("size", lambda one: one.size_bytes), points, references))
    drawing = ElementTree.fromstring(svg)  # noqa: S314 - made a line above

    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    tips = [element.text for element in drawing.iter() if element.tag.endswith("}title")]
    assert len(tips) == len(points)
    marks = [element for element in drawing.iter() if element.tag.endswith("}use") and float(element.attrib["y"]) > 0]
    assert all(0 <= float(one.attrib["x"]) <= width and 0 <= float(one.attrib["y"]) <= height for one in marks)
    texts = [element for element in drawing.iter() if element.tag.endswith("}text")]
    assert all(-1 <= float(text.attrib.get("x", 0)) <= width for text in texts)
    assert "<published>: about 90 %" in [text.text for text in texts]
    assert {point.model for point in points} <= {text.text for text in texts}


def test_the_command_writes_page_drawings_table_and_json(tmp_path: Path) -> None:
    runs = [_write(tmp_path, _results("fast", 10.0)), _write(tmp_path, _results("good", 90.0, correct=9_980))]

    result = _run(*runs, "--out", tmp_path / "out")

    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html", "compare.json", "compare.md", "compare-size.svg", "compare-latency.svg",
    }  # fmt: skip
    comparison = msgspec.json.decode((tmp_path / "out" / "compare.json").read_bytes(), type=ModelComparison)
    assert comparison == compare_models(runs)
    assert [point.model for point in comparison.points] == ["good", "fast"]
    assert "compare-latency.svg" in (tmp_path / "out" / "compare.md").read_text()
    assert "99.80" in result.stdout


def test_reports_that_cannot_be_written_are_one_sentence_and_cost_no_other_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "compare.html").mkdir(parents=True)

    result = edge_mnist("compare", _write(tmp_path, _results("a", 1.0)), "--out", out)

    assert result.exit_code == 1
    place = out / "compare.html"
    assert result.stderr == (
        f"Error: {place}: cannot be written (Is a directory). Free space there, or choose another folder.\n"
    )
    assert "a-int8.tflite" in result.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "compare-latency.svg", "compare-size.svg", "compare.html", "compare.json", "compare.md",
    ]  # fmt: skip


def test_json_is_one_document(tmp_path: Path) -> None:
    path = _write(tmp_path, _results("a", 1.0))

    result = _run(path, "--json", "--out", tmp_path / "out")

    assert msgspec.json.decode(result.stdout, type=ModelComparison) == compare_models([path])


def test_the_page_loads_nothing_from_elsewhere() -> None:
    comparison = compare_models([SHIPPED])

    page = format_comparison_page(comparison, draw_charts(comparison))

    assert "://" not in page
    assert "<script" not in page
