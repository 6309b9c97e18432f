"""Models side by side: accuracy against latency against size, and which of them nothing else beats.

Accuracy and size come from cards or benchmarks, latency from benchmarks alone. Runs that were measured on other images,
or timed on another machine, are refused: their figures do not compare.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..edge.catalogue import CATALOGUE, Claim
from .compare_runs import CompareError, Point, Run, Timing, read_run

COMPARISON_VERSION = 1


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the published description of a starting point claims; not measured here."""

    name: str
    accuracy: float
    split: str
    rough: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that is compared.

    Attributes:
        front_of: What the front is of: always accuracy and size, and latency where every file has one.
        references: Empty where the images are not MNIST's.
    """

    comparison_version: int = COMPARISON_VERSION
    evaluated_on: str
    timing: Timing | None
    front_of: tuple[str, ...]
    points: list[Point]
    references: list[Reference]


def compare(paths: Sequence[Path]) -> Comparison:
    """Read bundles and results, check that they compare, and find the front.

    Args:
        paths: Folders of bundles, and JSON files that `benchmark` wrote. A file that both a bundle and its benchmark
            have counts once, as the benchmark measured it.

    Raises:
        CompareError: Not a bundle or a benchmark's JSON, or measured under other conditions than the first one.
        ModelCardError: A bundle that does not hold, or was never exported.
    """
    runs = [read_run(path) for path in paths]
    _check_alike(runs)
    points = _gather(runs)
    timed = all(point.latency_us is not None for point in points)
    timings = [run.timing for run in runs if run.timing]
    evaluated_on = runs[0].evaluated_on
    return Comparison(
        evaluated_on=evaluated_on,
        timing=timings[0] if timings else None,
        front_of=("accuracy", "size", "latency") if timed else ("accuracy", "size"),
        points=mark_front(points, timed),
        references=list_references(evaluated_on),
    )


def mark_front(points: Sequence[Point], timed: bool) -> list[Point]:
    """The points, the best first, those that no other one dominates marked as on the front."""
    costs = [(-one.accuracy, one.size_bytes, (one.latency_us or 0.0) if timed else 0.0) for one in points]

    def is_dominated(mine: tuple[float, ...]) -> bool:
        return any(
            theirs != mine and all(one <= other for one, other in zip(theirs, mine, strict=True)) for theirs in costs
        )

    marked = [
        msgspec.structs.replace(point, on_front=not is_dominated(mine))
        for point, mine in zip(points, costs, strict=True)
    ]
    return sorted(marked, key=lambda point: (-point.accuracy, point.size_bytes, point.latency_us or 0))


def _check_alike(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.images_sha256 != first.images_sha256:
            raise CompareError(
                f"accuracies on different images do not compare: {first.path} was measured on {_name_images(first)}, "
                f"{run.path} on {_name_images(run)}. Export or benchmark both with the same data."
            )
    timed = [run for run in runs if run.timing]
    for run in timed[1:]:
        if run.timing != timed[0].timing:
            raise CompareError(
                f"latencies under different conditions do not compare: {_describe(timed[0])}, {_describe(run)}. "
                "Benchmark both on one machine with the same --threads."
            )


def _name_images(run: Run) -> str:
    return f"{run.evaluated_on} (SHA-256 {run.images_sha256[:12]}…)"


def _describe(run: Run) -> str:
    timing = run.timing
    return f"{run.path} on {timing.processor} with --threads {timing.num_threads}" if timing else f"{run.path} untimed"


def _gather(runs: Sequence[Run]) -> list[Point]:
    """All points, those that were timed instead of the same files untimed; names that clash with the run's added."""
    timed = {(run.card_sha256, point.file) for run in runs for point in run.points if run.timing}
    owners: dict[str, set[str]] = {}
    for run in runs:
        owners.setdefault(run.name, set()).add(run.card_sha256)
    points = [
        msgspec.structs.replace(point, model=f"{run.name} ({run.path.stem})" if len(owners[run.name]) > 1 else run.name)
        for run in runs
        for point in run.points
        if run.timing or (run.card_sha256, point.file) not in timed
    ]
    if not points:
        raise CompareError(f"{', '.join(str(run.path) for run in runs)}: no file there was measured.")
    return points


def list_claims(evaluated_on: str) -> dict[str, Claim]:
    """By its name, the claim of each starting point that is compared with: all are of MNIST, and of no other images."""
    claims = {entry.name: entry.reference for entry in CATALOGUE.values() if entry.reference}
    return claims if evaluated_on.startswith("mnist") else {}


def list_references(evaluated_on: str) -> list[Reference]:
    """The same, to be drawn."""
    return [
        Reference(name=name, accuracy=claim.accuracy, split=claim.split, rough=claim.rough)
        for name, claim in list_claims(evaluated_on).items()
    ]
