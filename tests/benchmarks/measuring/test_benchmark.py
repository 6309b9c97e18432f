"""Benchmark: the statistics are right, the rows are complete, and what is missing or misbehaves says so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.measuring.accuracy import choose_evaluation, compare_outputs
from edge_mnist.benchmarks.measuring.stage_times import StageTimesJob, read_frames
from edge_mnist.benchmarks.measuring.worker import peak_memory_mb
from edge_mnist.benchmarks.report.report import format_report
from edge_mnist.benchmarks.results.files import read_results
from edge_mnist.benchmarks.results.schema import Results, Row
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.machine import describe_host
from edge_mnist.edge.data import held_out as mnist
from tests.conftest import edge_mnist


def test_drops_are_paired_and_signed() -> None:
    labels = np.array([0, 1, 2, 3], np.uint8)
    perfect = np.eye(10, dtype=np.float32)[labels]
    one_wrong = np.eye(10, dtype=np.float32)[[0, 1, 2, 9]]

    accuracy = compare_outputs(one_wrong, reference=perfect, float_logits=perfect, labels=labels)

    assert (accuracy.correct, accuracy.drop_vs_keras_pp, accuracy.drop_vs_float_pp) == (3, 25.0, 25.0)
    assert (accuracy.agreement, accuracy.p_vs_float, accuracy.p_vs_keras) == (0.75, 1.0, 1.0)
    assert (accuracy.lost, accuracy.gained, accuracy.misread) == ([3], [], [(3, 9)])
    assert accuracy.drop_interval_pp is not None
    assert accuracy.drop_interval_pp[0] <= 25 <= accuracy.drop_interval_pp[1]


def test_a_confusion_has_what_it_is_in_lines_and_what_was_read_in_columns() -> None:
    labels = np.array([0, 0, 1, 7], np.uint8)
    read = np.eye(10, dtype=np.float32)[[0, 6, 1, 1]]

    confusion = np.array(compare_outputs(read, None, None, labels).confusion)

    assert confusion.sum() == 4
    assert [confusion[0, 0], confusion[0, 6], confusion[1, 1], confusion[7, 1]] == [1, 1, 1, 1]


def test_a_peer_is_compared_with_nothing_that_it_was_not_made_of() -> None:
    labels = np.array([0, 1], np.uint8)

    accuracy = compare_outputs(np.eye(10, dtype=np.float32)[labels], None, None, labels)

    assert (accuracy.agreement, accuracy.drop_vs_keras_pp, accuracy.drop_vs_float_pp) == (None, None, None)


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
    code = "from edge_mnist.benchmarks.measuring.worker import peak_memory_mb; print(peak_memory_mb())"

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert peak_memory_mb() > ballast.nbytes / 1e6
    assert float(child.stdout) < ballast.nbytes / 1e6


@pytest.fixture(scope="module", autouse=True)
def _without_old_runtime() -> Iterator[None]:
    """Whoever runs these tests may have an environment with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EDGE_MNIST_OLD_RUNTIME", raising=False)
        yield


