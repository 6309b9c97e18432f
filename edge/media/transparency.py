"""Choose the ground on which transparent pictures are read: ink may be of any colour, white in dark mode."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Less than this share of handwriting is visible; more of a page with transparent corners.
MOST_VISIBLE = 0.5
# Difference of neighbouring opaque pixels, in gray levels: the edge of a digit on a label, not a shade of a stroke.
LEAST_EDGE = 40
# Inner edges per outer edge. Strokes have none but where two colours touch; one digit on a label gives more.
MOST_INNER_EDGES = 0.01

Pixels = NDArray[np.uint8]
ToOpaque = Callable[[Image.Image], Image.Image]


def choose_background(bands: Iterable[Image.Image], mode: str) -> ToOpaque:
    """Choose how to make a transparent picture opaque.

    Strokes of any colour on a transparent ground become black on white in gray, and in colour are shown on the ground
    from which they stand out. Other pictures are shown on white, as on a page.

    Args:
        bands: The whole picture in pieces.
        mode: Mode of the pieces, L or RGB.
    """
    sums = np.zeros(5)
    for band in bands:
        gray, alpha = np.moveaxis(np.asarray(band.convert("RGBA").convert("LA")), -1, 0)
        visible, opaque = alpha >= 128, alpha >= 250
        inner, outer = _count_edges(gray, opaque, visible)
        sums += visible.sum(), visible.size, inner, outer, gray[visible].sum(dtype=np.int64)
    visible, size, inner, outer, light = sums
    if not visible or visible > MOST_VISIBLE * size or inner > MOST_INNER_EDGES * outer:
        return _show_on("white")
    if mode == "L":
        return _take_alpha_for_ink
    return _show_on("black" if light > 127 * visible else "white")


def _count_edges(gray: Pixels, opaque: NDArray[np.bool_], visible: NDArray[np.bool_]) -> tuple[int, int]:
    """Count pairs of neighbours across and down: opaque ones that differ in brightness, and visible with invisible."""
    inner = outer = 0
    for before, after in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        step = np.maximum(gray[before], gray[after]) - np.minimum(gray[before], gray[after])
        inner += int((opaque[before] & opaque[after] & (step > LEAST_EDGE)).sum())
        outer += int((visible[before] != visible[after]).sum())
    return inner, outer


def _take_alpha_for_ink(band: Image.Image) -> Image.Image:
    return Image.eval(band.convert("RGBA").getchannel("A"), lambda alpha: 255 - alpha)


def _show_on(ground: str) -> ToOpaque:
    return lambda band: Image.alpha_composite(Image.new("RGBA", band.size, ground), band.convert("RGBA"))
