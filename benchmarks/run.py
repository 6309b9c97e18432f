"""A whole benchmark run: measure all targets and put together what they found."""

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import Bundle
from ..edge.card import encode_card
from ..edge.host import describe_host
from ..edge.mnist import HeldOut
from ..edge.statistics import summarize_latencies
from .accuracy import choose_evaluation, compare, read_reference
from .results import Latency, Results, Row
from .targets import Settings, Target, measure_targets, measured


def run_benchmark(bundle: Bundle, held_out: HeldOut, settings: Settings) -> Results:
    """Measure every file of the bundle on every runtime here.

    Raises:
        ModelCardError: The bundle lacks the reference for the images at hand.
    """
    images, evaluation = choose_evaluation(bundle, held_out)
    reference = read_reference(bundle, evaluation)
    started, host_before = datetime.now(UTC), describe_host()
    targets = measure_targets(bundle, images, settings)
    floats = {target.runtime.name: logits for target, logits in measured(targets) if target.file.precision == "float32"}
    return Results(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        card_sha256=hashlib.sha256(encode_card(bundle.card)).hexdigest(),
        parameters=bundle.card.architecture.parameters,
        macs=bundle.card.architecture.macs,
        evaluated_on=images.name,
        image_count=len(images),
        held_out=evaluation.held_out,
        keras_correct=evaluation.correct,
        num_threads=settings.num_threads,
        rounds=settings.rounds,
        calls=settings.calls,
        started=started.isoformat(timespec="seconds"),
        host_before=host_before,
        host_after=describe_host(),
        rows=[_make_row(target, reference, floats, images.labels) for target in targets],
    )


def _make_row(
    target: Target,
    reference: NDArray[np.float32],
    floats: dict[str, NDArray[np.float32]],
    labels: NDArray[np.uint8],
) -> Row:
    row = Row(
        file=target.file.record.name,
        format=target.file.format,
        precision=target.file.precision,
        size_bytes=target.file.record.size_bytes,
        runtime=target.runtime.name,
        runtime_version=target.runtime.version if target.runtime.installed else None,
        unavailable=target.unavailable,
    )
    if target.unavailable is not None or target.logits is None:
        return row
    return msgspec.structs.replace(
        row,
        accuracy=compare(target.logits, reference, floats.get(target.runtime.name), labels),
        latency=_summarize(target),
        load_ms=float(np.median([one.load_ms for one in target.measurements])),
        first_ms=float(np.median([one.first_ms for one in target.measurements])),
        peak_memory_mb=float(np.median([one.peak_memory_mb for one in target.measurements])),
    )


def _summarize(target: Target) -> Latency:
    rounds = [one.latencies_us for one in target.measurements]
    pooled = np.concatenate([np.asarray(one) for one in rounds])
    return Latency(**summarize_latencies(pooled), images_per_second=1e6 / float(pooled.mean()), rounds=rounds)
