"""Comparing two runs of which the second lacks rows: what is gone is a regression, what was not asked for is none."""

import msgspec
import pytest

from edge_mnist.benchmarks.comparison.regressions import compare_runs
from edge_mnist.benchmarks.comparison.regressions_report import describe_comparison
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.benchmarks.targets.targets import LEFT_OUT
from tests.builders.benchmark_results import INT8, MISSING, make_machine, make_results, replace_row


@pytest.fixture(scope="module")
def before() -> Results:
    return make_results(1)


@pytest.fixture(scope="module")
def after() -> Results:
    return make_results(2)


def test_a_file_that_does_not_run_any_more_is_a_regression(before: Results, after: Results) -> None:
    gone = replace_row(after, INT8, unavailable="ended with code 139", latency=None, accuracy=None)

    (row,) = compare_runs(before, gone).regressions

    assert row.notes == ["does not run in the second run: ended with code 139"]


def test_a_file_that_did_not_run_before_is_none(before: Results, after: Results) -> None:
    gone = replace_row(before, INT8, unavailable="ended with code 139", latency=None, accuracy=None)

    comparison = compare_runs(gone, after)

    assert comparison.regressions == []
    assert comparison.rows[INT8].notes == ["was not measured in the first run: ended with code 139"]


def test_rows_of_one_run_alone_are_named(before: Results, after: Results) -> None:
    fewer = msgspec.structs.replace(after, rows=after.rows[1:])

    comparison = compare_runs(before, fewer)

    assert comparison.only_first == ["toy-float32.tflite on litert (delegate default, threads 1, this machine)"]
    assert comparison.only_second == []
    assert any("Only in the first run: toy-float32.tflite" in sentence for sentence in describe_comparison(comparison))


def test_a_row_that_was_measured_and_is_gone_is_a_regression(before: Results, after: Results) -> None:
    # Of these two, the last never ran.
    fewer = msgspec.structs.replace(after, rows=after.rows[1:MISSING])

    comparison = compare_runs(before, fewer)

    (gone,) = comparison.regressions
    assert (gone.file, gone.is_regression) == ("toy-float32.tflite", True)
    assert len(comparison.only_first) == 2
    assert (
        "REGRESSION: toy-float32.tflite on litert (this machine): is missing from the second run."
        in describe_comparison(comparison)
    )
    assert "1 row got worse, of 6: latency was judged for 5, " in describe_comparison(comparison)[-1]


def test_every_row_of_a_machine_that_is_not_reached_any_more_is_a_regression(before: Results, after: Results) -> None:
    rows = [*before.rows, *(msgspec.structs.replace(row, machine=1) for row in before.rows[:2])]
    both = msgspec.structs.replace(before, machines=[*before.machines, make_machine("pi@shed")], rows=rows)
    alone = msgspec.structs.replace(after, unreachable={"pi@shed": "does not answer."})

    comparison = compare_runs(both, alone)

    assert [(row.machine, row.file) for row in comparison.regressions] == [
        ("pi@shed", "toy-float32.tflite"), ("pi@shed", "toy-int8.tflite"),
    ]  # fmt: skip
    assert describe_comparison(comparison)[1] == (
        "REGRESSION: toy-int8.tflite on litert (pi@shed): is missing: pi@shed was not measured in the second run (does "
        "not answer)."
    )


def test_what_a_quick_run_leaves_out_is_no_regression(before: Results, after: Results) -> None:
    quick = msgspec.structs.replace(after, settings=msgspec.structs.replace(after.settings, is_quick=True))
    quick = replace_row(quick, INT8, unavailable=LEFT_OUT, latency=None, accuracy=None)

    comparison = compare_runs(before, msgspec.structs.replace(quick, rows=quick.rows[1:]), force=True)

    assert comparison.regressions == []
    sentences = describe_comparison(comparison)
    assert any(s.endswith("was left out of the second run, which covers fewer settings.") for s in sentences)
    assert any(s.endswith("was left out of the second run, which is quick.") for s in sentences)


def test_numbers_of_threads_that_the_second_run_was_not_asked_for_are_no_regression(
    before: Results, after: Results
) -> None:
    more = msgspec.structs.replace(before.settings, threads=[1, 4])
    rows = [*before.rows, msgspec.structs.replace(before.rows[INT8], threads=4)]
    both = msgspec.structs.replace(before, settings=more, rows=rows)

    comparison = compare_runs(both, msgspec.structs.replace(after, rows=after.rows[1:]), force=True)

    # On one thread, the second run had others of the same runtime.
    assert [(row.file, row.threads) for row in comparison.regressions] == [("toy-float32.tflite", 1)]
    assert comparison.only_first[-1] == "toy-int8.tflite on litert (delegate default, threads 4, this machine)"
