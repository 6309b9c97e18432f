"""The process that one measurement runs in: load a file, time it, perhaps evaluate it, print JSON, and end.

A process of its own, so that load time and peak memory are this file's alone and no measurement warms up the next.
Run by `targets.py` as `python -m edge_mnist.benchmarks.worker`, with a `Job` as JSON on standard input.
"""

import resource
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import open_bundle
from ..edge.card import Precision
from ..edge.classifiers import RUNTIMES, Classifier, RuntimeUnavailableError, load_classifier

EXIT_UNAVAILABLE = 3
# Caches and branch predictors settle within a few calls, the processor's clock within tenths of a second.
WARMUP_SECONDS = 0.3


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes:
        timing_images: An .npy file, uint8 [N, 28, 28, 1], gone through in turn, one image a call.
        evaluation_images: Another one, to classify after the timing; None skips that.
        logits: Where to write the evaluation's logits, .npy, float32 [N, 10].
        calls: How many to time.
    """

    bundle: str
    runtime: str
    precision: Precision
    num_threads: int
    calls: int
    timing_images: str
    evaluation_images: str | None
    logits: str


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Loading includes importing the runtime; memory is the process's peak, before evaluation."""

    load_ms: float
    first_ms: float
    latencies_us: list[float]
    peak_memory_mb: float


def measure(job: Job) -> Measurement:
    """Do the job; logits go to its file.

    Raises:
        RuntimeUnavailableError: The runtime cannot run the file.
        ModelCardError: The bundle does not hold.
    """
    bundle = open_bundle(Path(job.bundle))
    runtime = RUNTIMES[job.runtime]
    images = np.load(job.timing_images, allow_pickle=False)
    started = time.perf_counter()
    classifier = load_classifier(bundle, runtime, job.precision, job.num_threads)
    loaded = time.perf_counter()
    classifier.logits(images[:1])
    first = time.perf_counter()
    latencies_us = time_calls(classifier, images, job.calls)
    memory = peak_memory_mb()
    if job.evaluation_images is not None:
        np.save(job.logits, classifier.logits(np.load(job.evaluation_images, allow_pickle=False)))
    return Measurement(
        load_ms=1000 * (loaded - started),
        first_ms=1000 * (first - loaded),
        latencies_us=[round(value, 2) for value in latencies_us],
        peak_memory_mb=memory,
    )


def time_calls(classifier: Classifier, images: NDArray[np.uint8], calls: int) -> list[float]:
    """Latency of each of so many calls with one image, microseconds, after warming up."""
    singles = [images[i : i + 1] for i in range(len(images))]
    warm = time.perf_counter() + WARMUP_SECONDS
    while time.perf_counter() < warm:
        classifier.logits(singles[0])
    latencies_us: list[float] = []
    for call in range(calls):
        image = singles[call % len(singles)]
        started = time.perf_counter_ns()
        classifier.logits(image)
        latencies_us.append((time.perf_counter_ns() - started) / 1000)
    return latencies_us


def peak_memory_mb() -> float:
    """This process's largest resident size so far, MB (10**6 bytes).

    Linux keeps in `ru_maxrss` what the parent had at the fork, so its own figure for this program's image is preferred.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Read the job, measure, print."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    try:
        measurement = measure(job)
    except RuntimeUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from error
    sys.stdout.buffer.write(msgspec.json.encode(measurement))


if __name__ == "__main__":
    main()
