"""A result names the SHA-256 of the bytes that were measured, whatever happened to the file meanwhile."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_mnist.benchmarks.measuring.machine_state import MachineMonitor
from edge_mnist.benchmarks.measuring.rounds import ImageSets, measure_all
from edge_mnist.benchmarks.results.schema import BenchmarkSettings
from edge_mnist.benchmarks.targets.job import Measurement
from edge_mnist.benchmarks.targets.peers import describe_peer
from edge_mnist.benchmarks.targets.targets import MeasuredFile, Target
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.images import Images

QUICK = BenchmarkSettings(rounds=1, calls=3, seconds=0.02, threads=[1], batches=[], is_quick=True)
NANO = SHIPPED.parent / "nano"
IMAGES = Images("made-up", "none", np.zeros((20, 28, 28, 1), np.uint8), np.zeros(20, np.uint8), np.arange(20))


def measure(target: Target) -> Target:
    measure_all([target], [], ImageSets(IMAGES, IMAGES), QUICK, MachineMonitor())
    return target


@pytest.mark.parametrize("is_replaced", [False, True], ids=["kept", "replaced"])
def test_a_peer_that_is_replaced_meanwhile_has_no_figures(tmp_path: Path, is_replaced: bool) -> None:
    path = shutil.copy(SHIPPED / "standard-int8.tflite", tmp_path / "peer.tflite")
    peer = describe_peer(path, "uint8")
    subject = MeasuredFile("peer.tflite", peer.sha256, "tflite", None, peer.size_bytes, peer=peer)
    if is_replaced:
        shutil.copy(NANO / "nano-int8.tflite", path)

    target = measure(Target(subject, "litert", "default", 1))

    assert target.unavailable == (
        "was replaced by another file during the benchmark; run it again" if is_replaced else None
    )
    assert [one.file_sha256 for one in target.measurements] == ([] if is_replaced else [peer.sha256])


def test_a_bundle_that_is_replaced_meanwhile_has_no_figures(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(NANO, folder)
    record = open_bundle(folder).file("tflite", "int8").record
    subject = MeasuredFile(record.name, record.sha256, "tflite", "int8", record.size_bytes, bundle=folder)
    shutil.rmtree(folder)
    shutil.copytree(SHIPPED, folder)

    target = measure(Target(subject, "litert", "default", 1))

    assert target.unavailable == "was replaced by another file during the benchmark; run it again"


def test_a_measurement_cannot_leave_out_its_file() -> None:
    assert "file_sha256" in Measurement.__struct_fields__
