"""Drawings are legible at any size, and writing them never costs anybody a file."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.live.sink_thread import SinkError
from edge_mnist.edge.media.sources import SourceFrame
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.reader import Digit, Reading
from edge_mnist.edge.sinks.annotate import SMALLEST_TAG, SURE_COLOUR, UNSURE_BELOW, UNSURE_COLOUR, annotate
from edge_mnist.edge.sinks.drawing_folder import DrawingFolder

TIMING_MS = {"find": 1.0, "frame": 1.0, "infer": 1.0}


def _reading(*boxes: Box, confidence: float = 1.0) -> Reading:
    digits = tuple(Digit(digit=7, confidence=confidence, score=5.0, box=box) for box in boxes)
    return Reading(rows=("7" * len(boxes),), digits=digits, timing_ms=TIMING_MS)


def _frame(source: str, pixels: np.ndarray, index: int | None = None, *, is_photograph: bool = False) -> SourceFrame:
    rgb = np.repeat(pixels[..., None], 3, axis=2)
    return SourceFrame(source, index, None, pixels, lambda: rgb, is_photograph, 1.0)


def _rows_of(drawing: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The rows in which at least 10 pixels have the colour."""
    return np.flatnonzero((drawing == colour).all(axis=2).sum(axis=1) >= 10)


@pytest.mark.parametrize("shape", [(600, 800), (600, 800, 3)], ids=["gray", "colour"])
def test_a_drawing_is_in_colour_and_leaves_the_frame_as_it_is(shape: tuple[int, ...]) -> None:
    frame = np.full(shape, 200, np.uint8)

    drawing = annotate(frame, _reading(Box(300, 300, 60, 90)))

    assert drawing.shape == (600, 800, 3)
    assert drawing.dtype == np.uint8
    assert (frame == 200).all()
    assert (drawing[300:390, 300:360] == 200).all(), "the ink itself is not drawn over"


def test_without_digits_the_frame_stays_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (600, 500, 3), np.uint8)

    assert (annotate(frame, Reading((), (), TIMING_MS)) == frame).all()


def test_a_tiny_frame_is_enlarged_by_a_whole_factor() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (28, 20), np.uint8)

    drawing = annotate(frame, Reading((), (), TIMING_MS))

    assert drawing.shape == (336, 240, 3)
    assert (drawing[::12, ::12, 0] == frame).all()


@pytest.mark.parametrize(
    ("confidence", "drawn", "other"),
    [(UNSURE_BELOW, SURE_COLOUR, UNSURE_COLOUR), (UNSURE_BELOW - 0.01, UNSURE_COLOUR, SURE_COLOUR)],
    ids=["sure", "unsure"],
)
def test_unsure_digits_have_another_colour(
    confidence: float, drawn: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    drawing = annotate(np.full((600, 800), 200, np.uint8), _reading(Box(300, 300, 60, 90), confidence=confidence))

    assert len(_rows_of(drawing, drawn))
    assert not len(_rows_of(drawing, other))


def test_unsure_digits_differ_for_who_sees_no_colours_too() -> None:
    frame, box = np.full((600, 800), 200, np.uint8), Box(300, 300, 60, 90)

    sure = annotate(frame, _reading(box)).min(axis=2) == 255
    unsure = annotate(frame, _reading(box, confidence=0.5)).min(axis=2) == 255

    assert unsure[:290].sum() > 1.3 * sure[:290].sum(), "the tag has a question mark"


@pytest.mark.parametrize("colour", [SURE_COLOUR, UNSURE_COLOUR], ids=["sure", "unsure"])
def test_text_has_the_contrast_that_accessibility_asks_for(colour: tuple[int, int, int]) -> None:
    """WCAG 2.2: 4.5 to 1 between text and background."""
    levels = np.array(colour) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]

    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("height", [20, 100, 1000], ids=lambda height: f"{height} pixels high")
def test_tags_grow_with_the_digits(height: int) -> None:
    frame = np.full((4 * height, 40 * height), 90, np.uint8)

    drawing = annotate(frame, _reading(Box(8 * height, 2 * height, height // 2, height)))

    above_the_box = _rows_of(drawing[: 2 * height - max(2, height // 16)], SURE_COLOUR)
    tag_height = np.ptp(above_the_box) + 1
    assert max(SMALLEST_TAG, 0.3 * height) <= tag_height + 2 <= max(SMALLEST_TAG + 3, 0.45 * height)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_anywhere_in_any_frame_are_drawn_within_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 900, 2)
    frame = np.full((height, width), 128, np.uint8)
    corners = [Box(0, 0, 1, 1), Box(width - 1, height - 1, 1, 1), Box(0, 0, width, height)]
    x, y = random.integers(0, (width, height), (5, 2)).T
    boxes = [Box(int(a), int(b), int(width - a), int(height - b)) for a, b in zip(x, y, strict=True)]

    drawing = annotate(frame, _reading(*corners, *boxes, confidence=random.random()))

    assert drawing.shape[0] % height == 0
    assert drawing.shape[1] % width == 0


def test_files_of_one_name_from_several_folders_do_not_overwrite_each_other(tmp_path: Path) -> None:
    drawings = DrawingFolder(tmp_path)
    sources = ["a/page.png", "b/page.png", "c/PAGE.bmp", "a/page.png", "b/page-2.png"]

    names = [drawings.save(_frame(source, np.zeros((9, 9), np.uint8)), _reading()).name for source in sources]

    assert names == [
        "page.digits.png", "page-2.digits.png", "PAGE-3.digits.png", "page.digits.png", "page-2-2.digits.png"
    ]  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 4


def test_the_pictures_themselves_are_never_overwritten(tmp_path: Path) -> None:
    original = tmp_path / "page.png"
    original.write_bytes(b"precious")

    DrawingFolder(tmp_path).save(_frame(str(original), np.zeros((9, 9), np.uint8)), _reading())

    assert original.read_bytes() == b"precious"


def test_photographs_and_frames_become_jpeg(tmp_path: Path) -> None:
    frame = _frame("clip.mp4", np.zeros((9, 9), np.uint8), index=12, is_photograph=True)

    path = DrawingFolder(tmp_path).save(frame, _reading())

    assert path.name == "clip.000012.digits.jpg"
    assert path.read_bytes().startswith(b"\xff\xd8")


def test_a_drawing_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings, frame = DrawingFolder(tmp_path), _frame("page.png", np.zeros((9, 9), np.uint8))
    before = drawings.save(frame, _reading()).read_bytes()

    def fill_the_disk(_: Image.Image, file: BinaryIO, *__: object, **___: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_the_disk)
    with pytest.raises(SinkError, match=r"page\.digits\.png: cannot be written \(No space left"):
        drawings.save(frame, _reading())

    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")

    with pytest.raises(SinkError, match="cannot be created"):
        DrawingFolder(tmp_path / "file" / "drawn")
