"""Models side by side: accuracy against latency against size, and the files that no other file beats.

Accuracy and size come from cards or benchmarks, latency only from benchmarks. Runs that were measured on other images,
or timed on another machine, are refused: their figures are not comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...edge.bundle.catalogue import CATALOGUE, Claim
from ...edge.bundle.contract import Format, Precision
from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.bundle.shipped import find_shipped
from ...edge.common.statistics import wilson_interval
from ..errors import BenchmarkError
from ..results.files import read_results


class ModelPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime.

    Attributes:
        model: The bundle's name, with the run's name if several bundles share it.
        runtime: The runtime with its version.
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        latency_us: Median at batch 1, microseconds; None if it was not timed or is invalid.
        latency_invalid: Whether it was timed on a throttled processor, so that its latency is not used.
        on_front: Whether no other file is at least as good in everything and better in something.
    """

    model: str
    file: str
    format: Format
    precision: Precision
    runtime: str
    size_bytes: int
    correct: int
    count: int
    interval: tuple[float, float]
    latency_us: float | None = None
    latency_invalid: bool = False
    on_front: bool = False

    @property
    def accuracy(self) -> float:
        """Accuracy in [0, 1]."""
        return self.correct / self.count


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions that all latencies of a comparison share."""

    processor: str
    machine: str
    num_threads: int


@dataclass(frozen=True)
class ComparedModel:
    """The content of one argument of the command.

    Attributes:
        images_sha256: SHA-256 of the images that `evaluated_on` names.
    """

    path: Path
    card_sha256: str
    name: str
    evaluated_on: str
    images_sha256: str
    points: tuple[ModelPoint, ...]
    timing: Timing | None = None


def read_model_points(path: Path) -> ComparedModel:
    """Read a bundle's folder or a benchmark's JSON.

    Raises:
        BenchmarkError: The path is neither.
    """
    if not path.exists():
        raise BenchmarkError(
            f"{path}: does not exist. Expected an exported bundle, the name of a shipped one "
            f"({', '.join(shipped.name for shipped in find_shipped())}), or the JSON of a benchmark."
        )
    return _read_bundle(open_bundle(path)) if path.is_dir() else _read_results(path)


def _read_bundle(bundle: Bundle) -> ComparedModel:
    images = bundle.export.evaluations[0].images
    return ComparedModel(
        path=bundle.path,
        card_sha256=bundle.card_sha256,
        name=bundle.card.name,
        evaluated_on=images.name,
        images_sha256=images.sha256,
        points=tuple(
            ModelPoint(
                model=bundle.card.name,
                file=file.record.name,
                format=file.format,
                precision=file.precision,
                runtime=file.verification.runtime,
                size_bytes=file.record.size_bytes,
                correct=file.verification.correct,
                count=images.count,
                interval=wilson_interval(file.verification.correct, images.count),
            )
            for file in bundle.files
        ),
    )


def _read_results(path: Path) -> ComparedModel:
    """Read our own files' figures on the first machine, with the fewest threads and default settings."""
    results = read_results(path)
    machine, threads = results.machines[0], min((row.threads for row in results.rows), default=1)
    return ComparedModel(
        path=path,
        card_sha256=results.card_sha256,
        name=results.name,
        evaluated_on=results.evaluated_on,
        images_sha256=results.images_sha256,
        points=tuple(
            ModelPoint(
                model=results.name,
                file=row.file,
                format=row.format,
                precision=row.precision,
                runtime=f"{row.runtime} {row.runtime_version}",
                size_bytes=row.size_bytes,
                correct=row.accuracy.correct,
                count=row.accuracy.count,
                interval=row.accuracy.interval,
                latency_us=row.latency.p50 if row.latency and row.validity != "invalid" else None,
                latency_invalid=row.latency is not None and row.validity == "invalid",
            )
            for row in results.rows
            if row.accuracy
            and row.precision is not None
            and row.format != "keras"
            and not row.is_peer
            and (row.machine, row.threads, row.delegate) == (0, threads, "default")
        ),
        timing=Timing(processor=machine.host.model, machine=machine.host.machine, num_threads=threads),
    )


