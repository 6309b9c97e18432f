"""The networks of the zoo side by side: accuracies from their bundles' cards, and int8 latencies, measured in turns.

Accuracies were measured when the bundles were exported, each file in its own process, image by image beside the Keras
model. Latencies are measured here, in turns with peers, so that a slow second affects all alike.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.catalogue import CATALOGUE
from ....edge.bundle.contract import Format, Precision
from ....edge.bundle.export_record import ModelFile
from ....edge.bundle.folder import Bundle, open_bundle
from ....edge.bundle.training_record import Training
from ....edge.common.machine import describe_host
from ....edge.common.terminal.progress import ProgressBar
from ....edge.data.held_out import held_out_images
from ....edge.data.images import Images
from ....edge.runtimes.loading import load_classifier
from ....edge.runtimes.registry import choose_runtime
from ...errors import BenchmarkError
from ...results.peer_inputs import check_input, choose_images, read_by_each
from ...targets.peers import LoadedPeer, Peer, load_peer
from ..reading.side_by_side import ratio_interval
from .zoo_results import Ratio, Timed, Zoo, ZooFile, ZooModel, ZooPeer, ZooSettings

RUNTIME = "litert"
FORMATS: tuple[Format, ...] = ("tflite", "onnx")
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
# Images in one turn, one after the other, so that caches are warm for all but the first.
TURN_IMAGES = 100


def run_zoo(
    paths: Sequence[Path], peers: Sequence[Peer], data_dir: Path | None = None, settings: ZooSettings | None = None
) -> Zoo:
    """Read the cards, and time all int8 TFLite files and peers in turns, on one thread.

    Args:
        paths: Folders of exported bundles, trained by this project.
        peers: Other projects' `.tflite` files.
        data_dir: The folder with MNIST; see `load_mnist`.
        settings: The amount of timing.

    Raises:
        ModelCardError: A bundle is damaged, was never exported, or lacks one of the four files.
        BenchmarkError: A bundle was not trained here, or measured on other images than the first; a peer is not TFLite.
        DataError: There are no images.
        RuntimeUnavailableError: LiteRT is not installed or cannot run a file.
    """
    settings = settings or ZooSettings()
    _check_peers(peers)
    bundles = [open_bundle(path) for path in paths]
    evaluated_on, count = _check_alike(bundles)
    images = _find_images(bundles[0], evaluated_on, data_dir)
    runtime, started, host_before = choose_runtime(RUNTIME), datetime.now(UTC), describe_host()
    ours = [load_classifier(bundle, runtime, "int8") for bundle in bundles]
    theirs = [load_peer(peer.path, peer.interface, RUNTIME, "default", 1) for peer in peers]
    for peer, loaded in zip(peers, theirs, strict=True):
        if loaded.sha256 != peer.sha256:
            raise BenchmarkError(f"{peer.path}: was replaced by another file while it was loaded. Run again.")
    times_us = time_in_turns([one.raw_call() for one in (*ours, *theirs)], images, settings)
    own, others = times_us[: len(ours)], times_us[len(ours) :]
    named = [(peer.path.name, times) for peer, times in zip(peers, others, strict=True)]
    models = [_describe(bundle, times, named) for bundle, times in zip(bundles, own, strict=True)]
    return Zoo(
        edge_mnist=version("edge-mnist"),
        runtime=f"{runtime.name} {runtime.version}",
        started=started.isoformat(timespec="seconds"),
        settings=settings,
        host_before=host_before,
        host_after=describe_host(),
        evaluated_on=evaluated_on,
        count=count,
        models=sorted(models, key=_in_order_of_the_catalogue),
        peers=[_describe_peer(*one, images) for one in zip(peers, theirs, others, strict=True)],
    )


def time_in_turns(
    calls: Sequence[Callable[[NDArray[np.uint8]], object]], images: Images, settings: ZooSettings
) -> NDArray[np.float64]:
    """Time each call on `TURN_IMAGES` images in each of its turns, in random order of turns.

    Returns:
        Microseconds per image, float64 [calls, rounds, turns].
    """
    # Copied, since runtimes need contiguous inputs.
    pixels = [images.pixels[i : i + 1].copy() for i in range(min(TURN_IMAGES, len(images)))]
    times_us = np.empty((len(calls), settings.rounds, settings.turns))
    random = np.random.default_rng(settings.seed)
    # The first round warms up and is not kept.
    for round_ in ProgressBar(range(-1, settings.rounds), "time", unit="round"):
        for turn in range(settings.turns):
            for i in random.permutation(len(calls)).tolist():
                times_us[i, max(round_, 0), turn] = _time_turn(calls[i], pixels)
    return times_us


def _time_turn(call: Callable[[NDArray[np.uint8]], object], pixels: list[NDArray[np.uint8]]) -> float:
    """Time a turn, in microseconds per image; the first one finds cold caches, and is not counted."""
    call(pixels[0])
    started = time.perf_counter()
    for image in pixels:
        call(image)
    return 1e6 * (time.perf_counter() - started) / len(pixels)


def _check_peers(peers: Sequence[Peer]) -> None:
    for peer in peers:
        if peer.format != "tflite":
            raise BenchmarkError(
                f"{peer.path}: expected a .tflite file, because the zoo is timed in LiteRT. For .onnx files, "
                "use edge-mnist benchmark --peer."
            )


def _check_alike(bundles: Sequence[Bundle]) -> tuple[str, int]:
    """Return the images that all bundles were measured on, and their number; check for all other requirements."""
    first = bundles[0].export.evaluations[0].images
    for bundle in bundles:
        _training(bundle)
        for format_, precision in product(FORMATS, PRECISIONS):
            bundle.file(format_, precision)
        images = bundle.export.evaluations[0].images
        if images != first:
            raise BenchmarkError(
                f"accuracies on different images cannot be compared: {bundles[0].path} was measured on "
                f"{first.name}, {bundle.path} on {images.name}. Export both with the same data."
            )
    return first.name, first.count


def _find_images(bundle: Bundle, name: str, data_dir: Path | None) -> Images:
    images = held_out_images(_training(bundle).dataset, data_dir).evaluations[0]
    if images.name != name:
        raise BenchmarkError(
            f"expected the images that the bundles were measured on, {name}, but only {images.name} is "
            "available. Name the folder of MNIST with --data-dir, or export the bundles again."
        )
    return images


def _training(bundle: Bundle) -> Training:
    if bundle.card.training is None:
        raise BenchmarkError(
            f"{bundle.path}: its card does not describe its training. Expected a bundle trained by edge-mnist."
        )
    return bundle.card.training


def _in_order_of_the_catalogue(model: ZooModel) -> tuple[int, bool, str]:
    order = list(CATALOGUE)
    place = order.index(model.network) if model.network in order else len(order)
    return place, model.recipe_of == "description", model.bundle


def _describe(bundle: Bundle, times_us: NDArray[np.float64], others: list[tuple[str, NDArray[np.float64]]]) -> ZooModel:
    card, training = bundle.card, _training(bundle)
    best = training.history[training.best_epoch - 1]
    return ZooModel(
        bundle=bundle.path.resolve().name,
        card_sha256=bundle.card_sha256,
        network=card.architecture.name,
        recipe_of=training.recipe_of,
        command=training.command,
        device=training.device,
        seed=training.seed,
        epochs=len(training.history),
        best_epoch=training.best_epoch,
        parameters=card.architecture.parameters,
        macs=card.architecture.macs,
        validation=best.validation_accuracy,
        validation_count=training.validation.count,
        keras_correct=bundle.export.evaluations[0].correct,
        files=[_describe_file(bundle.file(format_, one)) for one in PRECISIONS for format_ in FORMATS],
        timed=_summarize(times_us),
        ratios=[
            Ratio(
                to=name,
                ratio=float(np.median(times_us) / np.median(other)),
                interval=ratio_interval(times_us, other, seed=1),
            )
            for name, other in others
        ],
    )


def _describe_peer(peer: Peer, loaded: LoadedPeer, times_us: NDArray[np.float64], images: Images) -> ZooPeer:
    some, stated = choose_images(images), peer.interface.reads
    return ZooPeer(
        name=peer.path.name,
        sha256=peer.sha256,
        size_bytes=peer.size_bytes,
        correct=int((loaded.logits(images.pixels).argmax(axis=1) == images.labels).sum()),
        timed=_summarize(times_us),
        input_check=check_input(stated, read_by_each(loaded.reading, stated, some.pixels), some.labels),
    )


def _describe_file(file: ModelFile) -> ZooFile:
    return ZooFile(
        name=file.record.name,
        format=file.format,
        precision=file.precision,
        runtime=file.verification.runtime,
        size_bytes=file.record.size_bytes,
        correct=file.verification.correct,
        validation_correct=file.quantization.chosen.correct if file.quantization else None,
    )


def _summarize(times_us: NDArray[np.float64]) -> Timed:
    return Timed(p50_us=float(np.median(times_us)), rounds=times_us.round(2).tolist())
