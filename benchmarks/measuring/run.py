"""A whole benchmark run: measure all targets and assemble the results."""

import platform
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.bundle.shipped import SHIPPED
from ...edge.common.machine import Host, describe_host
from ...edge.data.held_out import HeldOut, held_out_images
from ..results.peer_inputs import choose_images
from ..results.schema import HERE, BenchmarkSettings, MachineRun, Results, Row
from ..targets.old_runtime import find_old_runtime, launch_old_runtime
from ..targets.peers import Peer
from ..targets.targets import list_targets
from .accuracy import choose_evaluation, read_reference
from .machine_state import MachineMonitor, list_affinity
from .rounds import ImageSets, StageTimingRun, measure_all
from .rows import make_rows
from .settings import choose_settings
from .stage_times import list_jobs, make_budget
from .timing import measure_timer_overhead_us
from .validity import judge_machine

# Packages, in addition to the runtimes, whose versions latencies may depend on.
PACKAGES = ("numpy", "opencv-python-headless")


def benchmark(
    bundle: Path | str | Bundle = SHIPPED,
    *,
    quick: bool = False,
    runtimes: Sequence[str] = (),
    threads: Sequence[int] = (),
    batches: Sequence[int] = (),
    rounds: int | None = None,
    data_dir: Path | str | None = None,
) -> Results:
    """Measure accuracy and latency of every file of a bundle on this machine, as `edge-mnist benchmark` does.

    Each row is measured in fresh processes; a full run takes minutes, a quick one less than a minute.

    Args:
        bundle: A bundle's folder, the name of a shipped one, or an open bundle.
        quick: Whether to measure fewer calls and processes.
        runtimes: Names of the runtimes to measure on; empty for all, see `edge-mnist benchmark --list-targets`.
        threads: Numbers of threads of one inference; 0 is all processors. Empty for 1 and 0, if quick for 1.
        batches: Numbers of images per call, at least 2, to time as well. Empty for 8 and 32, if quick for none.
        rounds: Fresh processes per row, at least 3; None for 5, if quick for 4.
        data_dir: Folder with the four MNIST files; None for $EDGE_MNIST_DATA, the cache and the mirrors. Without them,
            the 5,000 images of the package are used.

    Returns:
        The results that `edge-mnist benchmark --json` prints: a row for each file on each runtime, with its accuracy,
        and latencies in microseconds.

    Raises:
        ArgumentError: An argument is outside its range.
        ModelCardError: The bundle is not valid, or lacks the reference for the available images.
    """
    opened = open_bundle(bundle)
    settings = choose_settings(quick, runtimes=[*runtimes], threads=[*threads], batches=[*batches], rounds=rounds)
    training = opened.card.training
    held_out = held_out_images(training.dataset if training else None, Path(data_dir) if data_dir else None)
    return run_benchmark(opened, held_out, settings)


def run_benchmark(
    bundle: Bundle, held_out: HeldOut, settings: BenchmarkSettings, peers: Sequence[Peer] = ()
) -> Results:
    """Measure every file of the bundle, and peers, on every available runtime.

    Raises:
        ModelCardError: The bundle lacks the reference for the available images.
    """
    images, evaluation = choose_evaluation(bundle, held_out)
    reference = read_reference(bundle, evaluation)
    started, began, watch, host = datetime.now(UTC), time.monotonic(), MachineMonitor(), describe_host()
    timer_overhead_us = measure_timer_overhead_us()
    with ExitStack() as stack:
        python = find_old_runtime()
        old = stack.enter_context(launch_old_runtime(python)) if python else None
        targets = list_targets(bundle, peers, settings, old)
        readings = [StageTimingRun(job, []) for job in list_jobs(bundle, settings.is_quick)]
        measure_all(targets, readings, ImageSets(images, choose_images(held_out.validation)), settings, watch)
    rows = make_rows(bundle, targets, reference, images.labels, watch.samples, settings.batches)
    budgets = [make_budget(bundle, reading.job, reading.parts) for reading in readings]
    return Results(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        card_sha256=bundle.card_sha256,
        parameters=bundle.card.architecture.parameters,
        macs=bundle.card.architecture.macs,
        evaluated_on=images.name,
        images_sha256=images.sha256,
        image_count=len(images),
        held_out=evaluation.held_out,
        keras_correct=evaluation.correct,
        settings=settings,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 1),
        machines=[_describe_machine(host, watch, timer_overhead_us, rows)],
        rows=rows,
        budgets=[budget for budget in budgets if budget],
    )


def _describe_machine(host: Host, watch: MachineMonitor, timer_overhead_us: float, rows: Sequence[Row]) -> MachineRun:
    """Describe this machine, its state while it measured, and whether its latencies can be trusted."""
    verdict = judge_machine(watch.samples, [row.validity for row in rows if row.latency])
    return MachineRun(
        name=HERE,
        host=host,
        affinity=list_affinity(),
        versions=_list_versions(rows),
        timer_overhead_us=timer_overhead_us,
        samples=watch.samples,
        validity=verdict.validity,
        reasons=list(verdict.reasons),
    )


def _list_versions(rows: Iterable[Row]) -> dict[str, str]:
    """List the versions of Python, of packages, and of every runtime that ran."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            # Some systems provide it under another name.
            continue
    return versions | {row.runtime: row.runtime_version for row in rows if row.runtime_version}
