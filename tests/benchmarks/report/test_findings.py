"""What a benchmark's page is made of: rows in groups, ratios, words for changes and bits, and axes."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.report.latency_plots import draw_shapes
from edge_mnist.benchmarks.report.machine_section import describe_bits
from edge_mnist.benchmarks.report.report import write_reports
from edge_mnist.benchmarks.results.findings import group_alike, leave_out_doubtful, measure_ratio, name_group
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.benchmarks.results.wording import describe_change
from edge_mnist.edge.common.terminal.formatting import format_p
from tests.builders.benchmark_results import make_accuracy, make_latency, make_results, replace_row


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


def test_rows_that_read_every_image_alike_share_a_line(results: Results) -> None:
    groups = [group.places for group in group_alike(results)]

    assert groups == [(0,), (1, 2), (3,), (4,), (5,)]
    assert [name_group(results, group) for group in group_alike(results)] == [
        "litert", "litert", "onnxruntime", "onnxruntime", "litert",
    ]  # fmt: skip


@pytest.mark.parametrize("changes", [{"gained": [11, 48]}, {"drop_vs_float_pp": 0.25}], ids=["gained", "drop"])
def test_rows_that_compare_otherwise_with_float_have_lines_of_their_own(
    results: Results, changes: dict[str, object]
) -> None:
    accuracy = results.rows[2].accuracy
    assert accuracy is not None

    other = replace_row(results, 2, accuracy=msgspec.structs.replace(accuracy, **changes))

    assert [group.places for group in group_alike(other)] == [(0,), (1,), (2,), (3,), (4,), (5,)]


def test_targets_are_named_one_by_one_where_they_do_not_read_alike(results: Results) -> None:
    other = replace_row(results, 2, accuracy=make_accuracy([1, 2, 3]))

    assert [name_group(other, group) for group in group_alike(other)[1:3]] == ["litert", "litert, no delegate"]


def test_a_ratio_needs_both_sides_and_enough_processes() -> None:
    latency = make_latency(100, np.random.default_rng(1))
    two = msgspec.structs.replace(latency, rounds=latency.rounds[:2])

    assert measure_ratio(None, latency) is measure_ratio(latency, None) is None
    assert measure_ratio(two, two) is None
    assert measure_ratio(latency, latency) is not None


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        ([], "not reported by this machine"),
        ([0, 0], "none, now or since it was started"),
        ([0, 0x1], "under-voltage while measuring"),
        ([0x50000], "under-voltage, throttled since it was started"),
        ([0x50005], "under-voltage, throttled while measuring"),
    ],
)
def test_throttling_bits_are_words(bits: list[int], words: str) -> None:
    assert describe_bits(bits) == words


@pytest.mark.parametrize(
    ("percent", "words"),
    [
        (3.04, "takes 3.0 % longer"),
        (-3.04, "takes 3.0 % less time"),
        (50, "takes 1.5 times as long"),
        (-50, "2.0 times as fast"),
    ],
)
def test_changes_are_said_so_that_nobody_takes_one_for_another(percent: float, words: str) -> None:
    assert describe_change(percent) == words


def test_the_axis_of_distributions_reaches_every_p90() -> None:
    tight = [summarize_rounds([[99.0, 100.0, 100.0, 101.0]] * 3) for _ in range(2)]
    wide = summarize_rounds([[100.0] * 80 + [180.0] * 20] * 3)
    rows = [(place, make_results().rows[place], latency) for place, latency in enumerate([*tight, wide])]

    chart = draw_shapes(rows, "a machine").chart

    # The axis ends where it shows each row's p90, and not much further.
    ticks = [float(text) for text in re.findall(r">([\d.]+)</text>", chart)]
    assert 1.0 in ticks
    assert max(ticks) <= 2
    assert chart.count("0.00 % of calls further right") == 3


@pytest.mark.parametrize(
    ("p", "words"), [(1.0, "1"), (0.049, "0.049"), (1e-4, "0.0001"), (9e-5, "< 0.0001"), (0.0, "< 0.0001")]
)
def test_a_tiny_p_is_never_a_zero(p: float, words: str) -> None:
    assert format_p(p) == words


def test_leaving_doubtful_latencies_out_keeps_accuracies_and_reasons(results: Results) -> None:
    doubtful = replace_row(results, 1, validity="unstable", reasons=["other processes took up to 50 %"])

    kept = leave_out_doubtful(doubtful)

    row = kept.rows[1]
    assert (row.latency, row.bare, row.paced, row.batches, row.load_ms, row.first_ms) == (None, None, None, [], [], [])
    assert (row.accuracy, row.reasons) == (results.rows[1].accuracy, ["other processes took up to 50 %"])
    assert [one.latency for i, one in enumerate(kept.rows) if i != 1] == [
        one.latency for i, one in enumerate(results.rows) if i != 1
    ]


@pytest.mark.parametrize("places", [[1], [0, 1, 2, 3, 4, 5]], ids=["one", "all"])
def test_reports_say_which_latencies_were_left_out_and_why(results: Results, places: list[int], tmp_path: Path) -> None:
    doubtful = results
    for place in places:
        doubtful = replace_row(doubtful, place, validity="unstable", reasons=["the machine was busy"])
    kept = leave_out_doubtful(doubtful)

    paths = write_reports(kept, tmp_path)

    report = paths[1].read_text()
    measured = [row for row in kept.rows if row.accuracy]
    left_out = [row for row in measured if not row.latency]
    assert set(places) <= {kept.rows.index(row) for row in left_out}
    assert f"The latencies of {len(left_out)} of {len(measured)} rows are left out" in report
    assert "the machine was busy" in report
    assert ("p50 us" in report) is (len(left_out) < len(measured))
    assert "are left out" in paths[2].read_text()
    assert "(unstable)" not in report


def test_a_run_whose_latencies_are_all_valid_stays_as_it_is(results: Results) -> None:
    valid = results
    for place in range(len(results.rows)):
        valid = replace_row(valid, place, validity="valid", reasons=[])

    assert leave_out_doubtful(valid) == valid
