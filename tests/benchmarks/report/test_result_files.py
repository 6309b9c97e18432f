"""What a benchmark leaves: four files, a schema that its JSON follows, and one sentence for a file that does not."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.report.report import write_reports
from edge_mnist.benchmarks.report.tables import format_tables
from edge_mnist.benchmarks.results.csv_table import format_csv
from edge_mnist.benchmarks.results.files import read_results
from edge_mnist.benchmarks.results.schema import SCHEMA_VERSION, Results, format_schema
from edge_mnist.edge.common.errors import EdgeMnistError
from tests.builders.benchmark_results import COUNT, INT8, MISSING, make_images, make_results
from tests.conftest import REPOSITORY, edge_mnist


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


def test_the_reports_are_four_files_and_nothing_else(results: Results, tmp_path: Path) -> None:
    paths = write_reports(results, tmp_path, make_images())

    assert [path.name for path in paths] == ["toy.json", "toy.md", "toy.html", "toy.csv"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert read_results(paths[0]) == results
    assert format_tables(results, "github") in paths[1].read_text()


def test_pictures_of_other_images_are_refused(results: Results, tmp_path: Path) -> None:
    others = make_images().take(np.arange(COUNT)[::-1].copy())

    with pytest.raises(ValueError, match="expected the images of made-up-2k"):
        write_reports(results, tmp_path, others)

    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_costs_no_other_one(results: Results, tmp_path: Path) -> None:
    (tmp_path / "toy.json").mkdir()
    (tmp_path / "toy.html").mkdir()

    with pytest.raises(EdgeMnistError, match=r"toy\.json: cannot be written .*; .*toy\.html: cannot be written"):
        write_reports(results, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.csv", "toy.html", "toy.json", "toy.md"]
    assert (tmp_path / "toy.csv").read_text() == format_csv(results)


def test_the_csv_has_a_line_for_every_row(results: Results, tmp_path: Path) -> None:
    path = write_reports(results, tmp_path)[3]

    lines = list(csv.DictReader(io.StringIO(path.read_text())))

    assert len(lines) == len(results.rows)
    for line, row in zip(lines, results.rows, strict=True):
        assert (line["file"], line["runtime"], line["delegate"]) == (row.file, row.runtime, row.delegate)
        assert (line["p50_us"] == "") == (row.latency is None)
        if row.latency and row.accuracy:
            assert float(line["p50_us"]) == row.latency.p50
            assert float(line["accuracy"]) == row.accuracy.share
    assert lines[MISSING]["unavailable"] == "not installed: pip install tflite-runtime"
    assert lines[INT8]["lost"] == "2"
    assert float(lines[INT8]["batch8_p50_us"]) == results.rows[INT8].batches[0].p50


def test_the_published_schema_is_current() -> None:
    published = REPOSITORY / "docs" / "results" / f"schema-{SCHEMA_VERSION}.json"

    assert published.read_bytes() == format_schema(), f"write it anew: edge-mnist benchmark schema > {published}"


def test_results_follow_the_published_schema(results: Results) -> None:
    validator = jsonschema_rs.Draft202012Validator(json.loads(format_schema()))
    document = json.loads(msgspec.json.encode(results))

    assert list(validator.iter_errors(document)) == []
    document["rows"][0]["latency"].pop("rounds")
    document["schema_version"] = SCHEMA_VERSION - 1
    assert len(list(validator.iter_errors(document))) >= 2


def _without(path: str) -> Any:
    """The document with a part of it emptied."""
    return _with(path, [])


def _with(path: str, value: Any) -> Any:
    """The document with a part of it replaced; of an object, only the parts that are named."""

    def change(document: Any) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            document = document[part]
        document[last] = document[last] | value if isinstance(value, dict) else value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("rows.0.latency.rounds"), r"raw values are missing: rows\[0\].latency.rounds"),
        (_without("rows.1.bare.rounds.2"), r"raw values are missing: rows\[1\].bare.rounds"),
        (_without("rows.1.accuracy.misread"), r"raw values are missing: rows\[1\].accuracy has 10 wrong images"),
        (_without("budgets.0.total_ms.rounds"), r"raw values are missing: budgets\[0\].total_ms"),
        (_without("rows.0.accuracy.confusion"), r"rows\[0\].accuracy.confusion is not 10 by 10"),
        (_without("machines"), r"rows\[0\] is of machine 0, and there are 0"),
        (lambda document: document.update(schema_version=1), "expected schema_version 2 or 3, got 1"),
        (lambda document: document.update(schema_version=99), "expected schema_version 2 or 3, got 99"),
        (lambda document: document["rows"][0].pop("file"), "damaged, it does not follow schema 3"),
        (lambda document: document["rows"][0].update(accuracy=None), "neither an accuracy nor a reason"),
        (lambda document: document["rows"][0]["latency"]["rounds"][0].append(-1.0), "which is no time"),
        (lambda document: document["rows"][0]["latency"]["rounds"][0].append(1e9), "raw values are missing"),
        (lambda document: document["rows"][0]["accuracy"].update(count=3), r"has 1991 correct of 3"),
        (lambda document: document.pop("rows"), "not the results of edge-mnist benchmark"),
        (lambda document: document.update(machines=[], rows=[], budgets=[]), "machines is empty"),
        (
            lambda document: document.update(image_count=7),
            r"rows\[0\].accuracy is of 2000 images, and image_count says 7",
        ),
        (
            _with("rows.1.accuracy.misread.0.0", 2000),
            r"rows\[1\].accuracy.misread names image 2000, and there are 2000",
        ),
        (_with("rows.1.accuracy.misread.0.0", -1), r"rows\[1\].accuracy.misread names image -1"),
        (_with("rows.1.accuracy.lost.0", 2000), r"rows\[1\].accuracy.lost names image 2000"),
        (_with("rows.1.accuracy.gained.0", -3), r"rows\[1\].accuracy.gained names image -3"),
        (_with("rows.1.accuracy.misread.1.0", 48), r"rows\[1\].accuracy.misread names an image twice"),
        (_with("rows.0.latency.p50", 1e9), "a p50 of 1e.09, and its rounds are from"),
        (_with("rows.0.latency.rounds", [[1.0], [2.0]]), r"latency.rounds is of 2 processes, and it takes 3"),
        (_with("rows.1.accuracy.correct", -1), r"rows\[1\].accuracy has -1 correct of 2000"),
        (_with("rows.1.accuracy.p_vs_keras", 1.5), r"<= 1.0 - at `\$.rows\[\d\].accuracy.p_vs_keras"),
        (_with("rows.1.accuracy.lost_vs_keras", -1), r">= 0 - at `\$.rows\[\d\].accuracy.lost_vs_keras"),
        (_with("rows.1.accuracy.gained_vs_keras", 7), r"drop_vs_keras_pp of .*, and the images lost and gained make"),
        (_with("rows.1.accuracy.agreement", 2), r"<= 1.0 - at `\$.rows\[\d\].accuracy.agreement"),
        (_with("rows.1.accuracy.drop_vs_keras_pp", 170), r"<= 100.0 - at `\$.rows\[\d\].accuracy.drop_vs_keras_pp"),
        (_with("rows.1.accuracy.drop_vs_float_pp", 50), r"drop_interval_pp is .*, and its figure 50"),
        (_with("rows.1.accuracy.drop_interval_pp", [3, -3]), r"rows\[1\].accuracy.drop_interval_pp is 3 to -3"),
        (_with("rows.1.accuracy.lost", []), r"has a drop_vs_float_pp of .*, and the images lost and gained make"),
        (_with("rows.1.accuracy.misread.0.1", 11), r"Expected `int` <= 9 - at `\$.rows\[\d\].accuracy.misread"),
        (_with("rows.1.accuracy.confusion.0.0", -5), r"Expected `int` >= 0 - at `\$.rows\[\d\].accuracy.confusion"),
        (
            _with("rows.1.accuracy.confusion.0.0", 5),
            r"rows\[1\].accuracy.confusion is of .* and it should be 1990 of 2000",
        ),
        (_with("rows.0.latency.images_per_second", 0), r"Expected `float` > 0.0 - at `\$.rows\[\d\].latency"),
        (_with("rows.0.latency.batch", 0), r"Expected `int` >= 1 - at `\$.rows\[\d\].latency.batch"),
        (_with("rows.0.load_ms", [-1]), r"Expected `float` >= 0.0 - at `\$.rows\[\d\].load_ms"),
        (_with("rows.0.peak_memory_mb", [-1]), r"Expected `float` >= 0.0 - at `\$.rows\[\d\].peak_memory_mb"),
        (_with("rows.0.size_bytes", -1), r"Expected `int` >= 0 - at `\$.rows\[\d\].size_bytes"),
        (_with("rows.0.threads", 0), r"Expected `int` >= 1 - at `\$.rows\[\d\].threads"),
        (_with("keras_correct", 2001), r"keras_correct is 2001 of 2000 images"),
        (_with("machines.0.samples.0.busy_elsewhere", 1.2), r"<= 1.0 - at `\$.machines\[\d\].samples"),
        (_with("budgets.0.stages_ms.find", -1), r"Expected `float` >= 0.0 - at `\$.budgets\[\d\].stages_ms"),
        (_with("settings.rounds", 0), r"Expected `int` >= 1 - at `\$.settings.rounds"),
        (_with("rows.0.latency.p99", 1.0), r"rows\[0\].latency.p90, p99, p999 and max are not in this order"),
    ],
)
def test_a_bad_file_is_one_clear_sentence(results: Results, tmp_path: Path, change: Any, words: str) -> None:
    document = json.loads(msgspec.json.encode(results))
    change(document)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))

    with pytest.raises(BenchmarkError, match=words) as caught:
        read_results(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, this is not whole JSON"),
        (b'{"schema_version":2,"rows":[', "damaged, this is not whole JSON"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[]", "not the results of edge-mnist benchmark"),
        (b"{}", "not the results of edge-mnist benchmark"),
    ],
)
def test_a_file_of_something_else_is_one_clear_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)

    with pytest.raises(BenchmarkError, match=words):
        read_results(path)


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_a_cut_off_file_never_passes(results: Results, tmp_path: Path) -> None:
    whole = msgspec.json.encode(results)
    path = tmp_path / "cut.json"

    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(BenchmarkError):
            read_results(path)


def test_the_schema_command_prints_the_schema() -> None:
    result = edge_mnist("benchmark", "schema")

    assert result.exit_code == 0
    assert result.stdout.encode() == format_schema()


def test_made_up_figures_are_those_of_their_raw_values(results: Results) -> None:
    latency = results.rows[0].latency
    assert latency is not None

    assert summarize_rounds(latency.rounds) == latency
