"""What is no digit is refused, by one number that every file gives nearly alike."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_mnist.edge.bundle.contract import ImageSet, Precision
from edge_mnist.edge.bundle.export_record import Abstention
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes.abstention import accepted, estimate_class_probability, score_digits
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import RUNTIMES
from edge_mnist.export.verify import ACCEPTED_SHARE, KerasReference, choose_abstention
from tests.builders.ink import Gray, on_paper, write

# Of the temperatures that are tried, neighbours are 2.5 % apart; 20,000 labels drawn at random blur the best as much.
TEMPERATURE_TOLERANCE = 0.05
# Nats, on average. Digits score 2 to 7, what is none -2 to -6: a tenth of one decides for few images.
SCORE_TOLERANCE = 0.1
# Float files compute the same sums in another order.
FLOAT_TOLERANCE = 1e-3
# Files may disagree about images that score the threshold itself, and about hardly any other.
DECISIONS_ALIKE = 0.98


def _with_images(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> KerasReference:
    pixels = np.zeros((len(labels), 28, 28, 1), np.uint8)
    images = mnist.Images("made-up", "made-up", pixels, labels.astype(np.uint8), np.arange(len(labels)))
    return KerasReference(images, logits.astype(np.float32))


# --- the two numbers ---


def test_a_score_is_the_log_odds_of_the_softmax_over_eleven() -> None:
    logits = np.array([[1, 2, 3, 0, -1, -2, 0.5, 0, 0, 4], [0] * 10, [-3] * 10], np.float32)

    scores = score_digits(logits)

    eleven = np.concatenate([logits, np.zeros((3, 1))], axis=1).astype(np.float64)
    softmax = np.exp(eleven) / np.exp(eleven).sum(axis=1, keepdims=True)
    assert scores == pytest.approx(np.log(softmax[:, :10].sum(axis=1) / softmax[:, 10]), abs=1e-5)
    assert scores[1:] == pytest.approx([np.log(10), np.log(10) - 3], abs=1e-5)


def test_what_is_added_to_all_logits_is_added_to_the_score_and_leaves_the_confidence() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 10)).astype(np.float32)

    assert score_digits(logits + 2.5) == pytest.approx(score_digits(logits) + 2.5, abs=1e-5)
    assert estimate_class_probability(logits + 2.5, 0.8) == pytest.approx(
        estimate_class_probability(logits, 0.8), abs=1e-5
    )


@pytest.mark.parametrize("level", [-1e4, -200.0, 200.0, 1e4])
def test_no_logits_overflow(level: float) -> None:
    logits = np.zeros((1, 10), np.float32)
    logits[0, 3] = level

    assert score_digits(logits) == pytest.approx([max(np.log(9), level)], rel=1e-5)
    assert estimate_class_probability(logits, 0.5) == pytest.approx([1 if level > 0 else 1 / 9], rel=1e-5)


def test_no_images_have_no_scores() -> None:
    nothing = np.empty((0, 10), np.float32)

    assert score_digits(nothing).shape == estimate_class_probability(nothing, 1.0).shape == (0,)


def test_confidence_is_the_likeliest_digits_share_at_that_temperature() -> None:
    logits = np.log(np.array([[0.55] + [0.05] * 9], np.float32))

    at_one, colder, hotter = (float(estimate_class_probability(logits, t)[0]) for t in (1.0, 0.5, 1e6))

    assert at_one == pytest.approx(0.55, abs=1e-5)
    assert colder == pytest.approx(0.55**2 / (0.55**2 + 9 * 0.05**2), abs=1e-5)
    assert hotter == pytest.approx(0.1, abs=1e-4)


def test_what_scores_the_threshold_is_accepted() -> None:
    card = Abstention(threshold=float(np.float32(np.log(10))), temperature=1.0, validation=_set(), accepted=0)

    assert accepted(np.array([[0] * 10, [-0.01] * 10], np.float32), card).tolist() == [True, False]


def _set() -> ImageSet:
    return _with_images(np.zeros((1, 10)), np.zeros(1, int)).images.describe()


# --- choosing them ---


@pytest.mark.parametrize("count", [200, 1000, 5000])
def test_the_threshold_accepts_the_promised_share_of_validation(count: int) -> None:
    random = np.random.default_rng(0)
    validation = _with_images(random.normal(0, 2, (count, 10)), random.integers(0, 10, count))

    chosen = choose_abstention(validation)

    by_hand = int((score_digits(validation.logits) >= chosen.threshold).sum())
    assert chosen.accepted == by_hand == int(accepted(validation.logits, chosen).sum())
    assert 0 <= chosen.accepted - ACCEPTED_SHARE * count <= 1
    assert chosen.validation.count == count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.2])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature: float) -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (20_000, 10))
    softmax = np.exp(logits / temperature)
    drawn = (softmax.cumsum(axis=1) / softmax.sum(axis=1, keepdims=True) < random.random((20_000, 1))).sum(axis=1)

    chosen = choose_abstention(_with_images(logits, drawn))

    assert chosen.temperature == pytest.approx(temperature, rel=TEMPERATURE_TOLERANCE)


def test_the_odds_of_a_digit_are_kept_when_the_same_weights_are_exported_again() -> None:
    random = np.random.default_rng(2)
    validation = _with_images(random.normal(0, 2, (200, 10)), random.integers(0, 10, 200))
    shipped = open_bundle(SHIPPED).export.abstention

    again = choose_abstention(validation, shipped)

    assert shipped.digit_odds is not None
    assert again.digit_odds == shipped.digit_odds
    assert again.threshold != shipped.threshold
    assert choose_abstention(validation).digit_odds is None


def test_the_shipped_thresholds_promise_was_counted() -> None:
    chosen = open_bundle(SHIPPED).export.abstention

    assert 0 <= chosen.accepted - ACCEPTED_SHARE * chosen.validation.count <= 1
    assert 0.2 <= chosen.temperature <= 5


# --- the shipped files ---


@pytest.fixture(scope="module")
def logits(sample: mnist.Images) -> dict[tuple[str, Precision], NDArray[np.float32]]:
    """Of digits, and of the same digits on their side and inverted, which are none, from every shipped file."""
    digits = sample.take(mnist.first_per_class(sample.labels, 30)).pixels
    images = np.concatenate([digits, np.rot90(digits, axes=(1, 2)), 255 - digits])
    bundle, files = (
        open_bundle(SHIPPED),
        [(runtime, p) for runtime in ("litert", "onnxruntime") for p in ("float32", "int8")],
    )
    return {key: load_classifier(bundle, RUNTIMES[key[0]], key[1]).logits(images) for key in files}


def test_float_files_of_both_formats_give_the_same_scores(logits: dict) -> None:
    tflite, onnx = (score_digits(logits[runtime, "float32"]) for runtime in ("litert", "onnxruntime"))

    assert tflite == pytest.approx(onnx, abs=FLOAT_TOLERANCE)


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_int8_scores_digits_as_float_does(logits: dict, runtime: str) -> None:
    chosen = open_bundle(SHIPPED).export.abstention
    whole, small = (logits[runtime, precision] for precision in ("float32", "int8"))

    differences = np.abs(score_digits(whole) - score_digits(small))[:300]

    assert differences.mean() < SCORE_TOLERANCE
    assert (accepted(whole, chosen) == accepted(small, chosen)).mean() >= DECISIONS_ALIKE


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_digits_are_accepted_and_inverted_ones_refused(logits: dict, precision: str) -> None:
    chosen = open_bundle(SHIPPED).export.abstention

    shown = accepted(logits["litert", precision], chosen)

    assert shown[:300].mean() > 0.97
    assert shown[600:].mean() < 0.03


# --- frames without digits ---


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


SENTENCES = (
    "Please keep this door\nclosed at night and\nring the bell twice.\nThank you very much",
    "NEVER LEAVE\nTHE KEYS HERE",
)


def _print(text: str, height: int) -> Gray:
    """In the font that Pillow brings."""
    page = Image.new("L", (20 + 14 * height, 60 + 7 * height), 225)
    ImageDraw.Draw(page).multiline_text(
        (30, 30), text, fill=40, font=ImageFont.load_default(height), spacing=height // 2
    )
    return np.asarray(page)


def _letter(text: str, font: int) -> Gray:
    """In one of OpenCV's fonts, which are drawn with a pen."""
    page = np.zeros((420, 900), np.uint8)
    for i, line in enumerate(text.split("\n")):
        cv2.putText(page, line, (30, 90 + 80 * i), font, 1.5, 255, 3, cv2.LINE_AA)
    return on_paper(page)


