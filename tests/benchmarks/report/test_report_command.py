"""A machine measures with the base installation; reports are drawn from its raw values, here or elsewhere."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from edge_mnist.benchmarks.commands.options import REPORT_PACKAGES
from edge_mnist.benchmarks.report.report import write_reports
from edge_mnist.benchmarks.results.files import encode_results, read_results
from edge_mnist.benchmarks.results.schema import SCHEMA_VERSION, Results
from tests.builders.benchmark_results import make_machine, make_results, replace_row
from tests.builders.parsed_page import check_self_contained
from tests.conftest import REPOSITORY, edge_mnist, edge_mnist_process, python_process

# Python runs this file first, in every process of a benchmark.
WITHOUT_EXTRA = f"import sys\nsys.modules.update(dict.fromkeys({REPORT_PACKAGES}))\n"
# What version 2 of the schema stored and version 3 computes.
COMPUTED = {"accuracy": ("interval", "p_vs_keras", "p_vs_float"), "latency": ("p50_interval",)}

# Figures in docs/results/standard.json as version 2: file, interval of the accuracy, p against Keras, p against float.
STORED = (
    ("standard-float32.tflite", (0.9950203700563706, 0.9973983963612215), 1.0, None),
    ("standard-int8.tflite", (0.9947888231417197, 0.9972300968752208), 0.625, 0.625),
    ("standard-float32.onnx", (0.9950203700563706, 0.9973983963612215), 1.0, None),
    ("standard-int8.onnx", (0.9949044912550173, 0.9973143519622489), 1.0, 1.0),
)


@pytest.fixture(scope="module")
def without_extra(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine without the extra `report`."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(WITHOUT_EXTRA)
    return {"PYTHONPATH": str(folder)}


def _write(path: Path, results: Results) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode_results(results))
    return path


def test_a_machine_without_the_extra_measures_and_another_one_draws(
    tmp_path: Path, without_extra: dict[str, str]
) -> None:
    out = tmp_path / "raw"
    options = ("--quick", "--rounds", "4", "--calls", "10", "--seconds", "0.1", "--target", "litert", "--out", out)

    measured = edge_mnist_process("benchmark", "nano", *options, EDGE_MNIST_DATA="", **without_extra)

    assert measured.returncode == 0, measured.stderr
    assert [path.name for path in out.iterdir()] == ["nano.json"]
    assert "accuracy %" in measured.stdout
    assert "interval" not in measured.stdout
    said = measured.stderr.splitlines()[-1]
    assert "pip install 'edge-mnist[report]'" in said
    assert f"edge-mnist benchmark report {out / 'nano.json'}" in said

    drawn = edge_mnist("benchmark", "report", out / "nano.json", "--out", tmp_path / "drawn")

    assert drawn.exit_code == 0, drawn.output
    assert "95 % interval" in drawn.stdout
    assert sorted(path.suffix for path in (tmp_path / "drawn").iterdir()) == [".csv", ".html", ".json", ".md"]
    assert (tmp_path / "drawn" / "nano.json").read_bytes() == (out / "nano.json").read_bytes()
    results = read_results(out / "nano.json")
    assert all(row.accuracy and row.accuracy.lost_vs_keras is not None for row in results.rows)


@pytest.mark.parametrize(
    "command",
    [
        ("benchmark", "--summary"),
        ("benchmark", "report", "x.json"),
        ("benchmark", "compare", "x.json", "y.json"),
        ("benchmark", "history", "."),
        ("benchmark", "photos", "shipped"),
        ("compare", "nano", "standard"),
        ("measure", "refusals", "."),
        ("measure", "corruptions"),
        ("measure", "zoo", "nano"),
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_what_takes_the_extra_says_so_before_it_measures(
    command: tuple[str, ...], tmp_path: Path, without_extra: dict[str, str]
) -> None:
    out = () if command[1] in {"compare", "history"} else ("--out", str(tmp_path))

    done = edge_mnist_process(*command, *out, **without_extra)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("needs the package scipy: pip install 'edge-mnist[report]'\n")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_summary_is_one_more_page_beside_the_report(tmp_path: Path) -> None:
    path = _write(tmp_path / "raw" / "toy.json", make_results())

    drawn = edge_mnist("benchmark", "report", path, "--summary", "--out", tmp_path / "drawn")

    assert drawn.exit_code == 0, drawn.output
    assert f"Summary: {tmp_path / 'drawn' / 'toy-summary.html'}" in drawn.stderr
    content = (tmp_path / "drawn" / "toy-summary.html").read_text()
    page = (tmp_path / "drawn" / "toy.html").read_text()
    links = re.findall(r'href="toy\.html#([^"]+)"', content)
    assert len(links) >= 5
    assert all(f'id="{link}"' in page for link in links)
    check_self_contained(content)


def test_measuring_loads_no_package_of_reports() -> None:
    code = "import sys, edge_mnist.benchmarks.remote.job, edge_mnist.benchmarks.measuring.worker; print(*sys.modules)"

    loaded = {name.partition(".")[0] for name in python_process(code).stdout.split()}

    assert "msgspec" in loaded
    assert not {*REPORT_PACKAGES} & loaded


def test_a_report_drawn_later_is_that_of_the_run(tmp_path: Path) -> None:
    results = make_results()
    expected = write_reports(results, tmp_path)
    raw = _write(tmp_path / "raw" / "toy.json", results)

    drawn = edge_mnist("benchmark", "report", raw, "--out", tmp_path / "drawn")

    assert drawn.exit_code == 0, drawn.output
    for path in expected:
        assert (tmp_path / "drawn" / path.name).read_bytes() == path.read_bytes()


def test_runs_of_several_machines_make_one_report(tmp_path: Path) -> None:
    first = _write(tmp_path / "a" / "toy.json", make_results(1))
    second = _write(
        tmp_path / "b" / "toy.json",
        make_results(2, machines=[make_machine(), make_machine("pi@zero")], started="2026-01-01T00:00:00+00:00"),
    )

    drawn = edge_mnist("benchmark", "report", first, second, "--out", tmp_path / "both")

    assert drawn.exit_code == 0, drawn.output
    both = read_results(tmp_path / "both" / "toy.json")
    assert [machine.name for machine in both.machines] == [str(first), str(second), "pi@zero"]
    alone = read_results(first), read_results(second)
    assert [row.machine for row in both.rows] == [0] * len(alone[0].rows) + [1] * len(alone[1].rows)
    assert [row.latency for row in both.rows] == [row.latency for run in alone for row in run.rows]
    assert [budget.machine for budget in both.budgets] == [0, 1]
    assert (both.started, both.seconds) == ("2026-01-01T00:00:00+00:00", 602.0)
    assert f"litert ({second})" in drawn.stdout


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"card_sha256": "00" * 32}, "card_sha256"),
        ({"images_sha256": "00" * 32}, "images_sha256"),
        ({"edge_mnist": "0.0.9"}, "edge_mnist"),
        ({"settings": msgspec.structs.replace(make_results().settings, calls=3)}, "settings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_runs_that_were_not_measured_alike_make_no_common_report(
    changes: dict[str, Any], word: str, tmp_path: Path
) -> None:
    first = _write(tmp_path / "a" / "toy.json", make_results())
    second = _write(tmp_path / "b" / "toy.json", make_results(**changes))

    refused = edge_mnist("benchmark", "report", first, second, "--out", tmp_path / "both")

    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {second}: expected a run like that of {first}, got another {word}.")
    assert not (tmp_path / "both").exists()


def test_a_common_report_replaces_none_of_its_files(tmp_path: Path) -> None:
    first, second = (_write(tmp_path / name / "toy.json", make_results(seed)) for seed, name in enumerate("ab"))
    before = first.read_bytes()

    refused = edge_mnist("benchmark", "report", first, second, "--out", first.parent)

    assert refused.exit_code == 1
    assert "Give another folder with --out" in refused.output
    assert first.read_bytes() == before


def test_stable_only_leaves_unstable_latencies_out_of_a_later_report(tmp_path: Path) -> None:
    results = replace_row(make_results(), 1, validity="unstable", reasons=["it was hot"])
    raw = _write(tmp_path / "toy.json", results)

    drawn = edge_mnist("benchmark", "report", raw, "--stable-only", "--out", tmp_path / "drawn")

    assert drawn.exit_code == 0, drawn.output
    kept = read_results(tmp_path / "drawn" / "toy.json")
    assert (kept.rows[1].latency, kept.rows[1].accuracy) == (None, results.rows[1].accuracy)
    assert kept.rows[0] == results.rows[0]


def _as_version_2(results: Results) -> dict[str, Any]:
    """The document as version 2 wrote it."""
    document = json.loads(msgspec.json.encode(results)) | {"schema_version": 2}
    for row, line in zip(results.rows, document["rows"], strict=True):
        for part in ("accuracy", "latency", "bare", "paced"):
            if line[part]:
                figures = COMPUTED["accuracy" if part == "accuracy" else "latency"]
                line[part] |= {name: getattr(getattr(row, part), name) for name in figures}
        if line["accuracy"]:
            del line["accuracy"]["lost_vs_keras"], line["accuracy"]["gained_vs_keras"]
        for batch, written in zip(row.batches, line["batches"], strict=True):
            written["p50_interval"] = batch.p50_interval
    for budget, written in zip(results.budgets, document["budgets"], strict=True):
        written["total_ms"]["p50_interval"] = budget.total_ms.p50_interval
    return document


def test_results_of_version_2_are_read_and_give_the_same_report(tmp_path: Path) -> None:
    results = make_results()
    document = _as_version_2(results)
    schema = json.loads((REPOSITORY / "docs" / "results" / "schema-2.json").read_bytes())
    assert list(jsonschema_rs.Draft202012Validator(schema).iter_errors(document)) == []
    old = tmp_path / "old.json"
    old.write_text(json.dumps(document))

    read = read_results(old)

    assert read.schema_version == SCHEMA_VERSION
    for mine, theirs in zip(results.rows, read.rows, strict=True):
        if mine.accuracy:
            assert theirs.accuracy is not None
            assert theirs.accuracy.p_vs_keras == mine.accuracy.p_vs_keras
            assert theirs.accuracy.lost_vs_keras is None
        assert theirs.latency == mine.latency
    again = _write(tmp_path / "again.json", read)
    assert read_results(again) == read
    reports = [write_reports(run, _folder(tmp_path / name)) for name, run in (("v2", read), ("v3", results))]
    for before, after in list(zip(*reports, strict=True))[1:]:
        assert before.read_bytes() == after.read_bytes()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_the_published_run_has_the_figures_that_version_2_stored() -> None:
    results = read_results(REPOSITORY / "docs" / "results" / "standard.json")

    accuracies = {row.file: row.accuracy for row in results.rows if row.accuracy}
    for file, interval, p_vs_keras, p_vs_float in STORED:
        assert accuracies[file].interval == pytest.approx(interval, rel=1e-13)
        assert (accuracies[file].p_vs_keras, accuracies[file].p_vs_float) == (p_vs_keras, p_vs_float)
    medians = [budget.total_ms.p50_interval for budget in results.budgets]
    assert medians[0] == pytest.approx((3.450945240815367, 5.609754567211268), rel=1e-13)
    assert medians[1] == pytest.approx((2.540501133580311, 4.7382279160927405), rel=1e-13)
