"""Measure every file of a bundle on every runtime: fresh processes, in rounds, in random order.

One process after the other in each round, so that a slow minute of the machine falls on all targets alike.
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..edge.bundle import Bundle
from ..edge.card import ModelFile
from ..edge.classifiers import RUNTIMES, Runtime
from ..edge.mnist import Images
from .worker import EXIT_UNAVAILABLE, Job, Measurement

TIMING_IMAGES = 100
# Far more than any measurement takes, so that a runtime that hangs ends as a row that says so.
PROCESS_TIMEOUT_S = 600


@dataclass(frozen=True)
class Settings:
    """How much to measure: `rounds` processes a target, each timing `calls`, on `num_threads` threads."""

    rounds: int
    calls: int
    num_threads: int


@dataclass
class Target:
    """A file on a runtime, and what its processes have measured so far."""

    file: ModelFile
    runtime: Runtime
    measurements: list[Measurement] = field(default_factory=list)
    logits: NDArray[np.float32] | None = None
    unavailable: str | None = None

    @property
    def label(self) -> str:
        """What the progress bar says."""
        return f"{self.file.record.name} on {self.runtime.name}"


def list_targets(bundle: Bundle) -> list[Target]:
    """Every file on every runtime that reads its format, installed or not."""
    targets = [
        Target(file, runtime) for file in bundle.files for runtime in RUNTIMES.values() if runtime.format == file.format
    ]
    for target in targets:
        if not target.runtime.installed:
            target.unavailable = f"not installed: pip install {target.runtime.package}"
    return targets


def measure_targets(bundle: Bundle, images: Images, settings: Settings) -> list[Target]:
    """Fill in every target of the bundle; one that cannot run says why and is left out of later rounds."""
    targets = list_targets(bundle)
    order = random.Random(0)  # noqa: S311 - an order, not a secret; the same each time
    with tempfile.TemporaryDirectory() as folder:
        paths = _write_images(Path(folder), images)
        installed = sum(target.unavailable is None for target in targets)
        with tqdm(total=installed * settings.rounds, unit="process", leave=False, disable=None) as progress:
            for round_number in range(settings.rounds):
                for target in order.sample(targets, len(targets)):
                    if target.unavailable is None:
                        progress.set_description(target.label)
                        _measure(target, bundle, settings, paths, evaluate=round_number == 0)
                        progress.update()
    return targets


@dataclass(frozen=True)
class _Paths:
    timing: Path
    evaluation: Path
    logits: Path


def _write_images(folder: Path, images: Images) -> _Paths:
    paths = _Paths(folder / "timing.npy", folder / "evaluation.npy", folder / "logits.npy")
    np.save(paths.timing, images.pixels[:: max(1, len(images) // TIMING_IMAGES)][:TIMING_IMAGES])
    np.save(paths.evaluation, images.pixels)
    return paths


def _measure(target: Target, bundle: Bundle, settings: Settings, paths: _Paths, evaluate: bool) -> None:
    """Run one process for the target."""
    job = Job(
        bundle=str(bundle.path.resolve()),
        runtime=target.runtime.name,
        precision=target.file.precision,
        num_threads=settings.num_threads,
        calls=settings.calls,
        timing_images=str(paths.timing),
        evaluation_images=str(paths.evaluation) if evaluate else None,
        logits=str(paths.logits),
    )
    try:
        process = subprocess.run(
            # -P: a random.py in the current folder is not to be imported.
            [sys.executable, "-P", "-m", "edge_mnist.benchmarks.worker"],
            input=msgspec.json.encode(job),
            capture_output=True,
            timeout=PROCESS_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        target.unavailable = f"did not finish within {PROCESS_TIMEOUT_S} s"
        return
    if process.returncode != 0:
        lines = process.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        expected = process.returncode == EXIT_UNAVAILABLE
        target.unavailable = lines[-1] if expected else f"ended with code {process.returncode}: {lines[-1]}"
        return
    target.measurements.append(msgspec.json.decode(process.stdout, type=Measurement))
    if evaluate:
        target.logits = np.load(paths.logits, allow_pickle=False)


def measured(targets: list[Target]) -> Iterator[tuple[Target, NDArray[np.float32]]]:
    """Those that ran, with their logits on the evaluation images."""
    for target in targets:
        if target.unavailable is None and target.logits is not None:
            yield target, target.logits
