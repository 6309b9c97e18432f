"""Digits as pictures inside a page: PNG files in data URIs, ink dark on white paper."""

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .page import embed_png

# White pixels between the images of a strip.
GAP = 2


class DigitTile(NamedTuple):
    """A picture of a page.

    Attributes:
        source: Address of the picture.
        caption: Text under the picture, or before a strip.
        alternative: Text for readers who do not see it.
        kind: Class of the picture.
    """

    source: str
    caption: str
    alternative: str
    kind: str = ""


def draw_tile(image: NDArray[np.uint8], caption: str, alternative: str = "", kind: str = "") -> DigitTile:
    """Draw an image, uint8 [28, 28, 1], over its caption."""
    return DigitTile(_embed(255 - image[..., 0]), caption, alternative or caption, kind)


def draw_strip(images: NDArray[np.uint8], caption: str, alternative: str) -> DigitTile:
    """Draw images side by side, uint8 [N, 28, 28, 1], behind a short caption."""
    gapped = np.pad(images[..., 0], ((0, 0), (0, 0), (0, GAP)))
    return DigitTile(_embed(255 - np.concatenate(list(gapped), axis=1)[:, :-GAP]), caption, alternative)


def _embed(gray: NDArray[np.uint8]) -> str:
    content = io.BytesIO()
    Image.fromarray(gray).save(content, "PNG", optimize=True)
    return embed_png(content.getvalue())
