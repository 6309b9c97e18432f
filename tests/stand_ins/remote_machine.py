"""What tests of measuring elsewhere share: a machine's answer, and a program in the place of the one that measures."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.measuring.accuracy import choose_evaluation
from edge_mnist.benchmarks.remote.machines import RemoteOptions
from edge_mnist.benchmarks.results.schema import BenchmarkSettings, Results
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.datasets import MNIST
from edge_mnist.edge.data.held_out import HeldOut, held_out_images
from edge_mnist.edge.data.images import Images
from tests.builders.benchmark_results import make_accuracy, make_latency, make_machine

from .ssh_server import PATIENCE_S, SshServer, serving_ssh

QUICK = BenchmarkSettings(rounds=3, calls=10, seconds=0.1, threads=[1], batches=[1], is_quick=True)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(SHIPPED)


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    """The fewest images that the bundle has a reference for."""
    found = held_out_images(MNIST)
    return replace(found, evaluations=found.evaluations[-1:])


@pytest.fixture(scope="module")
def answer(bundle: Bundle, held_out: HeldOut) -> Results:
    """What an honest machine would send back, made up."""
    images, _ = choose_evaluation(bundle, held_out)
    return _make_answer(bundle, images)


class StandIn:
    """A Python whose edge-mnist does something else than measuring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "edge_mnist" / "benchmarks" / "remote"
        self.package.mkdir(parents=True)
        for package in (self.package, *self.package.parents[:2]):
            (package / "__init__.py").touch()
        shutil.copy(Path(__file__).with_name("remote_stand_in.py"), self.package / "job.py")
        self.python = folder / "python"
        self.python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
        self.python.chmod(0o755)
        self.pids = folder / "pids"

    def behave(self, behaviour: str, detail: str = "") -> None:
        (self.package / "behaviour").write_text(f"{behaviour}\n{detail or self.pids}")

    def answer(self, content: bytes) -> None:
        self.behave("answer")
        (self.package / "answer.json").write_bytes(content)

    def wait_for_pids(self) -> list[int]:
        """Of the program and the one that it started, once they run."""
        wait_until(lambda: self.pids.exists() and self.pids.read_text().count(" ") == 1, "it does not start")
        return [int(word) for word in self.pids.read_text().split()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    with serving_ssh(folder) as started:
        yield started
        # Whatever a test did: nothing of it stays there.
        wait_until(lambda: not list(started.temporary.iterdir()), "its temporary folder is not empty")


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "stand-in")


def options_for(server: SshServer, stand_in: StandIn, **changes: Any) -> RemoteOptions:
    ssh = replace(server.options, silence_s=3, **changes)
    return RemoteOptions(ssh, python=str(stand_in.python), limit_s=60)


class in_thread:  # noqa: N801 - used as a function is
    """Run something beside the test; the block gets a function that waits for what it returns."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._results: list[Any] = []
        self._thread = threading.Thread(target=lambda: self._results.append(work()), daemon=True)

    def __enter__(self) -> Callable[[], Any]:
        self._thread.start()
        return self._wait

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_S)

    def _wait(self) -> Any:
        self._thread.join(PATIENCE_S)
        assert self._results, "it does not end"
        return self._results[0]


def wait_until(holds: Callable[[], bool], words: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, words
        time.sleep(0.02)


def _make_answer(bundle: Bundle, images: Images) -> Results:
    random = np.random.default_rng(0)
    table = np.diag(np.bincount(images.labels, minlength=10)).tolist()
    accuracy = msgspec.structs.replace(make_accuracy([]), correct=len(images), count=len(images), confusion=table)
    rows = [
        {
            "file": file.record.name,
            "file_sha256": file.record.sha256,
            "size_bytes": file.record.size_bytes,
            "format": file.format,
            "precision": file.precision,
            "runtime": "litert",
            "accuracy": msgspec.to_builtins(accuracy),
            "latency": msgspec.to_builtins(make_latency(100.0, random, processes=3, calls=10)),
        }
        for file in bundle.files
    ]
    facts = {
        "edge_mnist": version("edge-mnist"),
        "name": bundle.card.name,
        "card_sha256": bundle.card_sha256,
        "parameters": 1,
        "macs": 1,
        "evaluated_on": images.name,
        "images_sha256": images.sha256,
        "image_count": len(images),
        "held_out": True,
        "keras_correct": 1,
        "settings": msgspec.to_builtins(QUICK),
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 1.0,
        "machines": [msgspec.to_builtins(make_machine())],
        "rows": rows,
    }
    return msgspec.convert(facts, Results)