COMPARISON_VERSION = 1


class PublishedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of a starting point's published description; not measured here."""

    name: str
    accuracy: float
    split: str
    rough: bool


class ModelComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of models.

    Attributes:
        front_of: The dimensions of the front: accuracy and size, and latency if every file has one.
        references: Published claims; empty if the images are not MNIST's.
    """

    comparison_version: int = COMPARISON_VERSION
    evaluated_on: str
    timing: Timing | None
    front_of: tuple[str, ...]
    points: list[ModelPoint]
    references: list[PublishedClaim]


def compare_models(paths: Sequence[Path]) -> ModelComparison:
    """Read bundles and results, check that they are comparable, and find the front.

    Args:
        paths: Folders of bundles, and JSON files written by `benchmark`. A file in both a bundle and its benchmark
            counts once, as measured by the benchmark.

    Raises:
        BenchmarkError: A path is not a bundle or a benchmark's JSON, or was measured under other conditions than the
            first.
        ModelCardError: A bundle is damaged, or was never exported.
    """
    runs = [read_model_points(path) for path in paths]
    _check_alike(runs)
    points = _gather(runs)
    timed = all(point.latency_us is not None for point in points)
    timings = [run.timing for run in runs if run.timing]
    evaluated_on = runs[0].evaluated_on
    return ModelComparison(
        evaluated_on=evaluated_on,
        timing=timings[0] if timings else None,
        front_of=("accuracy", "size", "latency") if timed else ("accuracy", "size"),
        points=mark_front(points, timed),
        references=list_references(evaluated_on),
    )


def mark_front(points: Sequence[ModelPoint], timed: bool) -> list[ModelPoint]:
    """Return the points, the best first, and mark those that no other point dominates as on the front."""
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


def _check_alike(runs: Sequence[ComparedModel]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.images_sha256 != first.images_sha256:
            raise BenchmarkError(
                f"accuracies on different images cannot be compared: {first.path} was measured on "
                f"{_name_images(first)}, {run.path} on {_name_images(run)}. Export or benchmark both with the "
                "same data."
            )
    timed = [run for run in runs if run.timing]
    for run in timed[1:]:
        if run.timing != timed[0].timing:
            raise BenchmarkError(
                f"latencies under different conditions cannot be compared: {_describe(timed[0])}, "
                f"{_describe(run)}. Benchmark both on one machine with the same --threads."
            )


def _name_images(run: ComparedModel) -> str:
    return f"{run.evaluated_on} (SHA-256 {run.images_sha256[:12]}…)"


def _describe(run: ComparedModel) -> str:
    timing = run.timing
    return f"{run.path} on {timing.processor} with --threads {timing.num_threads}" if timing else f"{run.path} untimed"


def _gather(runs: Sequence[ComparedModel]) -> list[ModelPoint]:
    """Collect all points; timed ones replace untimed ones of the same files, and the run's name resolves clashes."""
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
        raise BenchmarkError(
            f"{', '.join(str(run.path) for run in runs)}: no measured file in it. Run edge-mnist benchmark on the "
            "bundle first."
        )
    return points


def list_claims(evaluated_on: str) -> dict[str, Claim]:
    """List the claims of starting points by name: all are about MNIST, so there are none for other images."""
    claims = {entry.name: entry.reference for entry in CATALOGUE.values() if entry.reference}
    return claims if evaluated_on.startswith("mnist") else {}


def list_references(evaluated_on: str) -> list[PublishedClaim]:
    """List the same claims, to be drawn."""
    return [
        PublishedClaim(name=name, accuracy=claim.accuracy, split=claim.split, rough=claim.rough)
        for name, claim in list_claims(evaluated_on).items()
    ]
