"""A reader takes what programs have: paths, bytes, arrays in any order of colours, and Pillow pictures."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.media.frames import make_gray
from edge_mnist.edge.media.pictures import PictureError, read_gray
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes.registry import RUNTIMES

PAGE = draw_page(("1247", "89"), seed=3, pen=PagePen(height_px=40, width_px=4))
# Blue ink on yellow paper: the order of colours changes the gray.
COLOUR = np.where(PAGE[..., None] > 128, np.uint8([250, 230, 90]), np.uint8([10, 20, 120])).astype(np.uint8)
NO_PICTURES = {
    "None": (None, "got None. cv2.imread returns None"),
    "a list": ([[1, 2]], "got list"),
    "floats": (np.zeros((4, 4)), "got float64 (4, 4). Convert it to uint8: (255 * frame)"),
    "floats in colour": (np.zeros((4, 4, 3), np.float32), "got float32 (4, 4, 3). Convert it to uint8"),
    "16 bits": (np.zeros((4, 4), np.uint16), "got uint16 (4, 4). Convert it to uint8: (frame / 257)"),
    "truth values": (np.zeros((4, 4), bool), "got bool (4, 4). Convert it to uint8"),
    "two channels": (np.zeros((4, 4, 2), np.uint8), "got uint8 (4, 4, 2)"),
    "channels first": (np.zeros((3, 9, 9), np.uint8), "got uint8 (3, 9, 9)"),
    "a batch": (np.zeros((2, 4, 4, 3), np.uint8), "got uint8 (2, 4, 4, 3)"),
    "empty": (np.zeros((0, 4, 3), np.uint8), "It has no pixels"),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader("nano")


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "page.png"
    Image.fromarray(COLOUR).save(path)
    return path


@pytest.mark.parametrize(
    "open_page",
    [
        lambda path: path,
        str,
        Path.read_bytes,
        Image.open,
        lambda path: np.asarray(Image.open(path)),
        lambda path: np.asarray(Image.open(path).convert("RGBA")),
        lambda path: np.asarray(Image.open(path))[::-1][::-1],
        read_gray,
        lambda path: read_gray(path)[..., None],
        lambda path: np.asfortranarray(read_gray(path)),
    ],
    ids=["Path", "str", "bytes", "Pillow", "RGB", "RGBA", "views", "gray", "gray with a channel", "columns first"],
)
def test_every_kind_of_picture_is_read_alike(reader: Reader, page_path: Path, open_page: Callable[[Path], Any]) -> None:
    expected = reader.read(read_gray(page_path))

    reading = reader.read(open_page(page_path))

    assert reading.rows == ("1247", "89")
    assert reading.digits == expected.digits


@pytest.mark.parametrize("flags", [cv2.IMREAD_COLOR, cv2.IMREAD_UNCHANGED], ids=["BGR", "unchanged"])
def test_what_opencv_reads_is_read_alike_in_its_order(page_path: Path, flags: int) -> None:
    frame = cv2.imread(str(page_path), flags)
    assert frame is not None

    in_order, out_of_order = make_gray(frame, "BGR"), make_gray(frame)

    assert (in_order == read_gray(page_path)).all()
    assert (out_of_order != in_order).any()


def test_bgra_is_read_like_the_file(tmp_path: Path) -> None:
    path = tmp_path / "strokes.png"
    strokes = np.dstack([COLOUR, 255 - PAGE])
    Image.fromarray(strokes).save(path)
    frame = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert frame is not None
    assert frame.shape[2] == 4

    assert (make_gray(frame, "BGR") == read_gray(path)).all()
    assert (make_gray(strokes) == read_gray(path)).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
def test_a_pillow_picture_of_any_mode_is_read(reader: Reader, mode: str) -> None:
    assert reader.read(Image.fromarray(PAGE).convert(mode)).rows == ("1247", "89")


def test_a_pillow_picture_is_turned_upright_as_its_file_is(tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(PAGE)).save(path, exif=exif)

    assert reader.read(Image.open(path)).rows == reader.read(path).rows == ("1247", "89")


def test_a_pillow_picture_that_is_cut_off_is_one_sentence(tmp_path: Path, page_path: Path, reader: Reader) -> None:
    path = tmp_path / "cut.png"
    content = page_path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    with Image.open(path) as image, pytest.raises(PictureError, match="the Pillow picture cannot be decoded"):
        reader.read(image)


@pytest.mark.parametrize(("picture", "reason"), NO_PICTURES.values(), ids=list(NO_PICTURES))
def test_what_is_no_picture_is_one_sentence_with_the_cure(reader: Reader, picture: Any, reason: str) -> None:
    with pytest.raises(EdgeMnistError, match=f"expected a picture: a path, .*{re.escape(reason)}"):
        reader.read(picture)


def test_a_file_that_is_not_there_is_one_sentence(reader: Reader) -> None:
    with pytest.raises(EdgeMnistError, match="nowhere"):
        reader.read("nowhere.png")


def test_an_order_that_nothing_has_is_one_sentence(reader: Reader, page_path: Path) -> None:
    with pytest.raises(EdgeMnistError, match="expected order 'RGB' or 'BGR', got 'GRB'"):
        reader.read(page_path, order="GRB")  # pyright: ignore[reportArgumentType]


def test_names_show_model_precision_and_runtime(reader: Reader) -> None:
    runtime = next(name for name, one in RUNTIMES.items() if one.installed)

    assert repr(reader) == f"Reader('nano', int8 on {runtime})"
    assert repr(Reader(runtime="litert", precision="float32", threads=2)) == "Reader('standard', float32 on litert)"


def test_a_reading_shows_its_rows_and_the_least_certain_digit(reader: Reader) -> None:
    shown, empty = repr(reader.read(PAGE)), repr(reader.read(np.full_like(PAGE, 255)))

    assert re.fullmatch(r"Reading\(\['1247', '89'\], least certain: \d at [01]\.\d{3}, \d+\.\d ms\)", shown)
    assert re.fullmatch(r"Reading\(\[\], \d+\.\d ms\)", empty)
