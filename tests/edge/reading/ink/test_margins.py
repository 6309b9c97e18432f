"""A crop of one digit or one row to its ink is read; photographs and pages are no crops."""

import cv2
import numpy as np
import pytest

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.benchmarks.scenes.scene import draw_scene
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.reading.ink.margins import add_margin
from edge_mnist.edge.reading.reader import Reader

# Of a hundred digits; with the whole MNIST frame around them it is 97.
LEAST_RIGHT = 0.95
ROWS_RIGHT = 0.85


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def _crop(image: np.ndarray, margin: int) -> np.ndarray:
    down, across = np.nonzero(image > 40)
    return np.pad(image[down.min() : down.max() + 1, across.min() : across.max() + 1], margin)


@pytest.mark.parametrize("margin", [0, 1, 2, 4])
@pytest.mark.parametrize("scale", [1, 4, 12])
@pytest.mark.parametrize("invert", [False, True], ids=["white on black", "black on white"])
def test_a_digit_cropped_to_its_ink_is_read(
    reader: Reader, sample: mnist.Images, margin: int, scale: int, invert: bool
) -> None:
    chosen = sample.take(mnist.first_per_class(sample.labels, 10))
    right = 0
    for pixels, label in zip(chosen.pixels, chosen.labels, strict=True):
        image = cv2.resize(_crop(pixels[..., 0], margin), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        right += reader.read(255 - image if invert else image).rows == (str(label),)

    assert right >= LEAST_RIGHT * len(chosen)


@pytest.mark.parametrize("height_px", [30, 90])
@pytest.mark.parametrize("invert", [False, True], ids=["dark on light", "light on dark"])
def test_a_row_cropped_to_its_ink_is_read(reader: Reader, height_px: int, invert: bool) -> None:
    random, right = np.random.default_rng(0), 0
    for seed in range(20):
        row = "".join(map(str, random.integers(0, 10, random.integers(2, 7))))
        page = draw_page((row,), seed=seed, pen=PagePen(height_px=height_px, width_px=height_px // 9))
        down, across = np.nonzero(page < 128)
        crop = page[down.min() : down.max() + 1, across.min() : across.max() + 1]
        right += reader.read(255 - crop if invert else crop).rows == (row,)

    assert right >= ROWS_RIGHT * 20


def test_boxes_of_a_crop_are_in_its_own_pixels(reader: Reader, sample: mnist.Images) -> None:
    image = cv2.resize(_crop(sample.pixels[mnist.first_per_class(sample.labels, 1)[3]][..., 0], 0), None, fx=5, fy=5)

    (digit,) = reader.read(image).digits

    assert (digit.box.x, digit.box.y) == pytest.approx((0, 0), abs=4)
    assert (digit.box.right, digit.box.bottom) == pytest.approx(image.shape[::-1], abs=4)
    assert digit.box.right <= image.shape[1]
    assert digit.box.bottom <= image.shape[0]


@pytest.mark.parametrize("condition", ["plain", "page-border", "shadow-edge", "ruled", "letters", "drawings", "empty"])
def test_a_scene_gets_no_margin(condition: str) -> None:
    for seed in range(3):
        gray = cv2.cvtColor(draw_scene(condition, seed, most_megapixels=0.4).picture, cv2.COLOR_RGB2GRAY)

        frame, margin = add_margin(gray)

        assert margin == 0
        assert frame is gray


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 3), (1, 500), (500, 1), (9, 9)], ids=str)
def test_frames_of_any_size_are_looked_at(shape: tuple[int, int]) -> None:
    for seed in range(10):
        frame = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)

        padded, margin = add_margin(frame)

        assert padded.shape == (shape[0] + 2 * margin, shape[1] + 2 * margin)


def test_half_a_frame_of_ground_is_no_crop() -> None:
    frame = np.full((200, 300), 220, np.uint8)
    frame[100:] = 60

    assert add_margin(frame)[1] == 0
    assert add_margin(frame.T.copy())[1] == 0
