"""Digits as pictures inside a page: PNG files in data URIs, ink dark on white paper."""

import base64
import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..terminal.text import escape_html

STYLE = """
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(5rem, 1fr)); gap: .6rem; margin: 1rem 0; }
figure { margin: 0; }
.tiles img { display: block; height: 3.5rem; margin: 0 auto; border: 1px solid var(--line);
  image-rendering: pixelated; }
.tiles.strips { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .6rem 1.5rem; }
.strips figure { display: flex; align-items: center; gap: .5rem; } .strips img { flex: 1; min-width: 0; height: auto; }
figcaption { font-size: .8rem; color: var(--soft); text-align: center; }
"""
# White pixels between the images of a strip.
GAP = 2


def draw_tile(image: NDArray[np.uint8], caption: str) -> str:
    """Draw an image, uint8 [28, 28, 1], over its caption."""
    return f"<figure>{_picture(image[..., 0], caption)}<figcaption>{escape_html(caption)}</figcaption></figure>"


def draw_strip(images: NDArray[np.uint8], caption: str, alternative: str) -> str:
    """Draw images side by side, uint8 [N, 28, 28, 1], behind a short caption."""
    gapped = np.pad(images[..., 0], ((0, 0), (0, 0), (0, GAP)))
    row = np.concatenate(list(gapped), axis=1)[:, :-GAP]
    return f"<figure><figcaption>{escape_html(caption)}</figcaption>{_picture(row, alternative)}</figure>"


def draw_gallery(tiles: Iterable[str]) -> str:
    """Lay out tiles in as many columns as fit."""
    return f'<div class="tiles">{"".join(tiles)}</div>'


def draw_strips(strips: Iterable[str]) -> str:
    """Lay out strips in as many columns as fit."""
    return f'<div class="tiles strips">{"".join(strips)}</div>'


def _picture(ink: NDArray[np.uint8], alternative: str) -> str:
    content = io.BytesIO()
    Image.fromarray(255 - ink).save(content, "PNG", optimize=True)
    source = base64.b64encode(content.getvalue()).decode("ascii")
    return f'<img alt="{escape_html(alternative)}" src="data:image/png;base64,{source}">'
