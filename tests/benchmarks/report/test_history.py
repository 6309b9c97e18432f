"""A folder of runs: in the order of time, broken where conditions change, and damaged files named and left out."""

import re
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.comparison.history import format_history, read_history, trace_rows
from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.results.schema import Results
from tests.builders.benchmark_results import make_machine, make_results, replace_row
from tests.builders.parsed_page import ParsedPage, check_self_contained
from tests.conftest import edge_mnist

INT8 = 1


def _write(folder: Path, name: str, results: Results) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(results))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five runs whose names are not in the order of their time; the governor changes before the fourth."""
    runs = tmp_path / "runs"
    host = msgspec.structs.replace(make_machine().host, governor="powersave")
    for i, name in enumerate(["e.json", "d.json", "sub/c.json", "b.json", "a.json"]):
        results = make_results(i, calls=20, started=f"2026-01-0{i + 1}T00:00:00+00:00")
        changed = msgspec.structs.replace(results, machines=[make_machine(host=host)]) if i >= 3 else results
        _write(runs, name, changed)
    return runs


def test_runs_are_in_the_order_of_their_time(folder: Path) -> None:
    history = read_history(folder)

    assert [run.path.name for run in history.runs] == ["e.json", "d.json", "c.json", "b.json", "a.json"]
    assert history.skipped == ()


def test_times_of_several_zones_are_ordered(tmp_path: Path) -> None:
    _write(tmp_path, "late.json", make_results(1, calls=20, started="2026-01-01T10:00:00+00:00"))
    _write(tmp_path, "early.json", make_results(1, calls=20, started="2026-01-01T11:00:00+05:00"))

    assert [run.path.name for run in read_history(tmp_path).runs] == ["early.json", "late.json"]


def test_a_change_of_conditions_is_named_where_it_happened(folder: Path) -> None:
    changes = [run.changes for run in read_history(folder).runs]

    assert changes == [(), (), (), ("governor of this machine: performance, then powersave",), ()]


def test_every_measured_row_has_a_trend(folder: Path) -> None:
    trends = trace_rows(read_history(folder))

    assert [trend.name for trend in trends] == [
        "toy-float32.tflite on litert, this machine",
        "toy-int8.tflite on litert, this machine",
        "toy-int8.tflite on litert, no delegate, this machine",
        "toy-float32.onnx on onnxruntime, this machine",
        "toy-int8.onnx on onnxruntime, this machine",
        "peer.tflite on litert, this machine",
    ]
    assert all(len(trend.rows) == 5 and None not in trend.rows for trend in trends)


def test_a_row_that_some_runs_lack_leaves_a_gap(folder: Path) -> None:
    results = make_results(9, calls=20, started="2026-01-09T00:00:00+00:00")
    _write(folder, "z.json", msgspec.structs.replace(results, rows=results.rows[:1]))

    trends = trace_rows(read_history(folder))

    assert trends[0].rows[-1] is not None
    assert [trend.rows[-1] for trend in trends[1:]] == [None] * 5


def test_the_page_breaks_lines_where_conditions_changed(folder: Path) -> None:
    content = format_history(read_history(folder))
    page = check_self_contained(content)

    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--first\); stroke-width: 1.8', content)
    # Two charts a row, in two pieces of three and two runs each.
    assert sorted(path.count("L") for path in paths) == [1] * 12 + [2] * 12
    assert page.attributes("class").count("break") == 12
    assert page.tables["Runs"][4][-1] == "governor of this machine: performance, then powersave"


def _count_hollow(content: str) -> int:
    return len(re.findall(r"<use [^>]*fill: var\(--paper\)", content))


def test_doubtful_runs_are_hollow(folder: Path) -> None:
    results = make_results(9, calls=20, started="2026-01-09T00:00:00+00:00")
    quick = msgspec.structs.replace(results, settings=msgspec.structs.replace(results.settings, is_quick=True))
    _write(folder, "quick.json", quick)
    whole = _count_hollow(format_history(read_history(folder)))
    _write(folder, "quick.json", replace_row(results, INT8, validity="unstable", reasons=["x"]))
    one = _count_hollow(format_history(read_history(folder)))

    # All of a quick run; of an unstable row its latency, for accuracy does not depend on a restless machine.
    assert (whole, one) == (12, 1)


def test_one_run_alone_has_a_page(tmp_path: Path) -> None:
    _write(tmp_path, "one.json", make_results(1, calls=20))

    content = format_history(read_history(tmp_path))

    page = check_self_contained(content)
    assert "1 run, " in page.text
    # Two charts for each of six rows, and no place on them for a second run.
    assert len(re.findall(r"text-anchor: middle[^>]*>1</text>", content)) == 12
    assert re.search(r"text-anchor: middle[^>]*>2</text>", content) is None


def test_damaged_files_are_named_and_left_out(folder: Path) -> None:
    (folder / "cut.json").write_bytes((folder / "a.json").read_bytes()[:500])
    (folder / "other.json").write_text('{"photos": 3}')

    history = read_history(folder)
    page = ParsedPage(format_history(history))

    assert len(history.runs) == 5
    assert [sentence.partition(":")[0] for sentence in history.skipped] == [
        str(folder / "cut.json"),
        str(folder / "other.json"),
    ]
    assert "2 files were skipped" in page.text
    assert all(sentence in page.text for sentence in history.skipped)


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"contains no benchmark run\. Put JSON files"):
        read_history(tmp_path)


def test_a_folder_of_nothing_but_damage_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")

    with pytest.raises(BenchmarkError, match=r"contains no benchmark run \(skipped: .*bad.json: damaged"):
        read_history(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")

    with pytest.raises(BenchmarkError, match="is not a folder"):
        read_history(tmp_path / "run.json")


def test_the_command_writes_the_page_and_names_what_it_skipped(folder: Path, tmp_path: Path) -> None:
    (folder / "cut.json").write_text("{")

    result = edge_mnist("benchmark", "history", folder, "--out", tmp_path / "new" / "trend.html")

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'new' / 'trend.html'}: 5 runs, 1 file skipped.\n"
    assert (
        result.stderr
        == f"Skipped: {folder / 'cut.json'}: damaged, this is not whole JSON (Input data was truncated).\n"
    )
    check_self_contained((tmp_path / "new" / "trend.html").read_text())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["trend.html"]


def test_an_empty_history_writes_nothing(tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "history", tmp_path, "--out", tmp_path / "trend.html")

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path}: contains no benchmark run. Put JSON files of edge-mnist benchmark into it.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = edge_mnist("benchmark", "history", folder, "--out", tmp_path / "file" / "trend.html")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert result.stderr.count("\n") == 1
