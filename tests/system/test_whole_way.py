"""A model goes through all stages: it is quantized, verified, measured, and reads a page."""

import json
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from tests.conftest import ONE_CALIBRATION, edge_mnist, make_once

NANO = SHIPPED.parent / "nano"
FILES = ["nano-float32.onnx", "nano-float32.tflite", "nano-int8.onnx", "nano-int8.tflite"]


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped nano, quantized and verified on images of the sample."""
    return open_bundle(make_once(tmp_path_factory, "export", NANO, "--int8", *ONE_CALIBRATION))


def test_an_export_writes_files_that_agree_with_keras(nano: Bundle) -> None:
    images = nano.export.evaluations[0].images

    assert sorted(file.record.name for file in nano.files) == FILES
    for file in nano.files:
        assert file.verification.agreeing >= 0.995 * images.count
    assert edge_mnist("verify", nano.path).exit_code == 0


def test_a_quick_benchmark_counts_the_digits_that_export_counted(nano: Bundle, tmp_path: Path) -> None:
    result = edge_mnist("benchmark", nano.path, "--quick", "--calls", 10, "--out", tmp_path, "--json")

    assert result.exit_code == 0, result.output
    rows = {row.file: row for row in msgspec.json.decode(result.stdout, type=Results).rows if row.accuracy}
    assert sorted(rows) == FILES
    for file in nano.files:
        assert rows[file.record.name].accuracy.correct == file.verification.correct
        assert rows[file.record.name].latency.p50 > 0


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_the_files_read_a_page(nano: Bundle, tmp_path: Path, runtime: str) -> None:
    edge_mnist("example", tmp_path / "page.png")

    result = edge_mnist("run", tmp_path / "page.png", "--model", nano.path, "--runtime", runtime, "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == ["0123456789", "31415926", "2718"]
