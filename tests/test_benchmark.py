"""Benchmark: the statistics are right, the rows are complete, and what is missing says so."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest

from edge_mnist.benchmarks import targets as targets_module
from edge_mnist.benchmarks.accuracy import choose_evaluation, compare
from edge_mnist.benchmarks.report import format_report, summarize
from edge_mnist.benchmarks.results import Results
from edge_mnist.benchmarks.worker import peak_memory_mb
from edge_mnist.edge import mnist
from edge_mnist.edge.bundle import Bundle
from edge_mnist.edge.card import ModelCardError
from edge_mnist.edge.host import describe_host
from edge_mnist.edge.statistics import mcnemar_p, summarize_latencies, wilson_interval

from .conftest import edge_mnist


@pytest.mark.parametrize(("correct", "count"), [(0, 10), (10, 10), (9_956, 10_000), (1, 3)])
def test_the_wilson_interval_is_scipys(correct: int, count: int) -> None:
    expected = binomtest(correct, count).proportion_ci(method="wilson")

    assert wilson_interval(correct, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("correct", "count"), [(1, 0), (-1, 5), (6, 5)])
def test_the_wilson_interval_refuses_nonsense(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(correct, count)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (5, 5), (1, 9), (30, 12)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0

    assert mcnemar_p(first, second) == pytest.approx(expected)


def test_latencies_keep_their_tail() -> None:
    latencies = np.concatenate([np.full(98, 10.0), [500.0, 1000.0]])

    assert summarize_latencies(latencies) == pytest.approx({"p50": 10, "p90": 10, "p99": 505, "max": 1000})


def test_drops_are_paired_and_signed() -> None:
    labels = np.array([0, 1, 2, 3], np.uint8)
    perfect = np.eye(10, dtype=np.float32)[labels]
    one_wrong = np.eye(10, dtype=np.float32)[[0, 1, 2, 9]]

    accuracy = compare(one_wrong, reference=perfect, float_logits=perfect, labels=labels)

    assert (accuracy.correct, accuracy.drop_vs_keras_pp, accuracy.drop_vs_float_pp) == (3, 25.0, 25.0)
    assert (accuracy.agreement, accuracy.p_vs_float) == (0.75, 1.0)


def test_a_raspberry_pi_is_described(tmp_path: Path) -> None:
    for name, content in {
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/loadavg": "0.52 0.58 0.59 1/257 1234",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    host = describe_host(tmp_path)

    assert (host.model, host.governor) == ("Raspberry Pi 5 Model B Rev 1.0", "ondemand")
    assert (host.temperature_c, host.load_1m) == (48.312, 0.52)


def test_a_machine_that_tells_nothing_is_no_failure(tmp_path: Path) -> None:
    host = describe_host(tmp_path)

    assert (host.governor, host.temperature_c, host.load_1m) == (None, None, None)


def test_peak_memory_is_this_process_not_its_parent() -> None:
    ballast = np.ones(40_000_000)
    code = "from edge_mnist.benchmarks.worker import peak_memory_mb; print(peak_memory_mb())"

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert peak_memory_mb() > ballast.nbytes / 1e6
    assert float(child.stdout) < ballast.nbytes / 1e6


@pytest.fixture(scope="module")
def measured(exported: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    out = tmp_path_factory.mktemp("reports")
    result = edge_mnist("benchmark", exported.path, "--rounds", 2, "--calls", 150, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=Results), out


def test_every_file_meets_every_runtime_of_its_format(measured: tuple[Results, Path]) -> None:
    results, _ = measured

    assert {(row.file.partition("-")[2], row.runtime) for row in results.rows} == {
        ("float32.tflite", "litert"),
        ("float32.tflite", "tflite-runtime"),
        ("int8.tflite", "litert"),
        ("int8.tflite", "tflite-runtime"),
        ("float32.onnx", "onnxruntime"),
        ("int8.onnx", "onnxruntime"),
    }


def test_a_row_is_complete_or_says_why_not(measured: tuple[Results, Path]) -> None:
    results, _ = measured

    for row in results.rows:
        if row.unavailable:
            assert row.accuracy is row.latency is row.load_ms is None
            continue
        assert row.accuracy is not None
        assert row.latency is not None
        assert row.accuracy.interval[0] < row.accuracy.share < row.accuracy.interval[1]
        assert row.latency.p50 <= row.latency.p90 <= row.latency.p99 <= row.latency.max
        assert len(row.latency.rounds) == 2
        assert all(len(one) == 150 for one in row.latency.rounds)
        assert row.peak_memory_mb is not None
        assert row.peak_memory_mb < 400


def test_the_accuracy_is_the_one_that_export_measured(measured: tuple[Results, Path], exported: Bundle) -> None:
    results, _ = measured
    verified = {file.record.name: file.verification for file in exported.files}

    for row in results.rows:
        if row.accuracy:
            assert row.accuracy.correct == verified[row.file].correct
            assert row.accuracy.agreement * row.accuracy.count == pytest.approx(verified[row.file].agreeing)


def test_the_reports_say_the_same(measured: tuple[Results, Path]) -> None:
    results, out = measured

    assert sorted(path.name for path in out.iterdir()) == ["standard.json", "standard.md"]
    assert json.loads((out / "standard.json").read_text())["rows"][0]["file"] == results.rows[0].file
    report = (out / "standard.md").read_text()
    assert report == format_report(results)
    assert results.evaluated_on in report
    assert "not installed: pip install tflite-runtime" in report
    assert all(sentence in report for sentence in summarize(results))


def test_a_runtime_that_dies_is_a_row_not_a_failure(
    exported: Bundle, sample: mnist.Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets_module.sys, "executable", "/bin/false")
    settings = targets_module.Settings(rounds=1, calls=100, num_threads=1)

    targets = targets_module.measure_targets(exported, sample, settings)

    assert {target.unavailable for target in targets if target.runtime.installed} == {"ended with code 1: no message"}


def test_a_bundle_without_reference_for_the_images_here_is_refused(exported: Bundle, sample: mnist.Images) -> None:
    held_out = mnist.HeldOut(sample, sample, (sample,), certain=True)

    with pytest.raises(ModelCardError, match="Export it again on this machine"):
        choose_evaluation(exported, held_out)
