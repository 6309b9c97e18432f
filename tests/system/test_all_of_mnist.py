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


def test_on_all_of_mnist_the_shipped_figures_come_out_again(full_mnist: mnist.Splits, tmp_path: Path) -> None:
    shipped = open_bundle(NANO)

    exported = edge_mnist("export", NANO, "--int8", "--format", "tflite", "--out", tmp_path / "nano")
    measured = edge_mnist(
        "benchmark", tmp_path / "nano", "--quick", "--calls", 10, "--out", tmp_path / "reports", "--json"
    )

    assert (exported.exit_code, measured.exit_code) == (0, 0), exported.output + measured.output
    bundle = open_bundle(tmp_path / "nano")
    assert bundle.export.evaluations[0].images == full_mnist.test.describe()
    rows = {row.file: row for row in msgspec.json.decode(measured.stdout, type=Results).rows if row.accuracy}
    for file in bundle.files:
        right = shipped.file(file.format, file.precision).verification.correct
        # Another processor may round an image or two the other way.
        assert file.verification.correct == pytest.approx(right, abs=2)
        assert rows[file.record.name].accuracy.correct == file.verification.correct
