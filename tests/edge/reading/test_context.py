"""A shape is judged by its surroundings: the windows that are cut, and the integer network that looks at them."""

import cv2
import numpy as np
import pytest

from edge_mnist.benchmarks.studies.context.writing import Typeface
from edge_mnist.edge.reading.context import (
    BEYOND,
    LEVEL,
    SIDE,
    SPAN,
    ContextNetwork,
    cut_windows,
    load_context_network,
)
from edge_mnist.edge.reading.finding import Candidates
from edge_mnist.edge.reading.ink.paper import Levels
from edge_mnist.edge.reading.ink.shapes import Shape, outline_shapes
from tests.builders.ink import Gray, draw_digit, on_paper, write

PAPER = 220
# Nats on the right side of even odds that a clear case must have.
CLEAR = 1.0


def _find(ink: Gray, own: Gray | None = None) -> Candidates:
    """A finding at the frame's own size with a shape for each piece of `own`, or of all ink."""
    mask = np.where((ink if own is None else own) > 127, 255, 0).astype(np.uint8)
    levels = Levels(*(np.full((4, 4), level, np.uint8) for level in (PAPER, PAPER - 20, PAPER - 10)))
    frame = on_paper(ink, PAPER, grain=1.0)
    return Candidates(frame, mask, levels, 1.0, ink.shape, tuple(outline_shapes(mask, 8)), ruled=False)


def _cut(finding: Candidates, shape: Shape | None = None) -> Gray:
    return cut_windows(finding, [shape or finding.shapes[0]])[0]


def _place(mark: Gray, x: int, y: int, shape: tuple[int, int] = (400, 400)) -> Gray:
    ink = np.zeros(shape, np.uint8)
    ink[y : y + mark.shape[0], x : x + mark.shape[1]] = mark
    return ink


# --- windows ---


