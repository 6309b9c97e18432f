"""Ink on a transparent ground is read whatever its colour; pages with transparent parts stay as they are."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.media.pictures import read_gray, read_rgb

PAGE = draw_page(("3141", "27"), seed=3)
# Of a drawing on white, gray levels.
TOLERANCE = 2
INKS = {"black": (0, 0, 0), "white": (255, 255, 255), "yellow": (230, 230, 120), "gray": (128, 128, 128)}


def _draw(ink: tuple[int, int, int]) -> Image.Image:
    """As a program in dark mode saves it: one colour, and the strokes in the alpha channel."""
    picture = Image.new("RGBA", PAGE.shape[::-1], (*ink, 0))
    picture.putalpha(Image.fromarray(255 - _contrast()))
    return picture


def _contrast() -> np.ndarray:
    """Black strokes on white."""
    page = PAGE.astype(float)
    return ((page - page.min()) / (np.percentile(page, 50) - page.min()) * 255).clip(0, 255).astype(np.uint8)


def _save(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("ink", INKS.values(), ids=INKS)
def test_strokes_are_black_on_white_whatever_their_colour(ink: tuple[int, int, int], kind: str) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}

    gray = read_gray(_save(_draw(ink), kind, **options))

    assert np.abs(gray.astype(int) - _contrast()).max() <= TOLERANCE


def test_strokes_of_several_colours_are_all_there() -> None:
    picture = Image.new("RGBA", (300, 100))
    pen = ImageDraw.Draw(picture)
    for left, ink in ((20, "white"), (110, "black"), (200, "yellow")):
        pen.rectangle((left, 20, left + 12, 80), fill=ink)

    gray = read_gray(_save(picture))

    assert [int(gray[50, left + 6]) for left in (20, 110, 200)] == [0, 0, 0]
    assert gray[5, 5] == 255


@pytest.mark.parametrize("mode", ["LA", "P"])
def test_light_strokes_are_read_in_every_mode(mode: str) -> None:
    picture = _draw((255, 255, 255))
    picture = picture.convert("LA") if mode == "LA" else picture.quantize(32)

    gray = read_gray(_save(picture))

    assert (gray < 128).mean() == pytest.approx((_contrast() < 128).mean(), abs=0.01)


def test_light_strokes_are_drawn_on_a_dark_ground_in_colour() -> None:
    assert read_rgb(_save(_draw((255, 255, 255))))[0, 0].tolist() == [0, 0, 0]
    assert read_rgb(_save(_draw((0, 0, 0))))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("share", [0.3, 0.9], ids=["a small label", "rounded corners"])
def test_a_page_with_a_transparent_margin_is_shown_on_white(share: float) -> None:
    page = Image.fromarray(_contrast())
    size = tuple(round(length / share**0.5) for length in page.size)
    picture = Image.new("RGBA", size)
    picture.paste(page.convert("RGBA"), (10, 10))

    gray = read_gray(_save(picture))

    assert (gray[10 : 10 + page.height, 10 : 10 + page.width] == np.asarray(page)).all()
    assert gray[0, 0] == 255


@pytest.mark.parametrize("alpha", [0, 255], ids=["transparent", "opaque"])
def test_a_blank_picture_is_blank(alpha: int) -> None:
    gray = read_gray(_save(Image.new("RGBA", (90, 60), (40, 40, 40, alpha))))

    assert gray.min() == gray.max() == (40 if alpha else 255)
