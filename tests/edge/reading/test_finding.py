"""Digits are found on paper of any polarity, size and light, and little else is."""

import cv2
import numpy as np
import pytest

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.benchmarks.scenes.scene import draw_scene
from edge_mnist.edge.reading.finding import Candidates, find_candidates
from edge_mnist.edge.reading.ink.shapes import Box
from tests.builders.ink import Gray, on_paper, write

ROWS = ("1247", "89")
# A stroke's edge is soft over about two pixels of the size that is worked at; the threshold falls somewhere in it.
EDGE_PX = 2
# A line that runs along a stroke's end takes as much of the digit's height as the stroke is thick.
LINE_TAKES_PX = 6
# Of three scenes' digits together, one in ten may touch a neighbour; and beside them there may be three shapes for ten
# digits that the model has to refuse: a pencil's pieces, a coarse paper's fibres.
FEWEST_PER_DIGIT, MOST_PER_DIGIT = 0.9, 1.3


def _boxes(finding: Candidates) -> list[Box]:
    return [finding.in_frame(shape.box) for shape in finding.shapes]


def _is_at(box: Box, expected: Box, within: float) -> bool:
    edges = ((b.x, b.y, b.right, b.bottom) for b in (box, expected))
    return max(abs(a - b) for a, b in zip(*edges, strict=True)) <= within


def _differences(finding: Candidates, expected: tuple[Box, ...], edge_px: int = EDGE_PX) -> tuple[list[Box], list[Box]]:
    """Expected boxes that were not found, and found ones that were not expected."""
    within, found = edge_px / min(1.0, finding.scale), _boxes(finding)
    missed = [box for box in expected if not any(_is_at(other, box, within) for other in found)]
    return missed, [box for box in found if not any(_is_at(box, other, within) for other in expected)]


@pytest.mark.parametrize(("paper", "darkest"), [(220, 60), (250, 0), (200, 150), (40, 230), (0, 255), (90, 150)])
def test_each_digit_is_a_shape_dark_on_light_or_light_on_dark(paper: int, darkest: int) -> None:
    writing = write("0123456789", "31415926")

    finding = find_candidates(on_paper(writing.ink, paper, darkest))

    assert _differences(finding, writing.boxes) == ([], [])


@pytest.mark.parametrize("seed", range(5))
def test_each_digit_of_an_unevenly_lit_page_is_a_shape(seed: int) -> None:
    page = draw_page(ROWS, seed)

    assert len(find_candidates(page).shapes) == len("".join(ROWS))


def test_dark_and_light_digits_in_one_frame_are_found() -> None:
    page, card = write("1247", margin=100), write("589", margin=60)
    frame = np.vstack([on_paper(page.ink), np.full((300, page.ink.shape[1]), 220, np.uint8)])
    height, width = card.ink.shape
    top = page.ink.shape[0]
    frame[top : top + height, 40 : 40 + width] = on_paper(card.ink, paper=35, darkest=210)

    finding = find_candidates(frame)

    on_card = tuple(Box(box.x + 40, box.y + top, box.width, box.height) for box in card.boxes)
    assert _differences(finding, page.boxes + on_card) == ([], [])


def _with_shadow(ink: Gray, depth: float, slant: float) -> Gray:
    """A shadow with a hard edge over the right half."""
    down, across = np.indices(ink.shape)
    return (on_paper(ink) * np.where(across + slant * down > 0.55 * ink.shape[1], 1 - depth, 1)).astype(np.uint8)


@pytest.mark.parametrize("depth", [0.2, 0.4, 0.5])
@pytest.mark.parametrize("slant", [0.0, 0.5], ids=["upright", "slanted"])
def test_a_shadow_with_a_hard_edge_is_no_shape_and_hides_none(depth: float, slant: float) -> None:
    writing = write("0123456", "789012")

    finding = find_candidates(_with_shadow(writing.ink, depth, slant))

    assert _differences(finding, writing.boxes) == ([], [])


