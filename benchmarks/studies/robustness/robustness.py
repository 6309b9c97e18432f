"""The accuracy of float32 and int8 on corrupted digits, and the share of errors that are accepted as digits.

Every corruption and severity is made once, and all files read the same images, so that they are compared in pairs. The
model is measured without the reader, which would remove paper and frame the shapes.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.contract import NUM_CLASSES, Precision
from ....edge.bundle.folder import Bundle
from ....edge.common.machine import describe_host
from ....edge.common.terminal.progress import ProgressBar
from ....edge.data.held_out import HeldOut
from ....edge.data.images import Images
from ....edge.runtimes.abstention import accepted
from ....edge.runtimes.classifiers import LoadedModel
from ....edge.runtimes.loading import load_classifier
from ....edge.runtimes.registry import choose_runtime
from ...errors import BenchmarkError
from .corruptions import CORRUPTIONS, SEVERITIES, corrupt
from .results import CorruptionRecord, Robustness, RobustnessSettings
from .scores import Outcomes, compare_files

PRECISIONS: tuple[Precision, Precision] = ("float32", "int8")


def run_robustness(bundle: Bundle, held_out: HeldOut, settings: RobustnessSettings | None = None) -> Robustness:
    """Corrupt evaluation images in all ways and read them with both files, on each runtime.

    Args:
        bundle: A bundle with a float32 and an int8 file.
        held_out: Evaluation sets, of which the first is used.
        settings: The number of images, and the runtimes.

    Raises:
        ModelCardError: The bundle lacks one of the files, or is damaged.
        RuntimeUnavailableError: A runtime is not installed or cannot run a file.
        BenchmarkError: There are too few images.
    """
    settings = settings or RobustnessSettings()
    runtimes = [choose_runtime(name) for name in settings.runtimes or (None,)]
    images = choose_images(held_out.evaluations[0], settings.count)
    classifiers = [load_classifier(bundle, runtime, precision) for runtime in runtimes for precision in PRECISIONS]
    started, start = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    distances, outcomes = _read_all(images, classifiers, bundle, settings.seed)
    return Robustness(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        card_sha256=bundle.card_sha256,
        threshold=bundle.export.abstention.threshold,
        settings=settings,
        images=images.describe(),
        held_out=held_out.certain,
        started=started,
        seconds=round(time.perf_counter() - start, 1),
        host=describe_host(),
        corruptions=tuple(_describe(distances)),
        runtimes=tuple(
            compare_files(runtime, outcomes[2 * i], outcomes[2 * i + 1], settings.seed)
            for i, runtime in enumerate(runtimes)
        ),
    )


def choose_images(images: Images, count: int | None) -> Images:
    """Choose equally many images of each digit, spread over the set: MNIST's test images have two groups of writers.

    Args:
        images: Images to choose from.
        count: Number of images, a multiple of ten; None for all.

    Raises:
        BenchmarkError: `count` is not a multiple of ten, or there are fewer images of a digit.
    """
    if count is None:
        return images
    most = NUM_CLASSES * int(np.bincount(images.labels, minlength=NUM_CLASSES).min())
    if count % NUM_CLASSES or not 0 < count <= most:
        raise BenchmarkError(
            f"expected --count to be a multiple of {NUM_CLASSES} (equally many of each digit) and at most "
            f"{most}, got {count}. For all {len(images)} images of {images.name}: --all."
        )
    each = count // NUM_CLASSES
    places = [np.flatnonzero(images.labels == digit) for digit in range(NUM_CLASSES)]
    chosen = np.sort(np.concatenate([place[np.arange(each) * len(place) // each] for place in places]))
    return images.take(chosen, images.name if len(chosen) == len(images) else f"{images.name}, {each} of each digit")


def draw_contact_sheet(images: Images, seed: int) -> NDArray[np.uint8]:
    """Draw a digit for each corruption: the original and its five severities, uint8 [15, 6, 28, 28]."""
    rows = []
    for i, name in enumerate(CORRUPTIONS):
        image = images.pixels[[np.flatnonzero(images.labels == i % NUM_CLASSES)[0]]]
        rows.append(np.concatenate([image, *(corrupt(image, name, severity, seed) for severity in SEVERITIES)]))
    return np.stack(rows)[..., 0]


def _cells() -> Iterator[tuple[str, int]]:
    return ((name, severity) for name in CORRUPTIONS for severity in SEVERITIES)


def _read_all(
    images: Images, classifiers: Sequence[LoadedModel], bundle: Bundle, seed: int
) -> tuple[list[float], list[Outcomes]]:
    """Return the distances of all cells but the clean one, and each classifier's outcomes on all cells."""
    distances: list[float] = []
    logits: list[list[NDArray[np.float32]]] = [[] for _ in classifiers]
    with ProgressBar(total=(1 + len(list(_cells()))) * len(classifiers), unit="set") as bar:
        for name, severity in (("", 0), *_cells()):
            bar.set_description(f"{name} {severity}" if name else "no corruption")
            pixels = corrupt(images.pixels, name, severity, seed) if name else images.pixels
            if name:
                distances.append(measure_distance(images.pixels, pixels))
            for classifier, answers in zip(classifiers, logits, strict=True):
                answers.append(classifier.logits(pixels))
                bar.update()
    abstention = bundle.export.abstention
    return distances, [
        Outcomes(
            right=np.stack([one.argmax(axis=1) == images.labels for one in answers]),
            accepted=np.stack([accepted(one, abstention) for one in answers]),
        )
        for answers in logits
    ]


def measure_distance(originals: NDArray[np.uint8], corrupted: NDArray[np.uint8]) -> float:
    """Measure the root mean square over an image's pixels, mean over images [N, 28, 28, 1], in gray levels."""
    difference = corrupted.astype(np.float32) - originals
    return float(np.sqrt((difference**2).mean(axis=(1, 2, 3))).mean())


def _describe(distances: Sequence[float]) -> Iterator[CorruptionRecord]:
    for i, corruption in enumerate(CORRUPTIONS.values()):
        of_severities = distances[i * len(SEVERITIES) : (i + 1) * len(SEVERITIES)]
        yield CorruptionRecord(
            name=corruption.name,
            meaning=corruption.meaning,
            parameters=corruption.parameters,
            published=corruption.published,
            distances=tuple(round(distance, 2) for distance in of_severities),
        )
