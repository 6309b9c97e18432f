"""The photo benchmark: read the pictures of a folder and score the readings.

Version history of the schema:
    1  First version.
"""

import hashlib
import os
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from ...edge.bundle.contract import Precision
from ...edge.bundle.folder import open_bundle
from ...edge.common.files import read_file
from ...edge.common.machine import Host, describe_host
from ...edge.common.terminal.progress import ProgressBar
from ...edge.media.pictures import read_gray
from ...edge.reading.reader import Reader
from .labels import LABELS_NAME, MOST_BYTES, Photo, read_labels
from .scores import Score, score_image, sum_scores

SCHEMA_VERSION = 1


class ReadDigit(msgspec.Struct, frozen=True, kw_only=True):
    """A digit as read: its class, its confidence, and its box in the upright picture, (x, y, width, height)."""

    digit: int
    confidence: float
    box: tuple[int, int, int, int]


class PhotoResult(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, its label and its reading.

    Attributes:
        truth: Rows in the label.
        reading: Rows as read.
        read_ms: Milliseconds from pixels to digits, without opening the file.
    """

    file: str
    condition: str | None
    truth: tuple[str, ...]
    reading: tuple[str, ...]
    digits: tuple[ReadDigit, ...]
    score: Score
    read_ms: float


class PhotoResults(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions.

    Attributes:
        photos: Name of the folder.
        labels_sha256: SHA-256 of its labels.
        conditions: Scores by condition; empty if the labels name none.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    runtime: str
    runtime_version: str
    precision: Precision
    num_threads: int
    photos: str
    labels_sha256: str
    started: str
    host: Host
    total: Score
    conditions: dict[str, Score]
    images: tuple[PhotoResult, ...]


class PhotoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the reader: the bundle's file of a precision on a runtime, None for the first one installed."""

    bundle: Path
    runtime: str | None
    precision: Precision
    num_threads: int


def run_photos(folder: Path, settings: PhotoSettings) -> PhotoResults:
    """Read every picture that the folder's labels name.

    Raises:
        BenchmarkError: The labels cannot be used.
        PictureError: A picture cannot be read.
        ModelCardError: The bundle is damaged, or has no file of this format and precision.
        RuntimeUnavailableError: The runtime is not installed or cannot run the file.
    """
    photos, bundle = read_labels(folder), open_bundle(settings.bundle)
    reader = Reader(settings.bundle, settings.runtime, settings.precision, settings.num_threads)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with ProgressBar(photos, unit="picture") as bar:
        images = tuple(read_photo(reader, photo) for photo in bar)
    return PhotoResults(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        card_sha256=bundle.card_sha256,
        runtime=reader.runtime.name,
        runtime_version=reader.runtime.version,
        precision=settings.precision,
        num_threads=settings.num_threads,
        photos=os.fsencode(folder.resolve().name).decode(errors="backslashreplace"),
        labels_sha256=hashlib.sha256(read_file(folder / LABELS_NAME, MOST_BYTES)).hexdigest(),
        started=started,
        host=describe_host(),
        total=sum_scores(image.score for image in images),
        conditions=score_conditions(images),
        images=images,
    )


def read_photo(reader: Reader, photo: Photo) -> PhotoResult:
    """Read one picture and score it.

    Raises:
        PictureError: The picture cannot be read.
    """
    frame = read_gray(photo.path)
    started = time.perf_counter()
    reading = reader.read(frame)
    read_ms = 1000 * (time.perf_counter() - started)
    return PhotoResult(
        file=photo.name,
        condition=photo.label.condition,
        truth=photo.label.rows,
        reading=reading.rows,
        digits=tuple(
            ReadDigit(
                digit=digit.digit,
                confidence=digit.confidence,
                box=(digit.box.x, digit.box.y, digit.box.width, digit.box.height),
            )
            for digit in reading.digits
        ),
        score=score_image(photo.label.rows, reading.rows),
        read_ms=round(read_ms, 3),
    )


def score_conditions(images: tuple[PhotoResult, ...]) -> dict[str, Score]:
    """Score each condition that the labels name, in their order."""
    names = dict.fromkeys(image.condition for image in images if image.condition is not None)
    return {name: sum_scores(image.score for image in images if image.condition == name) for name in names}