@pytest.mark.parametrize("depth", [0.6, 0.7])
@pytest.mark.parametrize("slant", [0.0, 0.5], ids=["upright", "slanted"])
def test_a_deep_shadow_hides_no_digits_but_those_on_its_edge(depth: float, slant: float) -> None:
    writing = write("0123456", "789012")

    finding = find_candidates(_with_shadow(writing.ink, depth, slant))

    missed, surplus = _differences(finding, writing.boxes)
    assert len(missed) <= 2
    assert len(surplus) <= 2


@pytest.mark.parametrize("table", [10, 50, 90])
@pytest.mark.parametrize("turn_degrees", [0, 3, -8])
def test_the_edges_of_a_page_on_a_dark_table_are_no_shapes(table: int, turn_degrees: int) -> None:
    page = on_paper(write("1247", "58", height=100, width=9, gap=50, margin=120).ink)
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_degrees, 1)
    turn[:, 2] += 100
    frame = cv2.warpAffine(page, turn, (width + 200, height + 200), borderValue=float(table))

    finding = find_candidates(frame)

    assert len(finding.shapes) == 6
    assert all(box.height < 150 for box in _boxes(finding))


@pytest.mark.parametrize("upright", [False, True], ids=["ruled", "squared"])
@pytest.mark.parametrize("line", [200, 170], ids=["faint", "plain"])
def test_digits_on_lined_paper_are_found_and_lines_are_not(upright: bool, line: int) -> None:
    writing = write("1247036", "8952", height=60, width=LINE_TAKES_PX, gap=30)
    paper = np.full(writing.ink.shape, 220, np.uint8)
    paper[20::48] = paper[21::48] = line
    if upright:
        paper[:, 20::48] = paper[:, 21::48] = line

    finding = find_candidates(np.minimum(on_paper(writing.ink), paper))

    assert _differences(finding, writing.boxes, LINE_TAKES_PX) == ([], [])


@pytest.mark.parametrize("shade", [0, 20, 128, 255])
@pytest.mark.parametrize("grain", [0, 3, 12])
def test_empty_paper_has_no_shapes(shade: int, grain: float) -> None:
    frame = on_paper(np.zeros((480, 640), np.uint8), paper=shade, grain=grain)

    assert find_candidates(frame).shapes == ()


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 2), (2, 1), (3, 5), (1, 900), (900, 1), (17, 4000), (28, 28), (480, 640), (3000, 4000)],
    ids=str,
)
@pytest.mark.parametrize("cells", [2, 40], ids=["smooth", "rough"])
def test_frames_of_any_size_give_boxes_within_them(shape: tuple[int, int], cells: int) -> None:
    blotches = np.random.default_rng(0).integers(0, 256, (cells, cells), np.uint8)
    frame = cv2.resize(blotches, shape[::-1], interpolation=cv2.INTER_CUBIC)

    finding = find_candidates(frame)

    for box in _boxes(finding):
        assert min(box.x, box.y) >= 0
        assert min(box.width, box.height) >= 1
        assert box.right <= shape[1]
        assert box.bottom <= shape[0]


@pytest.mark.parametrize("digit", list("0123456789"))
@pytest.mark.parametrize(("width", "margin"), [(12, 30), (40, 30), (12, 6)], ids=["thin", "marker", "close"])
def test_a_digit_that_fills_the_frame_is_found_whole(digit: str, width: int, margin: int) -> None:
    writing = write(digit, height=400, width=width, margin=margin)

    finding = find_candidates(on_paper(writing.ink))

    assert _differences(finding, writing.boxes) == ([], [])


