"""Drafts of scenes: the truth is what was written, crops and turns are as asked, old scenes stay the same."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.photos.labels import SHIPPED_PHOTOS, Photo, read_labels
from edge_mnist.benchmarks.scenes.camera_model import CameraModel, place_camera
from edge_mnist.benchmarks.scenes.conditions import CONDITIONS
from edge_mnist.benchmarks.scenes.contents import PageContent
from edge_mnist.benchmarks.scenes.drafts import forms, grids, lines
from edge_mnist.benchmarks.scenes.drafts.devices import SEGMENTS, draw_segments
from edge_mnist.benchmarks.scenes.drafts.placing import draft_close_rows
from edge_mnist.benchmarks.scenes.handwriting import Hand, Strokes, WritingLayout
from edge_mnist.benchmarks.scenes.marks import Patch, Print, box_patch, measure_text, paint_mark
from edge_mnist.benchmarks.scenes.pens import FADING, Layer, paint_layer
from edge_mnist.benchmarks.scenes.scene import draw_scene
from edge_mnist.benchmarks.scenes.surfaces import Canvas

WRITTEN = ("form", "table", "sudoku", "words-and-numbers", "date-and-sum", "register", "check", "counter")
NOTHING_WRITTEN = ("desk", "room", "text-page", "textures", "signs")


def _draft(condition: str, seed: int) -> PageContent:
    chosen = CONDITIONS[condition]
    return chosen.draft(chosen.layout, chosen.pens, np.random.default_rng(seed))


def _canvas() -> Canvas:
    return Canvas(np.ones((80, 240, 3), np.float32), (0.0, 0.0), 4.0)


@pytest.mark.parametrize("photo", read_labels(SHIPPED_PHOTOS), ids=lambda photo: photo.name)
def test_the_shipped_scenes_are_still_drawn(photo: Photo) -> None:
    scene = draw_scene(photo.label.condition or "", 4, most_megapixels=0.2)

    shipped = np.asarray(Image.open(photo.path)).astype(int)
    assert scene.rows == photo.label.rows
    assert scene.picture.shape == shipped.shape
    # Another processor may round a few pixels differently; another sequence of random numbers changes all of them.
    assert np.abs(scene.picture - shipped).mean() < 0.1


@pytest.mark.parametrize("condition", [*WRITTEN, *NOTHING_WRITTEN])
def test_the_truth_is_what_was_written_and_printed(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = lines.write_character

    def record(character: str, hand: Hand, random: np.random.Generator) -> Strokes:
        written.append(character)
        return write(character, hand, random)

    for module in (lines, forms, grids):
        monkeypatch.setattr(module, "write_character", record)
    for seed in range(6):
        written.clear()
        draft = _draft(condition, seed)
        printed = "".join(mark.text for mark in draft.marks if isinstance(mark, Print))
        assert Counter(filter(str.isdecimal, [*written, *printed])) == Counter("".join(draft.rows))
        assert bool(draft.rows) == (condition in WRITTEN)


def test_a_printed_sudoku_has_its_rows_top_to_bottom_and_left_to_right() -> None:
    drafts = [draft for seed in range(20) if not (draft := _draft("sudoku", seed)).layers[-1].paths]

    assert drafts
    for draft in drafts:
        digits = [mark for mark in draft.marks if isinstance(mark, Print)]
        rows = [[digit for digit in digits if digit.place[1] == y] for y in sorted({d.place[1] for d in digits})]
        in_order = tuple("".join(d.text for d in sorted(row, key=lambda d: d.place[0])) for row in rows)
        assert in_order == draft.rows


def test_a_display_has_a_polygon_for_each_segment() -> None:
    assert len({frozenset(names) for names in SEGMENTS.values()}) == 10

    for digit, names in SEGMENTS.items():
        polygons = np.concatenate(draw_segments(digit, slant=0.1, gap=0.02, thick=0.1))
        assert len(polygons) == 6 * len(names)
        assert -0.1 <= polygons.min() <= polygons.max() <= 1.1


@pytest.mark.parametrize("seed", range(10))
def test_a_turned_page_is_turned_by_at_least_as_much_as_asked(seed: int) -> None:
    camera = CameraModel(turn_deg=12, least_turn_deg=4, tilt=0.0)
    points = np.array([[0.0, 0.0], [80.0, 0.0], [80.0, 30.0], [0.0, 30.0]])

    matrix = place_camera(points, camera, np.random.default_rng(seed)).matrix

    assert 4 <= abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) <= 12


@pytest.mark.parametrize("condition", ["edge-crop", "tight-crop"])
def test_a_crop_cuts_at_most_three_hundredths_of_a_digit(condition: str) -> None:
    for seed in range(10):
        draft = _draft(condition, seed)
        ink, view = np.concatenate(draft.layers[0].paths), draft.extent()
        inside = np.concatenate([ink.min(axis=0) - view.min(axis=0), view.max(axis=0) - ink.max(axis=0)])
        half = np.mean(draft.layers[0].pen.width_mm) / 2
        assert inside.min() >= half - 0.04 * draft.height_mm - 0.2
        assert inside.min() <= half + 0.15 * draft.height_mm


def test_two_close_rows_are_little_higher_than_their_digits() -> None:
    layout = WritingLayout(rows=(2, 2), digits=(6, 6), height_mm=(8, 8))
    for seed in range(8):
        draft = draft_close_rows(layout, CONDITIONS["close-rows"].pens, np.random.default_rng(seed))
        assert np.ptp(draft.extent()[:, 1]) < 2.75 * draft.height_mm


def test_a_fading_stroke_is_lighter_somewhere_than_at_its_firmest() -> None:
    path = np.array([[5.0, 10.0], [30.0, 10.0], [55.0, 10.0]])
    lightest: dict[float, float] = {}
    for fade in (0.0, FADING.fade):
        canvas = _canvas()
        paint_layer(canvas, Layer(replace(FADING, grain=0.0, fade=fade), (path,), 1.0), np.random.default_rng(1))
        lightest[fade] = float(canvas.pixels[:, 24:216].min(axis=(0, 2)).max())

    assert lightest[FADING.fade] > lightest[0.0] + 0.1


def test_a_patch_covers_its_own_millimetres_with_its_colour() -> None:
    canvas = _canvas()

    paint_mark(canvas, box_patch(10, 5, 20, 15, (0.2, 0.3, 0.4), grain=0.0), np.random.default_rng(0))

    assert np.allclose(canvas.pixels[22:58, 42:78], (0.2, 0.3, 0.4), atol=0.01)
    assert np.all(canvas.pixels[:, :36] == 1)
    assert np.all(canvas.pixels[:, 84:] == 1)


def test_a_soft_patch_and_one_out_of_sight_leave_no_edge() -> None:
    canvas = _canvas()
    random = np.random.default_rng(0)

    paint_mark(canvas, box_patch(200, 5, 220, 15, (0.0, 0.0, 0.0)), random)
    assert np.all(canvas.pixels == 1)
    paint_mark(
        canvas, Patch(box_patch(20, -50, 40, 50, (0.0, 0.0, 0.0)).corners, (0.0, 0.0, 0.0), 0.0, 1.0, 3.0), random
    )
    assert np.abs(np.diff(canvas.pixels[40, :, 0])).max() < 0.1


def test_print_is_as_high_and_as_wide_as_asked() -> None:
    canvas = _canvas()

    paint_mark(canvas, Print("HELD", (5.0, 15.0), 8.0, cover=1.0), np.random.default_rng(0))

    rows, columns = np.nonzero(canvas.pixels[:, :, 0] < 0.5)
    assert np.ptp(rows) == pytest.approx(8.0 * 4, abs=2)
    assert rows.max() == pytest.approx(15.0 * 4, abs=2)
    assert np.ptp(columns) == pytest.approx(measure_text("HELD", 8.0) * 4, abs=10)
