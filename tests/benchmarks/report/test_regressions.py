"""Comparing two runs: what got worse is found, what did not is not, and runs that do not compare are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import Result

from edge_mnist.benchmarks.comparison.conditions import find_differences
from edge_mnist.benchmarks.comparison.regressions import RunComparison, compare_runs
from edge_mnist.benchmarks.comparison.regressions_report import describe_comparison, format_comparison
from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.results.schema import Results
from tests.builders.benchmark_results import make_accuracy, make_latency, make_machine, make_results, replace_row
from tests.conftest import edge_mnist

INT8, PEER, MISSING = 1, 5, 6


@pytest.fixture(scope="module")
def before() -> Results:
    return make_results(1)


@pytest.fixture(scope="module")
def after() -> Results:
    return make_results(2)


def test_two_runs_of_the_same_show_no_difference(before: Results, after: Results) -> None:
    comparison = compare_runs(before, after)

    # The runtime that is missing in both is no row.
    assert len(comparison.rows) == 6
    assert {row.speed for row in comparison.rows} == {row.reading for row in comparison.rows} == {"same"}
    assert comparison.regressions == []
    assert describe_comparison(comparison)[-1].startswith(
        "Nothing got measurably worse, of 6: latency was judged for 6, accuracy for 6. "
    )


def test_two_hundred_comparisons_without_difference_raise_hardly_any_alarm() -> None:
    # A threshold of 0 makes every measurable slowdown a regression: two-sided 5 %, so 2.5 % on the slow side.
    random = np.random.default_rng(7)
    rows = [make_latency(100, random, calls=20) for _ in range(400)]
    base = make_results(1, calls=20)
    one = msgspec.structs.replace(base, rows=base.rows[:1])

    alarms = sum(
        bool(compare_runs(replace_row(one, 0, latency=first), replace_row(one, 0, latency=second), 0).regressions)
        for first, second in zip(rows[::2], rows[1::2], strict=True)
    )

    assert alarms <= 10


def test_a_slowdown_beyond_the_threshold_is_a_regression_with_its_figures(before: Results) -> None:
    comparison = compare_runs(before, make_results(2, {"toy-int8.tflite": 1.12}))

    (worse,) = comparison.regressions
    assert (worse.file, worse.delegate, worse.same_file) == ("toy-int8.tflite", "default", True)
    assert worse.slowdown is not None
    assert worse.slowdown.interval_percent is not None
    assert 5 < worse.slowdown.interval_percent[0] < 12 < worse.slowdown.interval_percent[1] + 3
    assert worse.slowdown.slower_share > 0.9
    sentence = describe_comparison(comparison)[0]
    assert sentence.startswith("REGRESSION: toy-int8.tflite on litert (this machine): takes 1")
    assert "95 % interval" in sentence


@pytest.mark.parametrize(
    ("factor", "threshold", "verdict"),
    [
        (1.04, 5, "slower"),
        (1.06, 5, "slower"),
        (1.12, 5, "regression"),
        (1.12, 20, "slower"),
        (0.9, 5, "faster"),
        (1.04, 0, "regression"),
    ],
)
def test_the_verdict_follows_the_interval_and_the_threshold(
    before: Results, factor: float, threshold: float, verdict: str
) -> None:
    comparison = compare_runs(before, make_results(2, {"toy-int8.tflite": factor}), threshold)

    assert comparison.rows[INT8].speed == verdict


def test_lower_accuracy_on_the_same_images_is_a_regression(before: Results, after: Results) -> None:
    wrong = [place for place, _ in after.rows[INT8].accuracy.misread]  # type: ignore[union-attr]
    worse = replace_row(after, INT8, accuracy=make_accuracy([*wrong, *range(3, 11)]), file_sha256="ef" * 32)

    comparison = compare_runs(before, worse)

    (row,) = comparison.regressions
    assert (row.speed, row.reading, row.same_file) == ("same", "regression", False)
    assert row.drop is not None
    # Eight images lost and none gained: 2 / 2**8.
    assert (row.drop.only_first, row.drop.only_second, row.drop.p) == (8, 0, 2 / 2**8)
    assert "0.40 points less accurate" in describe_comparison(comparison)[0]
    assert "The model file differs." in describe_comparison(comparison)[0]


def test_as_many_images_lost_as_gained_are_no_difference(before: Results, after: Results) -> None:
    shifted = [place + 1 for place, _ in after.rows[INT8].accuracy.misread]  # type: ignore[union-attr]

    row = compare_runs(before, replace_row(after, INT8, accuracy=make_accuracy(shifted))).rows[INT8]

    assert row.reading == "same"
    assert row.drop is not None
    assert row.drop.only_first == row.drop.only_second > 0


def test_higher_accuracy_is_better(before: Results, after: Results) -> None:
    comparison = compare_runs(before, replace_row(after, INT8, accuracy=make_accuracy([])))

    assert comparison.rows[INT8].reading == "better"
    assert comparison.regressions == []


def _machine(**changes: Any) -> Callable[[Results], Results]:
    return lambda results: msgspec.structs.replace(results, machines=[make_machine(**changes)])


def _host(**changes: Any) -> Callable[[Results], Results]:
    host = msgspec.structs.replace(make_machine().host, **changes)
    return _machine(host=host)


def _settings(**changes: Any) -> Callable[[Results], Results]:
    return lambda results: msgspec.structs.replace(
        results, settings=msgspec.structs.replace(results.settings, **changes)
    )


CONDITIONS = {
    "processor of this machine": _host(model="Another processor"),
    "cores of this machine": _host(cores=8),
    "system of this machine": _host(system="Linux 7.0"),
    "Python of this machine": _host(python="3.99.0"),
    "governor of this machine: performance, then powersave": _host(governor="powersave"),
    "governor of this machine: performance, then unknown": _host(governor=None),
    "instructions of this machine": _host(flags=("avx2", "something new")),
    "power of this machine": _host(on_battery=True),
    "affinity of this machine: 0, 1, then 0": _machine(affinity=[0]),
    "version of numpy of this machine": _machine(versions={"python": "3.11.7", "numpy": "1.26.0"}),
    "runtime version of toy-int8.tflite on litert, this machine: 2.3.0, then 2.4.0": lambda results: replace_row(
        results, INT8, runtime_version="2.4.0"
    ),
    "threads: 1, then 1, 2": _settings(threads=[1, 2]),
    "kind of run: full, then quick": _settings(is_quick=True),
    "images: made-up-2k": lambda results: msgspec.structs.replace(results, images_sha256="2b" * 32),
}


@pytest.mark.parametrize("words", CONDITIONS)
def test_runs_under_other_conditions_are_refused_unless_forced(before: Results, after: Results, words: str) -> None:
    changed = CONDITIONS[words](after)

    with pytest.raises(BenchmarkError, match="different conditions") as caught:
        compare_runs(before, changed)
    forced = compare_runs(before, changed, force=True)

    assert words in str(caught.value)
    assert "--force" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert describe_comparison(forced)[0].startswith("FORCED: these runs were made under different conditions")
    assert words in describe_comparison(forced)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda results: msgspec.structs.replace(results, edge_mnist="9.9.9", card_sha256="77" * 32),
        _host(load_1m=0.7, temperature_c=61.0),
        lambda results: replace_row(results, INT8, file_sha256="ef" * 32),
    ],
    ids=["own version", "load and heat", "model file"],
)
def test_what_is_compared_is_no_condition(before: Results, after: Results, change: Any) -> None:
    assert find_differences(before, change(after)) == []


def test_the_version_of_this_package_is_no_condition(before: Results, after: Results) -> None:
    old, new = (_machine(versions={"numpy": "2.2.0", "edge-mnist": version}) for version in ("0.1.0", "0.2.0"))

    assert find_differences(old(before), new(after)) == []


def test_accuracies_of_other_images_are_not_judged_even_if_forced(before: Results, after: Results) -> None:
    other = msgspec.structs.replace(after, images_sha256="2b" * 32)

    comparison = compare_runs(before, other, force=True)

    assert {row.reading for row in comparison.rows} == {"not judged"}
    assert "the accuracies were measured on different images" in comparison.rows[INT8].notes


@pytest.mark.parametrize("validity", ["unstable", "invalid"])
@pytest.mark.parametrize("which", ["first", "second"])
def test_doubtful_latencies_are_not_judged(before: Results, validity: str, which: str) -> None:
    slow = make_results(2, {"toy-int8.tflite": 2.0})
    runs = {"first": before, "second": slow}
    runs[which] = replace_row(runs[which], INT8, validity=validity, reasons=["it was throttled"])

    row = compare_runs(runs["first"], runs["second"]).rows[INT8]

    assert row.speed == "not judged"
    assert row.notes == [f"latency is {validity} in the {which} run (it was throttled); measure it again"]
    assert row.reading == "same"


def test_three_processes_are_too_few(before: Results, after: Results) -> None:
    few = replace_row(after, INT8, latency=make_latency(500, np.random.default_rng(1), processes=3))

    row = compare_runs(before, few).rows[INT8]

    assert row.speed == "not judged"
    assert row.notes == ["3 processes are too few: at least 4 in each run are needed"]


def test_runs_without_a_common_row_are_refused(before: Results, after: Results) -> None:
    with pytest.raises(BenchmarkError, match="no row in common"):
        compare_runs(
            msgspec.structs.replace(before, rows=before.rows[:1]), msgspec.structs.replace(after, rows=after.rows[3:])
        )


def test_machines_are_compared_each_with_itself(before: Results, after: Results) -> None:
    moved = msgspec.structs.replace(after, machines=[make_machine("pi@shed"), make_machine()])
    rows = [msgspec.structs.replace(row, machine=1) for row in after.rows]
    slow = [msgspec.structs.replace(row, machine=0, latency=None, accuracy=None, unavailable="x") for row in after.rows]

    comparison = compare_runs(before, msgspec.structs.replace(moved, rows=[*slow, *rows]))

    assert comparison.regressions == []
    assert len(comparison.only_second) == len(slow)


def _write(folder: Path, **runs: Results) -> list[Path]:
    paths = [folder / f"{name}.json" for name in runs]
    for path, results in zip(paths, runs.values(), strict=True):
        path.write_bytes(msgspec.json.encode(results))
    return paths


def _compare(folder: Path, first: Results, second: Results, *options: str) -> Result:
    return edge_mnist("benchmark", "compare", *_write(folder, first=first, second=second), *options)


def test_the_command_prints_a_line_for_every_row(before: Results, after: Results, tmp_path: Path) -> None:
    result = _compare(tmp_path, before, after)

    assert result.exit_code == 0
    assert format_comparison(compare_runs(before, after)) in result.stdout
    assert result.stdout.count("no measurable difference") == 12


@pytest.mark.parametrize(
    ("factor", "options", "code"),
    [(1.0, ("--fail-on-regression",), 0), (1.2, (), 0), (1.2, ("--fail-on-regression",), 1),
     (1.2, ("--fail-on-regression", "--threshold", "50"), 0)],
)  # fmt: skip
def test_the_exit_code_says_whether_anything_got_worse(
    before: Results, tmp_path: Path, factor: float, options: tuple[str, ...], code: int
) -> None:
    result = _compare(tmp_path, before, make_results(2, {"toy-int8.onnx": factor}), *options)

    assert result.exit_code == code
    assert ("REGRESSION" in result.stdout) == (factor > 1 and "50" not in options)


def test_the_exit_code_says_when_a_row_is_gone(before: Results, after: Results, tmp_path: Path) -> None:
    fewer = msgspec.structs.replace(after, rows=after.rows[1:])

    result = _compare(tmp_path, before, fewer, "--fail-on-regression")

    assert result.exit_code == 1
    assert "REGRESSION: toy-float32.tflite on litert" in result.stdout


def test_nothing_that_could_be_judged_is_no_success(before: Results, after: Results, tmp_path: Path) -> None:
    for place in range(MISSING):
        after = replace_row(after, place, validity="unstable", reasons=["another process was busy"])

    result = _compare(tmp_path, before, after, "--fail-on-regression")

    assert result.exit_code == 1
    assert "Error: no latency of these runs could be judged" in result.stderr


def test_json_is_one_document(before: Results, after: Results, tmp_path: Path) -> None:
    result = _compare(tmp_path, before, after, "--json")

    assert msgspec.json.decode(result.stdout, type=RunComparison) == compare_runs(before, after)
    assert json.loads(result.stdout)["comparison_version"] == 1


def test_a_refusal_is_one_sentence_and_exit_code_1(before: Results, after: Results, tmp_path: Path) -> None:
    result = _compare(tmp_path, before, CONDITIONS["kind of run: full, then quick"](after))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: these runs were made under different conditions (kind of run")
    assert result.stderr.count("\n") == 1


def test_a_damaged_file_is_one_sentence_and_exit_code_1(before: Results, tmp_path: Path) -> None:
    (good,) = _write(tmp_path, good=before)
    bad = tmp_path / "bad.json"
    bad.write_bytes(good.read_bytes()[:-100])

    result = edge_mnist("benchmark", "compare", good, bad)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {bad}: damaged, this is not whole JSON")
    assert result.stderr.count("\n") == 1
