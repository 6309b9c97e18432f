"""Convert decoded pictures of any mode to eight bits, gray or in colour, and turn them upright."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from .transparency import choose_background

# Rows that are converted at a time, so that only one copy of a large picture is in memory.
BAND_ROWS = 256
# How stored pixels are turned upright, by the number in EXIF's Orientation tag.
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


@dataclass(frozen=True)
class DecodedPicture:
    """Decoded pixels, converted piece by piece so that only one copy of a large picture is in memory."""

    width: int
    height: int
    crop: Callable[[int, int], Image.Image]

    def bands(self) -> Iterator[Image.Image]:
        """Yield bands of BAND_ROWS rows, top to bottom."""
        for top in range(0, self.height, BAND_ROWS):
            yield self.crop(top, min(top + BAND_ROWS, self.height))


def crop_image(image: Image.Image) -> DecodedPicture:
    """Decode a Pillow picture, of any mode; Pillow may raise any exception."""
    # TIFF turns itself upright here, and swaps its width and height.
    image.load()
    return DecodedPicture(image.width, image.height, lambda top, bottom: image.crop((0, top, image.width, bottom)))


def turn_upright(pixels: NDArray[np.uint8], image: Image.Image) -> NDArray[np.uint8]:
    """Turn pixels as the picture's EXIF data say, see `UPRIGHT`."""
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def convert_pixels(decoded: DecodedPicture, mode: Literal["L", "RGB"]) -> NDArray[np.uint8]:
    """Convert to gray or colour: uint8 [height, width] or [height, width, 3].

    16-bit and float pictures are stretched from their darkest to their lightest pixel; transparent ones are shown on a
    ground, see `transparency.py`.

    Raises:
        ValueError: No pixel has a finite value.
    """
    first = next(decoded.bands())
    to_eight_bits: Callable[[Image.Image], Image.Image] = lambda band: band  # noqa: E731 - the third of three
    if first.mode.startswith(("I", "F")):
        to_eight_bits = _choose_stretch(decoded)
    elif first.has_transparency_data:
        to_eight_bits = choose_background(decoded.bands(), mode)
    channels = {"L": (), "RGB": (3,)}[mode]
    pixels = np.empty((decoded.height, decoded.width, *channels), np.uint8)
    for number, band in enumerate(decoded.bands()):
        top = number * BAND_ROWS
        pixels[top : top + band.height] = np.asarray(to_eight_bits(band).convert(mode))
    return pixels


def _choose_stretch(decoded: DecodedPicture) -> Callable[[Image.Image], Image.Image]:
    """Choose how to convert a 16-bit or float picture to bytes, which Pillow would cut off at 255."""
    limits = [_finite_limits(np.asarray(band)) for band in decoded.bands()]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    if low > high:
        raise ValueError("no pixel has a finite value")
    factor = 255 / max(high - low, 1e-9)

    def stretch(band: Image.Image) -> Image.Image:
        # In this order nothing overflows, and values that are not numbers become black, white or the darkest.
        values = np.asarray(band, np.float32) * np.float32(factor) - np.float32(low * factor)
        return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8))

    return stretch


def _finite_limits(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return the least and the greatest number among the values; (inf, -inf) if there is none."""
    numbers = values[np.isfinite(values)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (math.inf, -math.inf)
