"""Measurement of all targets in rounds: each in a fresh process in every round, in random order.

So a slow minute of the machine affects all targets alike. The machine's state is sampled between processes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import NUM_CLASSES
from ...edge.common.errors import EdgeMnistError
from ...edge.common.scratch import scratch_folder
from ...edge.common.terminal.progress import ProgressBar
from ...edge.data.images import Images
from ..errors import BenchmarkError
from ..results.peer_inputs import InputCheck, check_input
from ..results.schema import BenchmarkSettings
from ..targets import launcher as processes
from ..targets.job import Job, Measurement
from ..targets.launcher import run_worker
from ..targets.targets import Target
from .machine_state import MachineMonitor
from .stage_times import StageTimes, StageTimesJob, measure_budget

TIMING_IMAGES = 100
# Seconds after which to stop waiting for steady latencies.
WARMUP_S = 2.0
QUICK_WARMUP_S = 1.0


@dataclass(frozen=True)
class _Paths:
    timing: Path
    evaluation: Path
    validation: Path


@dataclass
class StageTimingRun:
    """The reader's time budget on a runtime, and the measurements of its processes; None for one that failed."""

    job: StageTimesJob
    parts: list[StageTimes | None]


@dataclass(frozen=True)
class ImageSets:
    """The images that all targets are measured on, and those that peers' input conventions are tried on."""

    evaluation: Images
    validation: Images


def measure_all(
    targets: Sequence[Target],
    readings: Sequence[StageTimingRun],
    images: ImageSets,
    settings: BenchmarkSettings,
    watch: MachineMonitor,
) -> None:
    """Measure all targets and readings in place; a target that fails records the reason and skips later rounds."""
    order = random.Random(settings.seed)  # noqa: S311 - an order, not a secret
    with scratch_folder() as folder:
        paths = _write_images(folder, images)
        here = [target for target in targets if target.unavailable is None]
        watch.sample()
        with ProgressBar(total=(len(here) + len(readings)) * settings.rounds, unit="process") as bar:
            for number in range(settings.rounds):
                for one in order.sample([*here, *readings], len(here) + len(readings)):
                    if isinstance(one, StageTimingRun):
                        bar.set_description(f"reading on {one.job.runtime}")
                        one.parts.append(measure_budget(one.job))
                        watch.sample()
                    elif one.unavailable is None:
                        bar.set_description(one.label)
                        _measure(one, settings, paths, watch, images if number == 0 else None)
                    bar.update()


def _write_images(folder: Path, images: ImageSets) -> _Paths:
    """Write the files that the measuring processes read.

    Raises:
        EdgeMnistError: There is no space for them.
    """
    paths = _Paths(folder / "timing.npy", folder / "evaluation.npy", folder / "validation.npy")
    pixels = images.evaluation.pixels
    try:
        np.save(paths.timing, pixels[:: max(1, len(pixels) // TIMING_IMAGES)][:TIMING_IMAGES])
        np.save(paths.evaluation, pixels)
        np.save(paths.validation, images.validation.pixels)
    except OSError as error:
        raise EdgeMnistError(
            f"{folder}: the images cannot be written ({error}). Free disk space there, or set TMPDIR to another folder."
        ) from error
    return paths


def _measure(
    target: Target, settings: BenchmarkSettings, paths: _Paths, watch: MachineMonitor, evaluated: ImageSets | None
) -> None:
    """Run one process for the target; with images to classify at its end, if any."""
    job = _make_job(target, settings, paths, evaluated is not None)
    try:
        # Calls are not interrupted to signal that the process is alive.
        silence_s = processes.SILENCE_S + settings.seconds
        measurement, logits = run_worker(target.launcher, job, Measurement, silence_s)
        if evaluated:
            target.logits = _check_logits(logits, len(evaluated.evaluation))
            target.input_check = _check_input(target, measurement, evaluated.validation.labels)
        _check_latencies(measurement)
        if measurement.file_sha256 != target.subject.sha256:
            raise BenchmarkError("was replaced by another file during the benchmark; run it again")
    except BenchmarkError as error:
        target.unavailable = str(error)
        watch.sample()
        return
    target.measurements.append(measurement)
    target.places.append(len(watch.samples))
    watch.sample(measurement.frequency_mhz, ours_known=not target.launcher.has_lasting_children)


def _make_job(target: Target, settings: BenchmarkSettings, paths: _Paths, is_evaluated: bool) -> Job:
    subject = target.subject
    return Job(
        bundle=str(subject.bundle) if subject.bundle else None,
        precision=subject.precision,
        peer=str(subject.peer.path) if subject.peer else None,
        peer_interface=subject.peer.interface if subject.peer else None,
        runtime=target.runtime,
        delegate=target.delegate,
        threads=target.threads,
        calls=settings.calls,
        seconds=settings.seconds,
        batches=settings.batches,
        paced_calls=settings.paced_calls if target.is_plain else 0,
        warmup_s=QUICK_WARMUP_S if settings.is_quick else WARMUP_S,
        timing_images=str(paths.timing),
        evaluation_images=str(paths.evaluation) if is_evaluated else None,
        validation_images=str(paths.validation) if is_evaluated and subject.peer else None,
    )


def _check_input(target: Target, measurement: Measurement, labels: NDArray[np.uint8]) -> InputCheck | None:
    """Check how well a peer reads under each convention; None for the bundle's own files.

    Raises:
        BenchmarkError: The process returned unusable digits.
    """
    if target.subject.peer is None:
        return None
    try:
        return check_input(target.subject.peer.interface.reads, measurement.digits_by_convention, labels)
    except ValueError as error:
        raise BenchmarkError(f"gave no valid digits for the input conventions ({error})") from error


def _check_latencies(measurement: Measurement) -> None:
    """Refuse latencies of zero, as a clock with coarse steps gives.

    Raises:
        BenchmarkError: There are no latencies, or one is not positive.
    """
    rounds = [measurement.latencies_us, measurement.bare_us, measurement.paced_us, *measurement.batches]
    if not measurement.latencies_us or any(not value > 0 for latencies in rounds for value in latencies):
        raise BenchmarkError("gave latencies of 0: its clock is too coarse")


def _check_logits(logits: NDArray[np.float32] | None, count: int) -> NDArray[np.float32]:
    """Refuse an unusable evaluation.

    Raises:
        BenchmarkError: The logits are missing, have another shape, or are not finite.
    """
    if logits is None or logits.shape != (count, NUM_CLASSES):
        raise BenchmarkError(
            f"gave {'no scores' if logits is None else f'scores of {logits.shape}'} for {count} images"
        )
    if not np.isfinite(logits).all():
        raise BenchmarkError("gave scores that are not finite")
    return logits
