"""Explanation of a picture: what the model reads, and which parts of each digit decided it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.card import CARD_NAME
from ...edge.bundle.contract import IMAGE_SHAPE
from ...edge.bundle.folder import SOURCE_NAME, Bundle, open_bundle
from ...edge.common.terminal.formatting import format_confidence
from ...edge.media.pictures import read_gray
from ...edge.reading.alternatives import Classified, choose_reading
from ...edge.reading.finding import find_candidates
from ...edge.reading.framing import frame_digits
from ...edge.reading.judging import choose_rows, judge_shapes
from ...edge.runtimes.abstention import estimate_class_probability, score_digits
from ...edge.runtimes.keras_files import load_keras_file
from ..errors import TrainError
from .foreign_network import ExplainedNetwork, take_apart
from .gradcam import Explanation, check_backend, explain_images
from .sheet import draw_sheet

# Log odds, in nats, from which on a shape counts as a digit if no export has chosen a threshold: even odds.
UNCALIBRATED_THRESHOLD = 0.0


class ExplainedDigit(msgspec.Struct, frozen=True, kw_only=True):
    """One digit: its reading and the second likeliest, with their probabilities given that it is a digit.

    Digits have the card's class names: `0` to `9` unless the model was trained on something else.
    """

    digit: str
    confidence: float
    runner_up: str
    runner_up_confidence: float


@dataclass(frozen=True)
class AbstentionSettings:
    """The score from which on a shape counts as a digit, in nats, and the divisor of logits before the softmax."""

    threshold: float
    temperature: float


@dataclass(frozen=True)
class ExplainedPicture:
    """The digits of a picture, with their explanation.

    Attributes:
        layer: The layer of the network whose heat the sheet shows.
        sheet: The sheet of heat maps, PNG.
    """

    layer: str
    digits: list[ExplainedDigit]
    sheet: bytes


def explain_picture(image: Path, model: Path) -> ExplainedPicture:
    """Find the digits of a picture, and explain what the bundle's Keras model reads.

    Raises:
        EdgeMnistError: The picture or the model cannot be read, or there is no digit.
    """
    check_backend()
    bundle = _open(model)
    network = load_network(bundle)
    gray = read_gray(image)
    settled = _read_abstention(bundle)
    pixels = gray[None, ..., None] if gray.shape == IMAGE_SHAPE[:2] else frame_found(network, gray, settled.threshold)
    if not len(pixels):
        raise TrainError(
            f"{image}: the model finds no digit, so there is nothing to explain. Choose another picture or model."
        )
    explanation = explain_images(network.model, network.to_inputs(pixels))
    digits = describe_digits(explanation, settled.temperature, bundle.card.labels)
    sheet = draw_sheet(pixels, explanation, [format_digit(digit) for digit in digits])
    return ExplainedPicture(explanation.layer, digits, sheet)


def load_network(bundle: Bundle) -> ExplainedNetwork:
    """Load a bundle's Keras model after checking its hash, in Keras's safe mode, which runs no code hidden in the file.

    Raises:
        ModelCardError: The file is not the one that the card describes.
        EdgeMnistError: The file cannot be loaded.
        TrainError: The function at the model's end cannot be removed.
    """
    origin = str(bundle.path / SOURCE_NAME)
    return take_apart(load_keras_file(bundle.read(bundle.card.source), origin), bundle.card.convention, origin)


def frame_found(network: ExplainedNetwork, gray: NDArray[np.uint8], threshold: float) -> NDArray[np.uint8]:
    """Find a picture's digits and frame them, in reading order: uint8 [N, 28, 28, 1].

    Args:
        network: The network that decides which shapes are digits.
        gray: The picture, uint8 [height, width].
        threshold: The lowest score of a digit.
    """
    finding = find_candidates(gray)
    if not finding.shapes:
        return np.zeros((0, *IMAGE_SHAPE), np.uint8)
    images = frame_digits([finding.ink(shape) for shape in finding.shapes])
    logits: Any = keras.ops.convert_to_numpy(network.model(network.to_inputs(images), training=False))
    scores, digits = score_digits(logits).tolist(), logits.argmax(axis=1).tolist()
    sure = estimate_class_probability(logits, 1.0).tolist()
    guesses = [Classified(*fields) for fields in zip(finding.shapes, digits, scores, sure, strict=True)]
    guesses = judge_shapes(finding, guesses, threshold)
    places = {id(shape): place for place, shape in enumerate(finding.shapes)}
    rows = choose_rows(choose_reading(guesses, [], [], threshold), threshold)
    return images[[places[id(guess.shape)] for row in rows for guess in row]]


def describe_digits(explanation: Explanation, temperature: float, labels: Sequence[str]) -> list[ExplainedDigit]:
    """Describe the two likeliest digits of each image, with their probabilities given that there is a digit.

    Args:
        explanation: The explanation with the logits.
        temperature: Divisor of the logits.
        labels: The names of the ten classes.
    """
    scaled = explanation.logits / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1)
    return [
        ExplainedDigit(
            digit=labels[int(first)],
            confidence=round(float(share[first]), 4),
            runner_up=labels[int(second)],
            runner_up_confidence=round(float(share[second]), 4),
        )
        for share, (first, second) in zip(shares, order[:, :2], strict=True)
    ]


def format_digit(digit: ExplainedDigit) -> str:
    """Format a digit as `7: 99.2 %, then 1: 0.5 %`."""
    first, second = format_confidence(digit.confidence), format_confidence(digit.runner_up_confidence)
    return f"{digit.digit}: {first}, then {digit.runner_up}: {second}"


def _read_abstention(bundle: Bundle) -> AbstentionSettings:
    """Return the numbers that the export chose, or neutral ones without an export."""
    export = bundle.card.export
    return (
        AbstentionSettings(export.abstention.threshold, export.abstention.temperature)
        if export
        else AbstentionSettings(UNCALIBRATED_THRESHOLD, 1.0)
    )


def _open(path: Path) -> Bundle:
    if (path / CARD_NAME).is_file() and not (path / SOURCE_NAME).is_file():
        raise TrainError(
            f"{path}: has no {SOURCE_NAME}, and exported files have no gradients. Copy it from the bundle as "
            "it was trained, or train the model again."
        )
    return open_bundle(path)
