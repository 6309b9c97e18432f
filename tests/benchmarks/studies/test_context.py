"""The context network: frames with a known truth, labels of what the reader finds there, training and its command."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.statistics.logistic import fit_logistic
from edge_mnist.benchmarks.studies.context import fit
from edge_mnist.benchmarks.studies.context.collect import (
    AMBIGUOUS,
    DIGIT,
    NO_DIGIT,
    Examples,
    ShapeReader,
    collect_examples,
    label_shapes,
    read_frame,
)
from edge_mnist.benchmarks.studies.context.evidence import (
    EvidenceWeights,
    add_evidence,
    fit_weights,
    limit_scores,
    measure_company,
)
from edge_mnist.benchmarks.studies.context.fit import (
    build_network,
    pack_network,
    predict,
    quantize_network,
    run_quantized,
    train_network,
    weigh_examples,
)
from edge_mnist.benchmarks.studies.context.frames import KINDS, ComposedFrame, Sources, compose_frame
from edge_mnist.benchmarks.studies.context.sheet import UNSURE, DigitBox, LinePen, Sheet
from edge_mnist.benchmarks.studies.context.writing import Typeface, draw_mnist, find_typefaces
from edge_mnist.edge.data.held_out import Images
from edge_mnist.edge.reading.context import SIDE
from edge_mnist.edge.reading.finding import Candidates
from edge_mnist.edge.reading.ink.paper import Levels
from edge_mnist.edge.reading.ink.shapes import Box, Shape
from tests.builders.context import draw_photograph, load_network, random_windows
from tests.builders.ink import Gray, draw_digit, on_paper

# Nats by which the quantized network may differ from the float one, at most and on average.
MOST_LOSS, MEAN_LOSS = 0.1, 0.02


@pytest.fixture(scope="module")
def sources(sample: Images) -> Sources:
    return Sources([draw_photograph(seed) for seed in range(2)], sample, (Typeface(),))


@pytest.fixture(scope="module")
def reader() -> ShapeReader:
    return ShapeReader.load()


# --- frames ---


def test_frames_are_of_every_kind_and_the_same_each_time(sources: Sources) -> None:
    frames = [compose_frame(sources, np.random.default_rng(number)) for number in range(25)]
    again = compose_frame(sources, np.random.default_rng(7))

    assert {frame.kind for frame in frames} == set(KINDS)
    assert np.array_equal(frames[7].pixels, again.pixels)
    assert frames[7].boxes == again.boxes
    assert all(not frame.boxes for frame in frames if frame.kind in {"photograph", "text"})
    assert sum(len(frame.boxes) for frame in frames) > 100


def test_boxes_of_the_truth_lie_on_ink(sources: Sources) -> None:
    """Ink differs from the paper's level within the box, as the median of a wider box shows it."""
    contrasts = []
    for number in range(16):
        frame = compose_frame(sources, np.random.default_rng((1, number)))
        height, width = frame.pixels.shape
        for box in frame.boxes:
            if box.digit == UNSURE or min(box.left, box.top, width - box.right, height - box.bottom) < 0:
                continue
            inside = frame.pixels[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1].astype(int)
            middle = np.median(_around(frame.pixels, box))
            contrasts.append(np.abs(inside - middle).max())

    assert len(contrasts) > 100
    assert np.mean(np.array(contrasts) > 25) > 0.95


def _around(pixels: Gray, box: DigitBox) -> Gray:
    across, down = (box.right - box.left) / 2, (box.bottom - box.top) / 2
    rows = slice(max(0, int(box.top - down)), int(box.bottom + down))
    return pixels[rows, max(0, int(box.left - across)) : int(box.right + across)]


def test_a_mark_over_the_edge_is_unsure_and_its_box_stays_on_the_sheet() -> None:
    sheet, mark = Sheet(100, 120), np.full((40, 20), 255, np.uint8)

    for x, y in ((50, 30), (-10, 30), (110, 80), (200, 30)):
        sheet.put(mark, x, y, digit=3)
    sheet.put(mark, 80, 30)

    assert sheet.boxes == [
        DigitBox(50, 30, 70, 70, 3), DigitBox(0, 30, 10, 70, UNSURE), DigitBox(110, 80, 120, 100, UNSURE)
    ]  # fmt: skip
    assert np.count_nonzero(sheet.ink) == 40 * 20 * 2 + 10 * 40 + 10 * 20


def test_a_line_is_on_the_sheet_where_it_is_drawn() -> None:
    sheet = Sheet(60, 80)

    LinePen(3, 0.5, 0.0).draw(sheet, (-20, 30), (100, 30), np.random.default_rng(0))

    assert sheet.ink[29:32].min() == pytest.approx(0.5, abs=0.01)
    assert not sheet.ink[:27].any()
    assert not sheet.ink[34:].any()