def _face() -> Gray:
    ink = np.zeros((480, 480), np.uint8)
    cv2.circle(ink, (240, 240), 180, 255, 6)
    for eye in (180, 300):
        cv2.circle(ink, (eye, 190), 22, 255, 6)
    cv2.line(ink, (240, 220), (230, 280), 255, 6)
    cv2.ellipse(ink, (240, 300), (80, 50), 0, 20, 160, 255, 6)
    return on_paper(ink)


def _scribbles(seed: int) -> Gray:
    random, ink = np.random.default_rng(seed), np.zeros((400, 600), np.uint8)
    for x in (150, 430):
        corners = random.uniform(-110, 110, (random.integers(12, 25), 2)) + np.array([x, 200])
        cv2.polylines(ink, [np.round(corners).astype(np.int32)], False, 255, 4, cv2.LINE_AA)
    return on_paper(ink)


def _noise(seed: int) -> Gray:
    return np.random.default_rng(seed).integers(0, 256, (480, 640), np.uint8)


def _stripes(angle: float, period: float) -> Gray:
    down, across = np.mgrid[:480, :640]
    turn = np.radians(angle)
    return (128 + 90 * np.sin(2 * np.pi * (np.cos(turn) * across + np.sin(turn) * down) / period)).astype(np.uint8)


