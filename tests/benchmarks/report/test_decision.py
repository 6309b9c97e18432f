"""Which file a report recommends: the smallest of the fastest among those that lost nothing, on each machine."""

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.report.decision import (
    MOST_CANDIDATES,
    describe_sureness,
    describe_verdict,
    list_candidates,
    tabulate_candidates,
)
from edge_mnist.benchmarks.report.page import MOST_DOUBTS, format_summary
from edge_mnist.benchmarks.results.findings import leave_out_doubtful
from edge_mnist.benchmarks.results.schema import Results
from tests.builders.benchmark_results import INT8, make_latency, make_machine, make_results, make_row, replace_row
from tests.builders.parsed_page import ParsedPage


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


def _choose(results: Results) -> str:
    return list_candidates(results)[0].row.file


def _add(results: Results, *rows: object) -> Results:
    return msgspec.structs.replace(results, rows=[*results.rows, *rows])


def test_the_fastest_file_that_lost_nothing_is_first(results: Results) -> None:
    # The peer is faster, and int8 ONNX is measurably less accurate.
    verdict = describe_verdict(results, list_candidates(results))

    assert _choose(results) == "toy-int8.tflite"
    assert verdict.startswith("Deploy **toy-int8.tflite** with **litert** on this machine: it reads **99.50 %**")
    assert "compared with float32: 1.9 times as fast" in verdict
    assert "has **186 kB**" in verdict


def test_a_faster_file_that_lost_digits_is_not_first(results: Results) -> None:
    random = np.random.default_rng(2)
    lossy = _add(results, make_row("toy-int8.onnx", random, 0.1, file="toy-lossy.onnx"))

    assert _choose(lossy) == "toy-int8.tflite"


def test_of_files_that_are_equally_fast_the_smaller_is_first(results: Results) -> None:
    random = np.random.default_rng(2)
    twin = make_row("toy-int8.tflite", random, file="toy-twin.tflite", latency=results.rows[INT8].latency)

    smaller, larger = (msgspec.structs.replace(twin, size_bytes=size) for size in (1_000, 1_000_000))

    assert _choose(_add(results, smaller)) == "toy-twin.tflite"
    assert _choose(_add(results, larger)) == "toy-int8.tflite"


def test_an_invalid_latency_recommends_nothing(results: Results) -> None:
    invalid = replace_row(results, INT8, validity="invalid", reasons=["it was throttled"])

    # The same file without its delegate is slower, and valid.
    assert list_candidates(invalid)[0].place == INT8 + 1


def test_three_processes_do_not_make_files_equally_fast(results: Results) -> None:
    random = np.random.default_rng(3)
    slow = make_row(
        "toy-int8.tflite", random, file="toy-slow.tflite", size_bytes=1_000,
        latency=make_latency(500.0, random, processes=3),
    )  # fmt: skip

    assert _choose(_add(results, slow)) == "toy-int8.tflite"


@pytest.mark.parametrize(("share", "file"), [(0.99, "toy-int8.tflite"), (0.2, "toy-large.tflite")])
def test_unstable_times_decide_only_where_their_intervals_are_apart(results: Results, share: float, file: str) -> None:
    usual = results.rows[INT8].latency
    assert usual is not None
    faster = summarize_rounds([[share * us for us in one] for one in usual.rounds], 1)
    doubt = {"validity": "unstable", "reasons": ["the machine was busy"]}
    row = msgspec.structs.replace(
        results.rows[INT8], file="toy-large.tflite", size_bytes=10**6, latency=faster, **doubt
    )
    unstable = replace_row(_add(results, row), INT8, **doubt)

    assert _choose(unstable) == file
    assert "This time is unstable: measure again" in describe_verdict(unstable, list_candidates(unstable))


def test_without_latencies_size_decides(results: Results) -> None:
    rows = [msgspec.structs.replace(row, validity="unstable", reasons=["x"]) for row in results.rows]
    untimed = leave_out_doubtful(msgspec.structs.replace(results, rows=rows))

    candidates = list_candidates(untimed)

    assert candidates[0].row.file == "toy-int8.tflite"
    assert "No latency of it was kept, so size decides." in describe_verdict(untimed, candidates)
    assert tabulate_candidates(untimed, candidates).head == ["file", "accuracy %", "drop vs float, points", "kB"]


def test_each_machine_has_a_recommendation_of_its_own(results: Results) -> None:
    random = np.random.default_rng(3)
    rows = [make_row("toy-float32.tflite", random, 2.0, machine=1), make_row("toy-int8.tflite", random, 9.0, machine=1)]
    both = msgspec.structs.replace(_add(results, *rows), machines=[*results.machines, make_machine("pi@shed")])

    candidates = list_candidates(both)

    assert [one.row.file for one in candidates if one.row.machine] == ["toy-float32.tflite", "toy-int8.tflite"]
    assert " On pi@shed: **toy-float32.tflite** with **litert**, " in describe_verdict(both, candidates)
    assert len(candidates) <= MOST_CANDIDATES


def test_a_run_of_peers_recommends_nothing(results: Results) -> None:
    peers = msgspec.structs.replace(results, rows=[row for row in results.rows if row.is_peer])

    assert describe_verdict(peers, list_candidates(peers)).startswith("**No file** can be recommended")


def test_the_table_has_intervals_and_marks_what_cannot_be_measured(results: Results) -> None:
    candidates = list_candidates(results)

    lines = {candidate.row.file: line for candidate, line in
             zip(candidates, tabulate_candidates(results, candidates).rows, strict=True)}  # fmt: skip

    accuracy, drop, _, ratio = lines["toy-int8.tflite"][1:5]
    assert (accuracy[0], accuracy[1]) == ("99.50", "99.08 to 99.73")
    assert (drop[0], drop[1]) == ("≈ +0.05", "-0.19 to +0.32")
    assert lines["toy-int8.onnx"][2][0] == "+1.05"
    assert 0.5 < float(ratio[0]) < 0.55
    assert lines["toy-float32.tflite"][2:5:2] == ["", ""]


def test_a_summary_says_how_sure_it_is(results: Results) -> None:
    many = [f"pi-{i}" for i in range(9)]
    doubtful = msgspec.structs.replace(results, unreachable=dict.fromkeys(many, "it is off."), held_out=False)

    text = ParsedPage(format_summary(doubtful)).text

    assert "It is not known whether the model was trained on them." in text
    assert f"{9 - MOST_DOUBTS} more doubts are in toy.html." in text
    assert all(sentence.replace("*", "") in text for sentence in describe_sureness(doubtful))
