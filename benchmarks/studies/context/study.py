"""Train the network that judges a shape by its surroundings, and measure it on frames with other photographs."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ....edge.common.machine import describe_host
from ....edge.common.opencv import resize
from ....edge.common.terminal.verbosity import note
from ....edge.data.datasets import load_mnist
from ....edge.media.pictures import SUFFIXES, read_gray
from ....edge.reading.context import ContextNetwork
from ...errors import BenchmarkError
from .collect import AMBIGUOUS, Examples, ShapeReader, collect_examples
from .evidence import WITH_COMPANY, add_evidence, count_kept, fit_weights, measure_separability
from .fit import load_keras, pack_network, predict, quantize_network, run_quantized, train_network
from .frames import Sources
from .report import ContextFigures, ContextResults, ContextSettings, ExampleCounts
from .writing import FONT_SUFFIXES, Gray, Typeface, find_typefaces

# Frames to train on for each frame of the evaluation.
FRAMES_PER_EVALUATION = 5
LONGEST_SIDE = 2000
FEWEST_PHOTOGRAPHS = 2


def run_context(
    photographs: Path, fonts: Path | None, data_dir: Path | None, settings: ContextSettings
) -> tuple[bytes, ContextResults]:
    """Train on every other photograph of a folder, and evaluate on the others.

    Args:
        photographs: Folder of pictures without digits or text, in subfolders or not.
        fonts: Folder of fonts; None for the one that comes with Pillow.
        data_dir: Folder with MNIST, as for `load_mnist`.
        settings: The amount of training.

    Returns:
        The quantized network as an npz file, and the results.

    Raises:
        BenchmarkError: Keras is missing, there are too few pictures or no fonts, or too few shapes were found.
        PictureError: A picture or a font cannot be read.
        DataError: MNIST is not available.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    load_keras()
    reader, sources = ShapeReader.load(), load_sources(photographs, fonts, data_dir)
    first = settings.frames
    numbers = range(first), range(first, first + max(1, first // FRAMES_PER_EVALUATION))
    training, evaluation = (collect_examples(reader, sources[i], numbers[i], settings.seed) for i in range(2))
    note(f"Training on {len(training):,} shapes for {settings.epochs} epochs.")
    model = train_network(training, settings.epochs, settings.seed)
    network = quantize_network(model)
    packed = pack_network(network)
    return packed, ContextResults(
        edge_mnist=version("edge-mnist"),
        started=started,
        host=describe_host(),
        training=_count(sources[0], numbers[0], training),
        evaluation=_count(sources[1], numbers[1], evaluation),
        settings=settings,
        threshold=reader.threshold,
        size_bytes=len(packed),
        figures=measure_evidence(training, evaluation, model, network, reader.threshold),
    )


def load_sources(photographs: Path, fonts: Path | None, data_dir: Path | None) -> tuple[Sources, Sources]:
    """Load the material of frames for training and for evaluation; they differ in their photographs.

    Raises:
        BenchmarkError: There are too few pictures, or no fonts.
        PictureError: A picture cannot be read.
        DataError: MNIST is not available.
    """
    files, typefaces = list_photographs(photographs), list_fonts(fonts)
    digits = load_mnist(data_dir).train
    pixels = [_read_photograph(file) for file in files]
    return Sources(pixels[::2], digits, typefaces), Sources(pixels[1::2], digits, typefaces)


def _count(sources: Sources, numbers: range, examples: Examples) -> ExampleCounts:
    labelled = int((examples.labels != AMBIGUOUS).sum())
    fonts = len(sources.typefaces)
    return ExampleCounts(photographs=len(sources.photographs), fonts=fonts, frames=len(numbers), shapes=labelled)


def measure_evidence(
    training: Examples, evaluation: Examples, model: Any, network: ContextNetwork, threshold: float
) -> ContextFigures:
    """Fit the weights of the evidence on one set, and measure the networks and all evidence on the other.

    Args:
        training: The set that the network was trained on.
        evaluation: Another set.
        model: The Keras model.
        network: The same network, quantized.
        threshold: Score, in nats, from which the classifier accepts a shape.
    """
    weights = fit_weights(training, run_quantized(network, training.windows), threshold)
    by_float, by_int8 = predict(model, evaluation.windows), run_quantized(network, evaluation.windows)
    without_company, all_evidence = add_evidence(evaluation, by_int8, weights, threshold)
    evidence = {
        "score": evaluation.scores,
        "context, float": by_float,
        "context, int8": by_int8,
        "score and context": without_company,
        WITH_COMPANY: all_evidence,
    }
    accepted = evaluation.scores >= threshold
    differences = np.abs(by_float - by_int8)
    return ContextFigures(
        weights=weights,
        separability=measure_separability(evaluation, evidence, accepted),
        kept=count_kept(evaluation, all_evidence >= 0, accepted),
        int8_differs_mean=float(differences.mean()),
        int8_differs_most=float(differences.max()),
    )


def list_photographs(folder: Path) -> list[Path]:
    """List the pictures of a folder and its subfolders by name.

    Raises:
        BenchmarkError: There are fewer than two.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if len(files) < FEWEST_PHOTOGRAPHS:
        raise BenchmarkError(
            f"{folder}: expected at least {FEWEST_PHOTOGRAPHS} photographs without digits, found {len(files)}. "
            "Add some: one half is for training, the other for evaluation."
        )
    return files


def list_fonts(folder: Path | None) -> tuple[Typeface, ...]:
    """List the fonts of a folder and its subfolders; the one that comes with Pillow if there is no folder.

    Raises:
        BenchmarkError: There are none.
    """
    typefaces = find_typefaces(folder)
    if not typefaces:
        raise BenchmarkError(
            f"{folder}: expected fonts ({' or '.join(sorted(FONT_SUFFIXES))}) neither italic nor thin, found none. "
            "Name another folder, or leave out --fonts."
        )
    return typefaces


def _read_photograph(file: Path) -> Gray:
    """Read a picture in gray, with a long side of at most LONGEST_SIDE pixels."""
    pixels = read_gray(file)
    return resize(pixels, min(1.0, LONGEST_SIDE / max(pixels.shape)))