def test_the_shape_is_in_the_middle_of_its_window_at_one_scale_whatever_its_size() -> None:
    for height in (16, 40, 130):
        own = _cut(_find(_place(np.full((height, height // 2), 255, np.uint8), 150, 130)))[..., 1] > 127
        rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))

        assert len(rows) == pytest.approx(SIDE / SPAN, abs=1.01)
        assert len(columns) == pytest.approx(SIDE / SPAN / 2, abs=1.01)
        assert rows.mean() == pytest.approx((SIDE - 1) / 2, abs=1)
        assert columns.mean() == pytest.approx((SIDE - 1) / 2, abs=1)


def test_the_first_channel_has_all_ink_and_the_second_only_the_shape() -> None:
    ink = _place(np.full((40, 20), 255, np.uint8), 200, 200)
    ink[200:240, 240:250] = 255
    finding = _find(ink)
    left = min(finding.shapes, key=lambda shape: shape.box.x)

    window = _cut(finding, left).astype(int)

    beside = (window[..., 0] > LEVEL // 2) & (window[..., 1] == 0)
    assert np.flatnonzero(beside.any(axis=0)).min() > SIDE // 2
    assert window[window[..., 1] > 200, 0].min() > 0.9 * LEVEL
    assert window[:5].max() < 30


@pytest.mark.parametrize("darkest", [200, 120, 20], ids=["faint", "gray", "black"])
def test_the_shapes_own_ink_has_the_same_level_however_faint_it_is(darkest: int) -> None:
    ink = _place(np.full((40, 20), 255, np.uint8), 200, 200)
    finding = _find(ink)
    frame = on_paper(ink, PAPER, darkest, grain=0.0)

    window = _cut(Candidates(frame, finding.mask, finding.levels, 1.0, ink.shape, finding.shapes, ruled=False))

    assert window[..., 0].max() == pytest.approx(LEVEL, abs=2)


@pytest.mark.parametrize(
    ("x", "y", "beyond"),
    [(0, 200, np.s_[:, :5]), (380, 200, np.s_[:, -5:]), (200, 0, np.s_[:5]), (200, 360, np.s_[-5:])],
    ids=["left", "right", "top", "bottom"],
)
def test_beyond_the_frame_there_is_no_ink_and_a_level_of_its_own(x: int, y: int, beyond: tuple[slice, ...]) -> None:
    window = _cut(_find(_place(np.full((40, 20), 255, np.uint8), x, y)))

    assert (window[..., 0][beyond] == 0).all()
    assert (window[..., 1][beyond] == BEYOND).all()
    assert not (_cut(_find(_place(np.full((40, 20), 255, np.uint8), 180, 180)))[..., 1] == BEYOND).all(axis=0).any()


def test_a_shape_as_large_as_the_frame_has_a_window() -> None:
    window = _cut(_find(np.full((90, 60), 255, np.uint8)))

    assert window.shape == (SIDE, SIDE, 2)
    assert (window[SIDE // 2, SIDE // 2] > 190).all()


def test_no_shapes_are_no_windows() -> None:
    assert cut_windows(_find(np.zeros((50, 50), np.uint8)), []).shape == (0, SIDE, SIDE, 2)


# --- the network ---


def _run_in_integers(network: ContextNetwork, windows: Gray) -> np.ndarray:
    """The network with integers of 64 bits for all sums, and one multiplication of each sum in float32."""
    values = windows.astype(np.int64)
    layers = list(zip(network.weights, network.biases, network.multipliers, strict=True))
    for place, (weights, bias, multiplier) in enumerate(layers):
        kernel = weights.astype(np.int64)
        if values.ndim == 4 and len(kernel) == 9 * values.shape[-1]:
            values = _gather(values)
        elif values.ndim == 4:
            values = values.reshape(len(values), -1)
        sums = values @ kernel + bias.astype(np.int64)
        scaled = sums.astype(np.float32) * multiplier
        if place == len(layers) - 1:
            return scaled[:, 0]
        values = np.clip(np.rint(scaled), 0, 255).astype(np.int64)
    raise AssertionError


def _gather(values: np.ndarray) -> np.ndarray:
    """Each 3x3 patch with stride 2, in a loop; nothing before the first pixel and zeros behind the last."""
    count, side, _, channels = values.shape
    patches = np.zeros((count, side // 2, side // 2, 3, 3, channels), np.int64)
    for y in range(side // 2):
        for x in range(side // 2):
            patch = values[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            patches[:, y, x, : patch.shape[1], : patch.shape[2]] = patch
    return patches.reshape(count, side // 2, side // 2, -1)


def test_sums_in_float32_are_exact() -> None:
    network = load_context_network()
    random = np.random.default_rng(3)
    windows = random.integers(0, 256, (40, SIDE, SIDE, 2), np.uint8)
    windows[0], windows[1] = 0, 255
    windows[2:20] *= random.random((18, SIDE, SIDE, 1)) < 0.2

    assert np.array_equal(network(windows), _run_in_integers(network, windows))


def test_no_sum_can_be_too_large_to_be_exact() -> None:
    network = load_context_network()

    for weights, bias in zip(network.weights, network.biases, strict=True):
        assert (255 * np.abs(weights).sum(axis=0) + np.abs(bias)).max() < 2**24
        assert np.array_equal(weights, np.rint(weights))
        assert np.array_equal(bias, np.rint(bias))


def test_a_window_is_judged_alike_alone_and_among_others() -> None:
    network = load_context_network()
    windows = np.random.default_rng(1).integers(0, 256, (17, SIDE, SIDE, 2), np.uint8)

    assert np.array_equal(network(windows), np.concatenate([network(windows[i : i + 1]) for i in range(17)]))


# --- what it says ---


def _judge(finding: Candidates) -> list[float]:
    return load_context_network()(cut_windows(finding, finding.shapes)).tolist()


def test_digits_on_plain_paper_are_likely() -> None:
    in_rows = _judge(_find(write("2475", "369").ink))
    alone = [_judge(_find(_place(draw_digit(digit, 60), 170, 170)))[0] for digit in "23456789"]

    assert np.median(in_rows) > CLEAR
    assert np.median(alone) > CLEAR
    assert np.mean(np.array(in_rows + alone) > 0) > 0.85


def test_pieces_of_ruled_lines_are_unlikely() -> None:
    values = []
    for pitch in (50, 80, 120):
        for thickness in (1, 2, 3, 4):
            lines, left = np.zeros((400, 400), np.uint8), 40 + 2 * pitch
            for x in range(40, 400, pitch):
                cv2.line(lines, (x, 0), (x, 400), 255, thickness)
                cv2.line(lines, (0, x), (400, x), 255, thickness)
            own = np.zeros_like(lines)
            between = slice(left + 10, left + pitch - 10), slice(left - 5, left + 6)
            own[between] = lines[between]
            values += _judge(_find(lines, own))

    assert len(values) == 12
    assert np.mean(values) < -CLEAR / 2
    assert np.mean(np.array(values) < 0) > 0.75


def test_a_letter_within_a_word_is_unlikely() -> None:
    word = Typeface().draw("hollows", 60)
    assert word is not None

    values = _judge(_find(_place(word, 60, 160)))

    assert len(values) == len("hollows")
    assert np.median(values) < -CLEAR
    assert max(values) < CLEAR
