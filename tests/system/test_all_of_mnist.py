"""With all of MNIST, an export and a benchmark of a shipped model give its figures again."""

from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from tests.conftest import edge_mnist

NANO = SHIPPED.parent / "nano"


def test_an_export_is_verified_on_the_whole_test_set(full_mnist: mnist.Splits, tmp_path: Path) -> None:
    result = edge_mnist("export", NANO, "--float-only", "--format", "tflite", "--out", tmp_path / "nano")

    assert result.exit_code == 0, result.output
    (evaluation, *_), (file,) = open_bundle(tmp_path / "nano").export.evaluations, open_bundle(tmp_path / "nano").files
    assert evaluation.images == full_mnist.test.describe()
    assert file.verification.correct == open_bundle(NANO).file("tflite", "float32").verification.correct


@pytest.mark.usefixtures("full_mnist")
def test_a_benchmark_counts_the_digits_that_the_shipped_card_counts(tmp_path: Path) -> None:
    result = edge_mnist("benchmark", NANO, "--quick", "--calls", 10, "--out", tmp_path, "--json")

    assert result.exit_code == 0, result.output
    rows = [row for row in msgspec.json.decode(result.stdout, type=Results).rows if row.accuracy]
    assert len(rows) == 4
    for row in rows:
        file = open_bundle(NANO).file("onnx" if row.file.endswith("onnx") else "tflite", row.precision)
        assert row.accuracy.count == 10_000
        # Another processor may round an image or two the other way.
        assert row.accuracy.correct == pytest.approx(file.verification.correct, abs=2)
