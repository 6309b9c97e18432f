"""The worker process of one measurement: load a file, time it, perhaps evaluate it, write the answer, and end.

A separate process, so that load time and peak memory are this file's alone and no measurement warms up the next.
Run as `python -m edge_mnist.benchmarks.measuring.worker FOLDER`, see `JobFolder` in `targets/job.py`.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import NUM_CLASSES
from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.common.errors import EdgeMnistError
from ...edge.common.processes.child_start import EXIT_UNAVAILABLE
from ...edge.runtimes.classifiers import LoadedModel
from ...edge.runtimes.golden import check_golden, unpack_pixels
from ...edge.runtimes.registry import load_file
from ..targets.engines import find_runtime
from ..targets.job import Job, JobFolder, Measurement
from .energy import find_meter, measure_energy
from .machine_state import read_frequencies
from .timing import LEAST_CALLS, time_batch, time_paced, time_turns, warm_up

if TYPE_CHECKING:
    from ..targets.peers import LoadedPeer

# The calls and seconds at batch 1 are divided by this for each other batch size.
BATCH_SHARE = 8
# Images evaluated at once: needs little memory, and signals after each block that the process is alive.
BLOCK = 250


def measure_job(job: Job, job_folder: JobFolder) -> Measurement:
    """Do the job; write the evaluation's logits to the job folder.

    Raises:
        RuntimeUnavailableError: The runtime cannot run the file.
        ModelCardError: The bundle is damaged.
    """
    bundle = open_bundle(Path(job.bundle)) if job.bundle else None
    images = np.load(job.timing_images, allow_pickle=False)
    started = time.perf_counter()
    target, sha256, check = load_target(job, bundle)
    loaded = time.perf_counter()
    target.logits(images[:1])
    first = time.perf_counter()
    check()
    checked = time.perf_counter()
    job_folder.signal_alive()
    measurement = _time(job, target, images, job_folder)
    if job.evaluation_images is not None:
        np.save(job_folder.logits, _evaluate(target, np.load(job.evaluation_images, allow_pickle=False), job_folder))
    if job.validation_images is not None and job.peer_interface:
        from ..results.peer_inputs import read_by_each  # noqa: PLC0415 - only for peers

        images, reads = np.load(job.validation_images, allow_pickle=False), job.peer_interface.reads
        digits = read_by_each(cast("LoadedPeer", target).reading, reads, images, job_folder.signal_alive)
        measurement = msgspec.structs.replace(measurement, digits_by_convention=digits)
    return msgspec.structs.replace(
        measurement,
        runtime_version=describe_version(job.runtime),
        file_sha256=sha256,
        load_ms=1000 * (loaded - started + checked - first),
        first_ms=1000 * (first - loaded),
    )


def load_target(job: Job, bundle: Bundle | None) -> tuple[LoadedModel, str, Callable[[], None]]:
    """Load the file that the job names.

    Returns:
        The classifier, the SHA-256 of its bytes, and a function that runs it to check its golden vectors.

    Raises:
        RuntimeUnavailableError: The runtime cannot run the file.
        ModelCardError: The bundle's file is damaged; or, when checked, its outputs are not those on its card.
    """
    if job.peer and job.peer_interface:
        from ..targets.peers import load_peer  # noqa: PLC0415 - only for peers

        peer = load_peer(Path(job.peer), job.peer_interface, job.runtime, job.delegate, job.threads)
        return peer, peer.sha256, lambda: None
    if bundle is None:
        raise ValueError("expected a bundle or a peer.")
    if job.runtime.startswith("keras"):
        from ..targets.keras import load_keras  # noqa: PLC0415 - takes seconds

        return load_keras(bundle, on_gpu=job.runtime == "keras-gpu"), bundle.card.source.sha256, lambda: None
    if job.precision is None:
        raise ValueError("expected a precision.")
    runtime = find_runtime(job.runtime, job.delegate)
    file = bundle.file(runtime.format, job.precision)
    classifier = load_file(runtime, bundle.read(file.record), file, job.threads)
    golden = unpack_pixels(bundle.export.golden_pixels)
    return classifier, file.record.sha256, lambda: check_golden(classifier.logits, file, golden, runtime.name)


def describe_version(runtime: str) -> str:
    """Return the version of the loaded runtime."""
    if runtime.startswith("keras"):
        from ..targets.keras import describe_version as describe_keras  # noqa: PLC0415 - takes seconds

        return describe_keras()
    return sys.modules["tensorflow"].__version__ if runtime == "tf.lite" else find_runtime(runtime, "default").version


def _time(job: Job, target: LoadedModel, images: NDArray[np.uint8], job_folder: JobFolder) -> Measurement:
    singles = [images[i : i + 1] for i in range(len(images))]
    bare = target.raw_call()
    bare(singles[0])
    warmup = warm_up(lambda: target.logits(singles[0]), job.warmup_s)
    job_folder.signal_alive()
    ours_us, bare_us = time_turns(target.logits, bare, singles, job.calls, job.seconds)
    frequencies = read_frequencies()
    job_folder.signal_alive()
    batches: list[list[float]] = []
    calls, seconds = max(LEAST_CALLS, job.calls // BATCH_SHARE), job.seconds / BATCH_SHARE
    for batch in job.batches:
        batches.append(time_batch(target.logits, images, batch, calls, seconds))
        job_folder.signal_alive()
    paced_us = time_paced(target.logits, singles, job.paced_calls)
    job_folder.signal_alive()
    meter = find_meter()
    energy = measure_energy(lambda: target.logits(singles[0]), meter) if meter else None
    job_folder.signal_alive()
    return Measurement(
        runtime_version="",
        file_sha256="",
        load_ms=0,
        first_ms=0,
        peak_memory_mb=peak_memory_mb(),
        warmup_s=round(warmup.seconds, 3),
        steady=warmup.steady,
        latencies_us=_round(ours_us),
        bare_us=_round(bare_us),
        batches=[_round(one) for one in batches],
        paced_us=_round(paced_us),
        energy_mj=energy,
        energy_source=meter.source if meter and energy is not None else None,
        frequency_mhz=frequencies,
    )


def _evaluate(target: LoadedModel, images: NDArray[np.uint8], job_folder: JobFolder) -> NDArray[np.float32]:
    logits = np.empty((len(images), NUM_CLASSES), np.float32)
    for start in range(0, len(images), BLOCK):
        logits[start : start + BLOCK] = target.logits(images[start : start + BLOCK])
        job_folder.signal_alive()
    return logits


def _round(latencies_us: list[float]) -> list[float]:
    """Round to ten nanoseconds: clocks are no more precise."""
    return [round(value, 2) for value in latencies_us]


def peak_memory_mb() -> float:
    """Return this process's largest resident size so far, in MB (10**6 bytes).

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
    """Read the job, measure, write the answer."""
    job_folder = JobFolder(Path(sys.argv[1]))
    try:
        measurement = measure_job(msgspec.json.decode(job_folder.job.read_bytes(), type=Job), job_folder)
    except EdgeMnistError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from error
    job_folder.answer.write_bytes(msgspec.json.encode(measurement))


if __name__ == "__main__":
    main()