@pytest.fixture(scope="module")
def measured(exported: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    out = tmp_path_factory.mktemp("reports")
    result = edge_mnist("benchmark", exported.path, "--quick", "--calls", 60, "--batch", 4, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=Results), out


def test_every_file_meets_every_runtime_of_its_format(measured: tuple[Results, Path]) -> None:
    results, _ = measured

    assert {(row.file.partition("-")[2] or row.file, row.runtime) for row in results.rows} == {
        *((f"{precision}.tflite", name) for precision in FILES for name in ("litert", "tflite-runtime", "tf.lite")),
        *((f"{precision}.onnx", name) for precision in FILES for name in ("onnxruntime", "onnxruntime-web")),
        ("model.keras", "keras"),
    }


FILES = ("float32", "int8")


def timed(results: Results) -> list[Row]:
    rows = [row for row in results.rows if row.unavailable is None]
    assert {row.runtime for row in rows} == {"litert", "onnxruntime"}
    return rows


def test_a_row_is_complete_or_says_why_not(measured: tuple[Results, Path]) -> None:
    results, _ = measured

    for row in results.rows:
        if row.unavailable:
            assert row.accuracy is row.latency is row.bare is row.paced is None
            assert row.load_ms == row.batches == []
    for row in timed(results):
        assert row.accuracy is not None
        assert row.latency is not None
        assert row.bare is not None
        assert row.accuracy.interval[0] < row.accuracy.share < row.accuracy.interval[1]
        assert row.latency.p90 <= row.latency.p99 <= row.latency.p999 <= row.latency.max
        assert row.latency.p50_interval[0] <= row.latency.p50 <= row.latency.p50_interval[1]
        assert [len(one) for one in row.latency.rounds] == [len(one) for one in row.bare.rounds]
        assert all(10 <= len(one) <= 60 for one in row.latency.rounds)
        assert [batch.batch for batch in row.batches] == [4]
        assert len(row.latency.rounds) == len(row.load_ms) == len(row.first_ms) == 4
        assert all(0 < one < 400 for one in row.peak_memory_mb)


def test_our_layer_takes_its_turn_with_the_bare_interpreter(measured: tuple[Results, Path]) -> None:
    for row in timed(measured[0]):
        assert row.latency is not None
        assert row.bare is not None
        # Far from what it costs, so that no busy machine fails it; and never faster than what it calls.
        assert 0.8 < row.latency.p50 / row.bare.p50 < 2


def test_a_quick_run_says_so_and_what_it_leaves_out(measured: tuple[Results, Path]) -> None:
    results, _ = measured

    assert results.settings.is_quick
    assert {row.unavailable for row in results.rows if row.runtime in {"keras", "tf.lite"}} == {
        "left out of a quick run: it takes seconds to load"
    }
    assert {row.unavailable for row in results.rows if row.runtime == "tflite-runtime"} == {
        "not installed: --old-runtime creates an environment with 2.14.0"
    }


def test_the_accuracy_is_the_one_that_export_measured(measured: tuple[Results, Path], exported: Bundle) -> None:
    results, _ = measured
    verified = {file.record.name: file.verification for file in exported.files}

    for row in timed(results):
        assert row.accuracy is not None
        assert row.accuracy.agreement is not None
        assert row.accuracy.correct == verified[row.file].correct
        assert row.accuracy.agreement * row.accuracy.count == pytest.approx(verified[row.file].agreeing)
        if row.precision == "int8":
            assert len(row.accuracy.lost) == verified[row.file].lost
            assert len(row.accuracy.gained) == verified[row.file].gained


def test_the_machine_is_looked_at_before_and_after_each_process(measured: tuple[Results, Path]) -> None:
    (machine,) = measured[0].machines

    # Four files and one reading, in four processes each, and before all.
    assert len(machine.samples) == 1 + 4 * (4 + len(measured[0].budgets))
    assert [one.at_s for one in machine.samples] == sorted(one.at_s for one in machine.samples)
    assert machine.timer_overhead_us > 0
    assert machine.affinity
    assert {"python", "numpy", "litert", "onnxruntime"} <= machine.versions.keys()


def test_the_readers_stages_are_measured(measured: tuple[Results, Path]) -> None:
    (budget,) = measured[0].budgets

    assert set(budget.stages_ms) == {"find", "frame", "infer"}
    assert min(budget.stages_ms.values()) > 0
    assert len(budget.total_ms.rounds) == 4


def test_the_readers_stages_make_up_the_total_of_a_call() -> None:
    part = read_frames(StageTimesJob(bundle=str(SHIPPED), runtime="litert", precision="int8", calls=20))

    shares = np.sum([*part.stages_ms.values()], axis=0) / part.total_ms
    # A busy machine adds time between the clocks, but not in each call; a forgotten stage would be a third of it.
    assert 0.9 < shares.max() < 1.01, "all figures are rounded"


def test_the_reports_say_the_same(measured: tuple[Results, Path]) -> None:
    results, out = measured

    assert sorted(path.name for path in out.iterdir()) == [f"standard.{one}" for one in ("csv", "html", "json", "md")]
    assert read_results(out / "standard.json") == results
    assert json.loads((out / "standard.json").read_text())["rows"][0]["file"] == results.rows[0].file
    assert (out / "standard.md").read_text() == format_report(results)


def test_a_bundle_without_reference_for_the_images_here_is_refused(exported: Bundle, sample: mnist.Images) -> None:
    held_out = mnist.HeldOut(sample, sample, (sample,), certain=True)

    with pytest.raises(ModelCardError, match="Export it again on this machine"):
        choose_evaluation(exported, held_out)


def test_what_can_be_measured_is_listed_with_how_to_get_the_rest() -> None:
    result = edge_mnist("benchmark", "--list-targets")

    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()[2:]}
    assert lines.keys() >= {"litert", "tflite-runtime", "tf.lite", "onnxruntime", "onnxruntime-web", "keras"}
    assert "edge-mnist benchmark --old-runtime" in lines["tflite-runtime"]
    assert "with and without its delegate" in lines["litert"]


def test_listing_targets_imports_none_of_them() -> None:
    code = (
        "import sys\n"
        "from edge_mnist.benchmarks.targets.targets import list_offers\n"
        "list_offers()\n"
        "print([name for name in ('tensorflow', 'keras', 'onnxruntime', 'ai_edge_litert') if name in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rounds", 2),
        ("--runtime", "litert"),
        ("--peer-input", "uint8"),
        ("--peer", __file__),
        ("--batch", 1),
        ("--seconds", 0),
    ],
    ids=["two processes", "a runtime without photos", "an input without a peer", "a peer without its input", "1", "0"],
)
def test_what_makes_no_sense_is_misuse(arguments: tuple[object, ...]) -> None:
    assert edge_mnist("benchmark", *arguments).exit_code == 2


def test_other_commands_are_named_first() -> None:
    for name in ("compare", "history"):
        result = edge_mnist("benchmark", name, "--help")

        assert result.exit_code == 0
        assert f"Usage: main benchmark {name}" in result.stdout
        assert name in edge_mnist("benchmark", "--help").stdout.partition("Commands:")[2]