@pytest.mark.parametrize("height", [18, 60, 200])
def test_digits_of_mnist_have_the_height_that_was_asked_for(sample: Images, height: int) -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        ink, digit = draw_mnist(sample, height, random)
        rows = np.flatnonzero((ink > 127).any(axis=1))

        assert 0 <= digit <= 9
        assert rows[-1] - rows[0] + 1 == pytest.approx(height, rel=0.15, abs=3)


def test_thin_italic_and_segmented_fonts_are_left_out(tmp_path: Path) -> None:
    for name in ("a/Plain.ttf", "Plain-Italic.ttf", "b/DSEG7.ttf", "c.otf", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [font.path and font.path.name for font in find_typefaces(tmp_path)] == ["Plain.ttf", "c.otf"]
    assert find_typefaces(None) == (Typeface(),)


# --- labels ---


def _compose_small() -> ComposedFrame:
    """Two digits, a word of which one letter looks like a digit, and a line, on plain paper."""
    word = Typeface().draw("hollow", 56)
    assert word is not None
    sheet = Sheet(360, 480)
    for digit, x in (("4", 60), ("7", 160)):
        sheet.put(draw_digit(digit, 60), x, 60, digit=int(digit))
    sheet.put(word, 60, 180)
    LinePen(4, 1.0, 0.0).draw(sheet, (400, 60), (400, 150), np.random.default_rng(0))
    pixels = on_paper(np.round(255 * sheet.ink).astype(np.uint8))
    return ComposedFrame(pixels, "page", tuple(sheet.boxes))


def test_digits_letters_and_lines_get_their_labels(reader: ShapeReader) -> None:
    frame = _compose_small()

    examples = read_frame(reader, frame, 5, np.random.default_rng(0))

    assert examples is not None
    found = examples.take(~examples.parts)
    # Shapes are at working size, whose long side is 320 pixels.
    left = found.boxes[:, 0] * frame.pixels.shape[1] / 320
    assert sorted(left[found.labels == DIGIT].tolist()) == pytest.approx([60, 160], abs=3)
    assert sorted(found.digits[found.labels == DIGIT].tolist()) == [4, 7]
    letters = left[(found.labels == NO_DIGIT) & (left < 300)]
    assert len(letters) == len("hollow")
    assert len(left[(found.labels == NO_DIGIT) & (left > 380)]) == 1, "the line"
    assert (examples.labels[examples.parts] == NO_DIGIT).all(), "no part of a letter is a digit"
    assert examples.windows.shape == (len(examples), SIDE, SIDE, 2)
    assert set(examples.frames) == {5}
    assert set(examples.kinds) == {list(KINDS).index("page")}


@pytest.mark.parametrize(
    ("box", "is_part", "label"),
    [
        ((100, 100, 40, 60), False, DIGIT),
        ((102, 98, 40, 62), True, DIGIT),
        ((200, 100, 40, 60), False, NO_DIGIT),
        ((100, 100, 20, 60), False, AMBIGUOUS),
        ((100, 100, 14, 60), True, NO_DIGIT),
        ((100, 100, 14, 60), False, AMBIGUOUS),
        ((80, 80, 300, 300), False, AMBIGUOUS),
        ((136, 156, 40, 60), False, NO_DIGIT),
        ((300, 100, 40, 60), False, AMBIGUOUS),
    ],
    ids=["the digit", "almost", "elsewhere", "half", "a part", "a piece", "around it", "a corner", "an unsure one"],
)
def test_a_label_depends_on_what_both_boxes_share(box: tuple[int, ...], is_part: bool, label: int) -> None:
    empty = np.zeros((400, 400), np.uint8)
    finding = Candidates(empty, empty, Levels(empty, empty, empty), 1.0, (400, 400), (), ruled=False)
    digits = [DigitBox(100, 100, 140, 160, 4), DigitBox(300, 100, 340, 160, UNSURE)]

    assert label_shapes(finding, [Shape(Box(*box), ())], digits, is_part) == [label]


def test_frames_without_shapes_are_one_sentence(reader: ShapeReader, sample: Images) -> None:
    with pytest.raises(BenchmarkError, match="expected shapes in 0 composed frames, found none"):
        collect_examples(reader, Sources([], sample, ()), range(0), 1)


# --- training and quantization ---


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Windows with a bar in the middle alone are digits; those with a bar across the whole window are none."""
    random, count = np.random.default_rng(0), 400
    labels = (random.random(count) < 0.3).astype(np.int8)
    windows = random.integers(0, 30, (count, SIDE, SIDE, 2), np.uint8)
    windows[:, 10:22, 15:18] = 200
    windows[labels == 0, :, 15:18, 0] = 200
    scores = random.normal(np.where(labels, 3.0, 1.0), 1.0)
    boxes = np.stack(
        [random.integers(0, 600, count), random.integers(0, 400, count), *2 * [np.full(count, 40)]], axis=1
    )
    return Examples(
        windows=windows,
        labels=labels,
        scores=scores,
        digits=random.integers(0, 10, count).astype(np.int8),
        boxes=boxes.astype(np.int32),
        frames=np.repeat(np.arange(20), 20).astype(np.int32),
        kinds=np.zeros(count, np.int8),
        parts=np.arange(count) % 20 == 19,
    )


@pytest.fixture(scope="module")
def model(examples: Examples) -> Any:
    """The Keras model, trained in small batches: averages of batch normalization need more than a few."""
    pytest.importorskip("keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "BATCH", 32)
        return train_network(examples, epochs=12, seed=1)


def test_the_quantized_network_is_close_to_the_float_one(model: Any, examples: Examples) -> None:
    network = quantize_network(model)
    for windows in (random_windows(200), examples.windows):
        differences = np.abs(predict(model, windows) - run_quantized(network, windows))

        assert differences.max() < MOST_LOSS
        assert differences.mean() < MEAN_LOSS


def test_training_separates_what_surroundings_tell_apart(model: Any, examples: Examples) -> None:
    values = run_quantized(quantize_network(model), examples.windows)

    assert values[examples.labels == DIGIT].min() > values[examples.labels == NO_DIGIT].max() + 2 * MOST_LOSS


def test_a_packed_network_is_loaded_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras")
    network = quantize_network(build_network())
    (tmp_path / "network.npz").write_bytes(pack_network(network))

    loaded = load_network(tmp_path / "network.npz", monkeypatch)

    windows = random_windows(20)
    assert np.array_equal(loaded(windows), network(windows))


def test_digits_weigh_as_much_as_others_and_hopeless_shapes_little(examples: Examples) -> None:
    weights = weigh_examples(examples)

    assert weights.mean() == pytest.approx(1)
    assert weights[examples.labels == DIGIT].sum() == pytest.approx(weights[examples.labels == NO_DIGIT].sum())
    others = examples.labels == NO_DIGIT
    assert weights[others & (examples.scores < -1.5)].max() < 0.2 * weights[others & (examples.scores > -1.5)].min()
    with pytest.raises(BenchmarkError, match="expected digits and other shapes, got 0 digits among"):
        weigh_examples(examples.take(others))


# --- evidence ---


def test_a_fit_finds_the_weights_that_cases_were_drawn_with() -> None:
    random = np.random.default_rng(0)
    variables = np.stack([random.normal(0, 1, 40_000), np.ones(40_000)], axis=1)
    known = random.normal(0, 1, 40_000)
    truth = random.random(40_000) < 1 / (1 + np.exp(-(1.5 * variables[:, 0] - 0.5 + known)))

    assert fit_logistic(variables, truth, offset=known) == pytest.approx([1.5, -0.5], abs=0.06)


def test_company_is_that_of_the_reader_and_parts_have_none(examples: Examples) -> None:
    log_odds = limit_scores(examples, 1.0)

    company = measure_company(examples, log_odds)

    assert not company[examples.parts].any()
    assert company[~examples.parts].any()
    alone = examples.take(np.arange(len(examples)) == 0)
    assert measure_company(alone, log_odds[:1]) == pytest.approx([0], abs=1e-9)


def test_evidence_adds_up_and_its_weights_are_fitted(examples: Examples) -> None:
    weights = EvidenceWeights(score=0.5, context=1.0, intercept=-1.0, company=0.0, alone=0.25)
    given = np.where(examples.labels == DIGIT, 1.0, -1.0) + np.random.default_rng(0).normal(0, 1, len(examples))

    without, with_company = add_evidence(examples, given, weights, threshold=1.0)
    fitted = fit_weights(examples, given, threshold=1.0)

    assert without == pytest.approx(0.5 * np.minimum(7, examples.scores - 1) + given - 1)
    assert with_company == pytest.approx(without + 0.25)
    # Two normal distributions with equal deviations, of which one is 2 higher: 2 nats for each unit.
    assert fitted.score == pytest.approx(2, abs=0.7)
    assert fitted.context == pytest.approx(2, abs=0.7)
    assert abs(fitted.company) < 1


def test_a_font_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"no font")

    with pytest.raises(BenchmarkError, match=r"bad\.ttf: cannot be drawn as a font"):
        Typeface(tmp_path / "bad.ttf").draw("1", 20)