def _chessboard() -> Gray:
    down, across = np.mgrid[:480, :640] // 40
    return ((down + across) % 2 * 160 + 40).astype(np.uint8)


HERSHEY = {name: getattr(cv2, name) for name in sorted(vars(cv2)) if name.startswith("FONT_HERSHEY")}
EMPTY: dict[str, Callable[[], Gray]] = {
    "a blank page": lambda: on_paper(np.zeros((480, 640), np.uint8)),
    "a chessboard": _chessboard,
    "a face": _face,
    "a face in chalk": lambda: 255 - _face(),
    **{f"noise {seed}": lambda seed=seed: _noise(seed) for seed in range(3)},
    **{f"scribbles {seed}": lambda seed=seed: _scribbles(seed) for seed in range(6)},
    **{f"print {i}, {px} px": lambda i=i, px=px: _print(SENTENCES[i], px) for i in range(2) for px in (24, 40, 64)},
    **{
        f"{name} {i}": lambda i=i, font=font: _letter(SENTENCES[i], font)
        for name, font in HERSHEY.items()
        for i in range(2)
    },
    **{f"stripes of {px} px at {a}": lambda px=px, a=a: _stripes(a, px) for px in (6, 12, 30, 90) for a in (0, 30, 90)},
}


@pytest.mark.parametrize("draw", EMPTY.values(), ids=list(EMPTY))
def test_a_frame_without_digits_gives_none(reader: Reader, draw: Callable[[], Gray]) -> None:
    assert reader.read(draw()).rows == ()


def test_digits_are_read_beside_scribbles(reader: Reader) -> None:
    page = on_paper(write("314159").ink)
    frame = np.full((200 + page.shape[0], 600), 220, np.uint8)
    frame[:200, :300] = cv2.resize(_scribbles(0), (300, 200), interpolation=cv2.INTER_AREA)
    frame[200:, : page.shape[1]] = page

    assert reader.read(frame).rows == ("314159",)


def test_every_digit_that_is_read_scores_the_threshold(reader: Reader) -> None:
    threshold = open_bundle(SHIPPED).export.abstention.threshold

    digits = reader.read(on_paper(write("0123456789").ink)).digits

    assert len(digits) == 10
    assert all(digit.score >= threshold for digit in digits)