def test_small_digits_in_a_large_frame_are_looked_at_more_closely() -> None:
    small, large = (
        write("123456", "7890", height=height, width=height // 10 + 1, gap=height // 2) for height in (40, 200)
    )
    frames = []
    for writing in (small, large):
        ink = np.zeros((1500, 2000), np.uint8)
        ink[: writing.ink.shape[0], : writing.ink.shape[1]] = writing.ink
        frames.append(on_paper(ink))

    closely, roughly = map(find_candidates, frames)

    assert closely.scale == 4 * roughly.scale
    assert _differences(closely, small.boxes) == ([], [])
    assert _differences(roughly, large.boxes) == ([], [])


def test_a_digit_in_two_pieces_is_one_shape() -> None:
    writing = write("151", height=90)
    box = writing.boxes[1]
    # Between the bar of the 5 and its belly.
    writing.ink[box.y + 12 : box.y + 17, box.x : box.right] = 0

    finding = find_candidates(on_paper(writing.ink))

    assert _differences(finding, writing.boxes) == ([], [])
    assert sorted(len(shape.outlines) for shape in finding.shapes) == [1, 1, 2]


def test_specks_dashes_and_dots_are_ignored() -> None:
    writing = write("427", "58", gap=60)
    first, second = writing.boxes[:2]
    middle = first.right + 30
    cv2.circle(writing.ink, (middle, first.bottom), 3, 255, cv2.FILLED)
    cv2.line(writing.ink, (middle - 12, first.y + 30), (middle + 12, first.y + 30), 255, 5)
    cv2.circle(writing.ink, (second.right + 30, second.y), 5, 255, cv2.FILLED)

    finding = find_candidates(on_paper(writing.ink))

    assert _differences(finding, writing.boxes) == ([], [])


@pytest.mark.parametrize(
    ("gain", "offset"),
    [(0.4, 0), (0.7, 0), (0.4, 140), (0.6, -20), (1.1, 0), (-1, 255), (-0.5, 180)],
    ids=["dim", "dimmer", "faint and bright", "dark", "bright", "inverted", "inverted and faint"],
)
def test_brightness_contrast_and_polarity_move_no_box(gain: float, offset: float) -> None:
    frame = on_paper(write("0123456", "789").ink).astype(np.float64)
    before = find_candidates(frame.round().astype(np.uint8))

    after = find_candidates(np.clip(gain * frame + offset, 0, 255).round().astype(np.uint8))

    assert len(before.shapes) == 10
    assert _differences(after, tuple(_boxes(before))) == ([], [])


@pytest.mark.parametrize(
    "condition",
    ["plain", "thin-pencil", "marker", "shadow-edge", "page-border", "brown-paper", "blackboard", "blurred"],
)
def test_about_as_many_shapes_as_digits_are_found_in_photograph_like_scenes(condition: str) -> None:
    scenes = [draw_scene(condition, seed, most_megapixels=0.4) for seed in range(3)]

    found = [len(find_candidates(cv2.cvtColor(scene.picture, cv2.COLOR_RGB2GRAY)).shapes) for scene in scenes]

    digits = sum(len("".join(scene.rows)) for scene in scenes)
    assert FEWEST_PER_DIGIT * digits <= sum(found) <= MOST_PER_DIGIT * digits


def test_ink_of_a_shape_is_its_own_and_as_dark_as_it_was() -> None:
    writing = write("17", height=90)
    finding = find_candidates(on_paper(writing.ink, paper=200, darkest=80, grain=0))

    inks = [finding.ink(shape) for shape in sorted(finding.shapes, key=lambda shape: shape.box.x)]

    for ink, box in zip(inks, writing.boxes, strict=True):
        truth = writing.ink[box.y : box.bottom, box.x : box.right] / 255 * 120
        assert abs(float(ink.mean()) - truth.mean()) < 0.1 * truth.mean()
        assert np.percentile(ink, 99) == pytest.approx(120, abs=3)


def test_ink_of_a_neighbour_in_the_same_box_is_left_out() -> None:
    ink = np.zeros((300, 400), np.uint8)
    cv2.line(ink, (100, 220), (200, 80), 255, 8)
    cv2.line(ink, (150, 220), (250, 80), 255, 8)

    finding = find_candidates(on_paper(ink))

    left, right = sorted(finding.shapes, key=lambda shape: shape.box.x)
    assert left.box.right > right.box.x + 20
    assert not finding.ink(left)[-20:, -20:].any()
    assert not finding.ink(right)[:20, :20].any()
