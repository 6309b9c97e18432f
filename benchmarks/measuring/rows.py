"""Rows of results from the measurements of processes: paired accuracy, latencies with uncertainty, and validity."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ...edge.bundle.folder import Bundle
from ..results.schema import Latency, Row, Sample
from ..statistics.quantiles import FEWEST_PROCESSES
from ..targets.targets import Target
from .accuracy import compare_outputs
from .validity import judge_row, usual_frequency

QUANTILES = (0.9, 0.99, 0.999)


def summarize_rounds(rounds: Sequence[Sequence[float]], batch: int = 1, units_per_second: float = 1e6) -> Latency:
    """Summarize the latencies of several processes.

    Args:
        rounds: The latency of every call, one list per process; at least three processes.
        batch: Number of images in each call.
        units_per_second: Units of the latencies in a second: microseconds by default.

    Raises:
        ValueError: There are fewer than three processes, or one without calls, or with a median that is not above 0.
    """
    if len(rounds) < FEWEST_PROCESSES or not all(len(one) for one in rounds):
        raise ValueError(f"expected latencies of at least {FEWEST_PROCESSES} processes, got {[*map(len, rounds)]}.")
    medians = np.array([np.median(one) for one in rounds])
    if not (medians > 0).all():
        raise ValueError(f"expected medians above 0, got {medians}.")
    pooled = np.concatenate([np.asarray(one, np.float64) for one in rounds])
    p90, p99, p999 = (float(one) for one in np.quantile(pooled, QUANTILES))
    return Latency(
        batch=batch,
        p50=math.exp(np.log(medians).mean()),
        p90=p90,
        p99=p99,
        p999=p999,
        max=float(pooled.max()),
        images_per_second=units_per_second * batch / float(pooled.mean()),
        rounds=[list(one) for one in rounds],
    )


Place = tuple[str, str, str, int]


def make_rows(
    bundle: Bundle,
    targets: Sequence[Target],
    reference: NDArray[np.float32],
    labels: NDArray[np.uint8],
    samples: Sequence[Sample],
    batch_sizes: Sequence[int],
) -> list[Row]:
    """Make a row for each target; if a target could not be measured, its row has the reason.

    Args:
        bundle: The bundle that the targets belong to.
        targets: The measured targets.
        reference: The Keras model's logits, float32 [N, 10].
        labels: The right digits, uint8 [N].
        samples: All samples of the machine's state in the run.
        batch_sizes: Numbers of images that calls were timed with, in addition to one.
    """
    floats = {
        _place(target): target.logits
        for target in targets
        if target.subject.precision == "float32" and target.unavailable is None and target.logits is not None
    }
    rows: list[Row] = []
    for target in targets:
        row = _describe(bundle, target)
        if target.unavailable is None and target.logits is not None:
            is_peer, is_float = target.subject.peer is not None, target.subject.precision == "float32"
            base = None if is_peer or is_float else floats.get(_place(target))
            accuracy = compare_outputs(target.logits, None if is_peer else reference, base, labels)
            row = _add_latencies(
                replace(row, accuracy=accuracy, input_check=target.input_check), target, samples, batch_sizes
            )
        rows.append(row)
    return rows


def _place(target: Target) -> Place:
    """Return what a file has in common with the float32 file that it is compared with."""
    return target.subject.format, target.runtime, target.delegate, target.threads


def _describe(bundle: Bundle, target: Target) -> Row:
    subject, architecture = target.subject, bundle.card.architecture
    is_peer = subject.peer is not None
    return Row(
        file=subject.name,
        file_sha256=subject.sha256,
        format=subject.format,
        precision=subject.precision,
        size_bytes=subject.size_bytes,
        is_peer=is_peer,
        parameters=None if is_peer else architecture.parameters,
        macs=None if is_peer else architecture.macs,
        runtime=target.runtime,
        runtime_version=target.measurements[0].runtime_version if target.measurements else None,
        delegate=target.delegate,
        threads=target.threads,
        unavailable=target.unavailable,
    )


def _add_latencies(row: Row, target: Target, samples: Sequence[Sample], batch_sizes: Sequence[int]) -> Row:
    found = target.measurements
    latency = summarize_rounds([one.latencies_us for one in found])
    verdict = judge_row(latency, found, [samples[place] for place in target.places], usual_frequency(samples))
    batches = [summarize_rounds([one.batches[i] for one in found], size) for i, size in enumerate(batch_sizes)]
    energies = [one.energy_mj for one in found if one.energy_mj is not None]
    return replace(
        row,
        latency=latency,
        bare=_summarize([one.bare_us for one in found]),
        paced=_summarize([one.paced_us for one in found]),
        batches=batches,
        load_ms=[round(one.load_ms, 3) for one in found],
        first_ms=[round(one.first_ms, 3) for one in found],
        peak_memory_mb=[round(one.peak_memory_mb, 3) for one in found],
        energy_mj=float(np.median(energies)) if energies else None,
        energy_source=found[0].energy_source if energies else None,
        clock_resolution_us=found[0].clock_resolution_us,
        validity=verdict.validity,
        reasons=list(verdict.reasons),
    )


def _summarize(rounds: list[list[float]]) -> Latency | None:
    """Summarize the rounds; None if nothing was timed."""
    return summarize_rounds(rounds) if all(rounds) else None
