"""The sheet of digits that an exported file calls otherwise than Keras."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES
from edge_mnist.export.report.changed_digits import (
    COLUMNS,
    HEADING,
    MOST_TILES,
    TILE_HEIGHT,
    TILE_WIDTH,
    ZOOM,
    draw_changed_digits,
)
from edge_mnist.export.verify import FileOutputs, KerasReference


@pytest.fixture(scope="module")
def black() -> KerasReference:
    """Images of nothing but ink, so that every tile shows; the model calls them all 0."""
    pixels = np.full((200, 28, 28, 1), 255, np.uint8)
    images = mnist.Images("black", "black", pixels, np.ones(200, np.uint8), np.arange(200))
    return KerasReference(images, np.eye(10, dtype=np.float32)[np.zeros(200, int)])


def _outcome(file: ModelFile, changed: int) -> FileOutputs:
    """A file that calls so many of 200 images 1, the others 0."""
    logits = np.eye(10, dtype=np.float32)[(np.arange(200) < changed).astype(int)]
    return FileOutputs(file, RUNTIMES["litert"], logits, logits[:1])


def _tiles(sheet: Image.Image, top: int, rows: int) -> list[bool]:
    """Whether a digit lies at each place of a block."""
    gray, middle = np.array(sheet.convert("L")), 28 * ZOOM // 2
    places = [(top + HEADING + 16 + row * TILE_HEIGHT, 10 + column * TILE_WIDTH)
              for row in range(rows) for column in range(COLUMNS)]  # fmt: skip
    return [left < sheet.width and bool(gray[upper + middle, left + middle] < 50) for upper, left in places]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that are drawn."""
    words: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def spy(self: ImageDraw.ImageDraw, place: tuple, text: str, *options: object) -> None:
        words.append(text)
        draw(self, place, text, *options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return words


def test_nothing_changed_draws_nothing(exported: Bundle, black: KerasReference) -> None:
    assert draw_changed_digits([_outcome(file, 0) for file in exported.files], black) == (None, 0)


@pytest.mark.parametrize(
    ("changed", "rows"), [(1, 1), (COLUMNS, 1), (COLUMNS + 1, 2), (MOST_TILES, 10), (MOST_TILES + 1, 10)]
)
def test_the_sheet_has_a_tile_for_every_changed_digit(
    exported: Bundle, black: KerasReference, changed: int, rows: int
) -> None:
    picture, count = draw_changed_digits([_outcome(exported.files[0], changed)], black)

    assert picture is not None
    sheet = Image.open(io.BytesIO(picture))
    shown = min(changed, MOST_TILES)
    assert (sheet.format, sheet.height) == ("PNG", HEADING + rows * TILE_HEIGHT)
    assert _tiles(sheet, 0, rows) == [True] * shown + [False] * (rows * COLUMNS - shown)
    assert count == changed


@pytest.mark.parametrize("changed", [1, 3, 6, COLUMNS, COLUMNS + 1])
def test_the_sheet_is_no_wider_than_its_tiles_or_its_title(
    exported: Bundle, black: KerasReference, changed: int
) -> None:
    picture, _ = draw_changed_digits([_outcome(exported.files[0], changed)], black)

    assert picture is not None
    sheet = Image.open(io.BytesIO(picture))
    inked = np.flatnonzero((np.array(sheet.convert("L"))[:HEADING] < 128).any(axis=0))
    tiles, title = TILE_WIDTH * min(changed, COLUMNS), int(inked[-1]) + 1
    # Room on either side of the title, and the space around its letters.
    assert max(tiles, title) <= sheet.width <= max(tiles, title + 10)


def test_every_file_with_changes_has_a_block_of_its_own(
    exported: Bundle, black: KerasReference, written: list[str]
) -> None:
    outcomes = [_outcome(file, changed) for file, changed in zip(exported.files, (2, 0, 10, 0), strict=True)]

    picture, count = draw_changed_digits(outcomes, black)

    assert picture is not None
    sheet = Image.open(io.BytesIO(picture))
    second = HEADING + TILE_HEIGHT
    assert sheet.size[1] == second + HEADING + 2 * TILE_HEIGHT
    assert _tiles(sheet, 0, 1) + _tiles(sheet, second, 2) == [True] * 2 + [False] * 7 + [True] * 10 + [False] * 8
    headings = [text for text in written if " on litert: " in text]
    assert headings == [
        f"{exported.files[0].record.name} on litert: 2 changed",
        f"{exported.files[2].record.name} on litert: 10 changed",
    ]
    assert count == 12


@pytest.mark.parametrize(("changed", "note"), [(MOST_TILES, ""), (MOST_TILES + 1, f", the first {MOST_TILES}")])
def test_the_heading_says_that_not_all_are_shown(
    exported: Bundle, black: KerasReference, written: list[str], changed: int, note: str
) -> None:
    draw_changed_digits([_outcome(exported.files[0], changed)], black)

    assert written[0] == f"{exported.files[0].record.name} on litert: {changed} changed{note}"
    assert written[1:].count("file 1") == written[1:].count("is 1, model 0") == MOST_TILES


def test_the_same_changes_give_the_same_picture(exported: Bundle, black: KerasReference) -> None:
    first, second = (draw_changed_digits([_outcome(exported.files[0], 5)], black) for _ in range(2))

    assert first == second
