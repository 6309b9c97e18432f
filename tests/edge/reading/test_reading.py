"""Pages and pictures are read right, whatever the size, the polarity and the light."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.reading.finding import find_candidates
from edge_mnist.edge.reading.framing import frame_digit
from edge_mnist.edge.reading.reader import Reader
from tests.conftest import edge_mnist

ROWS = ("1247", "89")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize("height_px", [32, 64, 200])
@pytest.mark.parametrize("invert", [False, True], ids=["dark on light", "light on dark"])
def test_a_page_is_read_in_order(reader: Reader, height_px: int, invert: bool) -> None:
    page = draw_page(ROWS, seed=3, pen=PagePen(height_px=height_px, width_px=max(2, height_px // 13)))

    reading = reader.read(255 - page if invert else page)

    assert reading.rows == ROWS
    assert [str(digit.digit) for digit in reading.digits] == list("".join(ROWS))
    assert all(0 < digit.confidence < 1 for digit in reading.digits)
    assert all(digit.score >= open_bundle(SHIPPED).export.abstention.threshold for digit in reading.digits)


def test_boxes_are_in_the_pixels_of_the_frame(reader: Reader) -> None:
    page = draw_page(("1",), seed=1, pen=PagePen(height_px=1000, width_px=80))

    (digit,) = reader.read(page).digits

    box = digit.box
    assert box.y == pytest.approx(1000, abs=60)
    assert box.height == pytest.approx(1000, rel=0.15)
    assert 0 <= box.x < box.right <= page.shape[1]


@pytest.mark.parametrize("seed", range(20))
def test_any_frame_gives_boxes_within_it(reader: Reader, seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 700, 2)
    frame = cv2.GaussianBlur(random.integers(0, 256, (height, width), np.uint8), (0, 0), random.uniform(1, 8))

    reading = reader.read(frame)

    for box in (digit.box for digit in reading.digits):
        assert box.width > 0
        assert box.height > 0
        assert min(box.x, box.y) >= 0
        assert box.right <= width
        assert box.bottom <= height


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("shape", [(120, 120), (480, 640), (1, 1), (3, 900)])
def test_an_empty_frame_has_no_digits(reader: Reader, shade: int, shape: tuple[int, int]) -> None:
    reading = reader.read(np.full(shape, shade, np.uint8))

    assert reading.rows == ()
    assert reading.digits == ()


def test_grainy_empty_paper_has_no_digits(reader: Reader) -> None:
    grain = np.random.default_rng(0).normal(200, 3, (480, 640)).clip(0, 255).astype(np.uint8)

    assert reader.read(grain).digits == ()


def test_bare_mnist_images_are_read_as_frames(reader: Reader, sample: mnist.Images) -> None:
    chosen = sample.take(mnist.first_per_class(sample.labels, 20))

    rows = [reader.read(pixels[..., 0]).rows for pixels in chosen.pixels]

    right = sum(row == (str(label),) for row, label in zip(rows, chosen.labels, strict=True))
    # Broken digits and ink that touches the edge cost some; the point is that people try this first.
    assert right >= 0.95 * len(chosen)


def test_framing_keeps_what_mnist_already_framed(sample: mnist.Images) -> None:
    images = sample.take(mnist.first_per_class(sample.labels, 20)).pixels[..., 0]

    similarities = [np.corrcoef(frame_digit(_crop(image)).ravel(), image.ravel())[0, 1] for image in images]

    # A shift by one pixel gives about 0.8, so this pins position and size; thickening thin strokes costs the rest.
    assert np.median(similarities) > 0.97


def _crop(image: np.ndarray) -> np.ndarray:
    """The ink's bounding box."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (20, 20)])
def test_framing_any_shape_fits_the_box(shape: tuple[int, int]) -> None:
    framed = frame_digit(np.full(shape, 200, np.uint8))[..., 0]

    rows, columns = np.flatnonzero(framed.any(axis=1)), np.flatnonzero(framed.any(axis=0))
    assert rows[-1] - rows[0] < 20
    assert columns[-1] - columns[0] < 20
    assert framed.max() == 255


def test_framing_nothing_gives_paper() -> None:
    assert not frame_digit(np.zeros((9, 9), np.uint8)).any()


def test_finding_ignores_specks_and_page_edges() -> None:
    page = draw_page(("427",), seed=5)
    page[:, :6] = 20
    page[15:18, 60:63] = 30

    finding = find_candidates(page)

    assert len(finding.shapes) == 3


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_every_shipped_file_reads_the_same_page(tmp_path: Path, runtime: str, precision: str) -> None:
    Image.fromarray(draw_page(ROWS, seed=3)).save(tmp_path / "page.png")

    result = edge_mnist("run", tmp_path / "*.png", "--runtime", runtime, "--precision", precision, "--json")

    assert json.loads(result.stdout)["rows"] == list(ROWS)


def test_a_rotated_camera_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(draw_page(ROWS, seed=3))).save(tmp_path / "turned.jpg", quality=95, exif=exif)

    result = edge_mnist("run", tmp_path / "turned.jpg", "--json")

    assert json.loads(result.stdout)["rows"] == list(ROWS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "I;16", "1"])
def test_pictures_of_any_mode_are_read(tmp_path: Path, mode: str) -> None:
    page = Image.fromarray(draw_page(ROWS, seed=3))
    if mode == "I;16":
        page = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    elif mode == "1":
        page = page.point(lambda value: 255 * (value > 110)).convert("1")
    else:
        page = page.convert(mode)
    page.save(tmp_path / "page.png")

    result = edge_mnist("run", tmp_path / "page.png", "--json")

    assert json.loads(result.stdout)["rows"] == list(ROWS)
