"""What is compared: the measured files of a bundle, from its card, or of a benchmark, from its JSON."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..edge.bundle import Bundle, open_bundle
from ..edge.card import Format, Precision, encode_card
from ..edge.errors import EdgeMnistError
from ..edge.list_models import find_shipped
from ..edge.statistics import wilson_interval
from .result_files import read_results


class CompareError(EdgeMnistError):
    """Runs cannot be compared; the message says which and why."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime.

    Attributes:
        model: The bundle's name, with the run's where several have the same.
        runtime: With its version.
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        latency_us: Median at batch 1, microseconds; None where nobody timed it, or what was timed is invalid.
        latency_invalid: It was timed on a throttled processor, so its latency is not used.
        on_front: No other file is at least as good in everything and better in something.
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
        """In [0, 1]."""
        return self.correct / self.count


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What all latencies of a comparison share."""

    processor: str
    machine: str
    num_threads: int


@dataclass(frozen=True)
class Run:
    """What one argument of the command holds.

    Attributes:
        images_sha256: Of the images that `evaluated_on` names.
    """

    path: Path
    card_sha256: str
    name: str
    evaluated_on: str
    images_sha256: str
    points: tuple[Point, ...]
    timing: Timing | None = None


def read_run(path: Path) -> Run:
    """Read a bundle's folder or a benchmark's JSON.

    Raises:
        CompareError: It is neither.
    """
    if not path.exists():
        raise CompareError(
            f"{path}: there is no such thing. Expected an exported bundle, the name of one that comes along "
            f"({', '.join(shipped.name for shipped in find_shipped())}), or the JSON of a benchmark."
        )
    return _read_bundle(open_bundle(path)) if path.is_dir() else _read_results(path)


def _read_bundle(bundle: Bundle) -> Run:
    images = bundle.export.evaluations[0].images
    return Run(
        path=bundle.path,
        card_sha256=hashlib.sha256(encode_card(bundle.card)).hexdigest(),
        name=bundle.card.name,
        evaluated_on=images.name,
        images_sha256=images.sha256,
        points=tuple(
            Point(
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


def _read_results(path: Path) -> Run:
    """What a benchmark measured of our own files on the first machine, with the fewest threads and by default means."""
    results = read_results(path)
    machine, threads = results.machines[0], min((row.threads for row in results.rows), default=1)
    return Run(
        path=path,
        card_sha256=results.card_sha256,
        name=results.name,
        evaluated_on=results.evaluated_on,
        images_sha256=results.images_sha256,
        points=tuple(
            Point(
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
