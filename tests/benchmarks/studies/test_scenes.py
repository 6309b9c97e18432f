"""Scenes: the same picture for the same seed, of every condition, and the labels say what was written."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.commands import scenes as scenes_cli
from edge_mnist.benchmarks.photos.labels import read_labels
from edge_mnist.benchmarks.scenes import surfaces as papers
from edge_mnist.benchmarks.scenes.camera_model import CameraModel, place_camera, transform_points
from edge_mnist.benchmarks.scenes.conditions import CONDITIONS
from edge_mnist.benchmarks.scenes.glyphs import DIGITS, LETTERS, parse_shape
from edge_mnist.benchmarks.scenes.handwriting import WritingLayout, draw_hand, resample, write_rows, write_shape
from edge_mnist.benchmarks.scenes.scene import Scene, draw_scene
from edge_mnist.benchmarks.scenes.surfaces import Canvas, Rectangle
from tests.conftest import edge_mnist

NO_DIGITS = {"letters", "drawings", "empty", "desk", "room", "text-page", "textures", "signs"}
# Whoever reads it needs about this many pixels of a digit's height.
LEGIBLE_PX = 15
# Processor time of the slowest picture, of twelve megapixels, on a slow machine.
MOST_SECONDS = 60


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_draws_what_it_says(condition: str) -> None:
    layout, camera = CONDITIONS[condition].layout, CONDITIONS[condition].camera

    started = time.process_time()
    scene = draw_scene(condition, seed=3)

    assert time.process_time() - started < MOST_SECONDS
    height, width, channels = scene.picture.shape
    assert (scene.picture.dtype, channels) == (np.uint8, 3)
    assert 0.99 * camera.megapixels[0] <= height * width / 1e6 <= 1.01 * camera.megapixels[1]
    assert scene.picture.std() > 1
    assert (not scene.rows) == (condition in NO_DIGITS)
    assert all(layout.digits[0] <= len(row) <= layout.digits[1] for row in scene.rows)
    assert all(row.isdecimal() for row in scene.rows)


@pytest.mark.parametrize("condition", ["tiny-frame", "broken-strokes", "drawings", "form", "display", "textures"])
def test_the_same_seed_is_the_same_file_and_another_is_not(condition: str) -> None:
    first, again, other = draw_scene(condition, 5), draw_scene(condition, 5), draw_scene(condition, 6)

    assert first.content == again.content
    assert first.rows == again.rows
    assert first.content != other.content


def test_conditions_with_the_same_seed_say_different_things() -> None:
    assert draw_scene("plain", 1).rows != draw_scene("blue-pen", 1).rows


def test_frames_can_be_kept_small_down_to_what_the_condition_needs() -> None:
    small, needed = draw_scene("plain", 1, most_megapixels=0.01), draw_scene("two-hundred", 1, most_megapixels=0.01)

    assert small.picture.shape[0] * small.picture.shape[1] == pytest.approx(200_000, rel=0.01)
    assert needed.picture.shape[0] * needed.picture.shape[1] == pytest.approx(1_000_000, rel=0.01)


def test_an_unknown_condition_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"out of plain, .*got 'foggy'"):
        draw_scene("foggy", 0)


def test_light_ink_is_on_dark_ground_and_dark_ink_on_light() -> None:
    board, paper = draw_scene("blackboard", 2).picture, draw_scene("plain", 2).picture

    assert np.median(board) < 64
    assert board.max() > 150
    assert np.median(paper) > 120
    assert paper.min() < 90


@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_stands_on_the_line_and_is_about_as_high_as_asked(digit: str) -> None:
    random = np.random.default_rng(0)

    for _ in range(20):
        hand = draw_hand(random)
        for shape in hand.shapes[digit]:
            points = np.concatenate(write_shape(shape, hand, random))
            assert points[:, 1].min() == pytest.approx(-1, abs=0.3)
            assert points[:, 1].max() == pytest.approx(0, abs=0.25)
            assert np.ptp(points[:, 0]) < 1.2


@pytest.mark.parametrize("shape", [shape for shapes in (*DIGITS.values(), LETTERS.values()) for shape in shapes])
def test_every_shape_has_strokes_of_three_points_or_more(shape: str) -> None:
    for stroke in parse_shape(shape):
        assert stroke.shape[0] >= 3
        assert stroke.shape[1] == 2
        assert -0.2 <= stroke.min() <= stroke.max() <= 1.2


def test_neighbours_keep_apart_unless_they_are_to_touch() -> None:
    apart = _smallest_distances(WritingLayout(rows=(1, 1), digits=(40, 40)))
    touching = _smallest_distances(WritingLayout(rows=(1, 1), digits=(40, 40), touching=1.0))

    # Heights of a digit; a pen's stroke is 0.04 to 0.14 wide.
    assert apart.min() > 0.14
    assert (touching < 0.04).mean() > 0.2


def _smallest_distances(layout: WritingLayout) -> np.ndarray:
    """The distance between the strokes of each digit and the next, in heights."""
    writing = write_rows(layout, np.random.default_rng(4))
    digits = [np.concatenate([resample(path, 0.1) for path in glyph]) for glyph in writing.glyphs]
    return (
        np.array([np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)).min() for a, b in pairwise(digits)])
        / writing.height_mm
    )


def test_broken_digits_have_more_pieces() -> None:
    whole = write_rows(WritingLayout(rows=(1, 1), digits=(30, 30)), np.random.default_rng(1))
    broken = write_rows(WritingLayout(rows=(1, 1), digits=(30, 30), broken=1.0), np.random.default_rng(1))

    assert sum(map(len, broken.glyphs)) >= sum(map(len, whole.glyphs)) + 30


def test_rows_stand_on_ruled_lines() -> None:
    writing = write_rows(
        WritingLayout(rows=(3, 3), digits=(9, 9), pitch_mm=8.0, height_mm=(5, 6)), np.random.default_rng(2)
    )

    feet = [max(float(path[:, 1].max()) for path in glyph) for glyph in writing.glyphs]

    for row in range(3):
        assert np.median(feet[9 * row : 9 * row + 9]) == pytest.approx(8 * row, abs=1.0)


@pytest.mark.parametrize("seed", range(20))
def test_all_that_is_written_is_in_the_frame(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(0, (80, 30), (50, 2))

    view = place_camera(points, CameraModel(turn_deg=6, tilt=0.18), random)

    seen = transform_points(view.matrix, points)
    assert seen.min() > 0
    assert np.all(seen < view.shape[::-1])


@pytest.mark.parametrize("condition", [name for name in CONDITIONS if name not in NO_DIGITS])
def test_digits_are_large_enough_to_read(condition: str) -> None:
    chosen = CONDITIONS[condition]

    for seed in range(5):
        random = np.random.default_rng(seed)
        draft = chosen.draft(chosen.layout, chosen.pens, random)
        assert draft.height_mm * place_camera(draft.extent(), chosen.camera, random).px_per_mm > LEGIBLE_PX


@pytest.mark.parametrize("name", ["WHITE", "YELLOWISH", "BROWN", "RULED", "SQUARED", "BLACKBOARD"])
def test_a_paper_covers_its_canvas(name: str) -> None:
    canvas = Canvas(np.full((90, 120, 3), np.nan, np.float32), (0.0, 0.0), 3.0)

    papers.paint_paper(canvas, getattr(papers, name), np.random.default_rng(0))

    assert np.isfinite(canvas.pixels).all()
    assert canvas.pixels.std() > 0


def test_a_rectangle_covers_its_own_millimetres() -> None:
    canvas = Canvas(np.zeros((40, 60, 3), np.float32), (-10.0, 0.0), 2.0)

    mask = Rectangle(0.0, 5.0, 10.0, 15.0).mask(canvas)

    assert mask[11:30, 21:40].min() == 1
    assert mask.sum() == pytest.approx(400, rel=0.1)


def test_the_command_writes_pictures_and_their_labels(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    result = edge_mnist(
        "scenes", folder, "--count", 2, "--seed", 7, "--condition", "tiny-frame", "--condition", "empty"
    )

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder}: 4 pictures. Next: edge-mnist benchmark photos {folder}\n"
    photos = read_labels(folder)
    assert [photo.name for photo in photos] == [
        "tiny-frame-0007.jpg", "tiny-frame-0008.jpg", "empty-0007.jpg", "empty-0008.jpg"
    ]  # fmt: skip
    for photo in photos:
        scene = draw_scene(photo.label.condition or "", int(photo.name[-8:-4]))
        assert photo.label.rows == scene.rows
        assert np.array_equal(np.asarray(Image.open(photo.path)), scene.picture)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")

    result = edge_mnist("scenes", tmp_path, "--count", 1, "--condition", "tiny-frame")

    assert result.exit_code == 1
    assert result.stderr == (f"Error: {tmp_path}: exists and is not empty. Choose another folder.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()

    result = edge_mnist("scenes", tmp_path / "set", "--count", 1, "--condition", "tiny-frame")

    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "set").iterdir())) == 2


def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(condition: str, seed: int, most_megapixels: float) -> Scene:
        if seed:
            raise OSError(28, "No space left on device")
        return draw_scene(condition, seed, most_megapixels)

    monkeypatch.setattr(scenes_cli, "draw_scene", fail)

    result = edge_mnist("scenes", tmp_path / "set", "--count", 2, "--condition", "tiny-frame")

    assert result.exit_code == 1
    assert "cannot be written (No space left on device)" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_condition() -> None:
    result = edge_mnist("scenes", "--help")

    assert result.exit_code == 0
    for name, condition in CONDITIONS.items():
        assert name in result.stdout
        assert condition.summary in result.stdout


def test_an_unknown_condition_is_misuse(tmp_path: Path) -> None:
    result = edge_mnist("scenes", tmp_path / "set", "--condition", "foggy")

    assert result.exit_code == 2
    assert "'foggy' is not one of" in result.stderr
