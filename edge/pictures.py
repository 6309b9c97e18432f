"""Picture files: their pixels, gray or in colour, upright, decoded safely whatever the file holds."""

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from .errors import EdgeMnistError
from .native_log import native_log_to
from .regular_files import read_file

# Four times what phones usually store. Of all formats and modes of this size WebP takes the most memory: a process that
# reads one peaks at 0.88 GB, with its drawing at 0.96 GB.
MOST_MEGAPIXELS = 50
# Pillow may open these and nothing else. Left to itself it would also hand PostScript to a Ghostscript process.
FORMATS: dict[str, tuple[str, ...]] = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpeg", ".jpg", ".mpo"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
# As many pixels in three colours of 16 bits would be 300 MB without any compression.
MOST_MEGABYTES = 300
# Each scan of a progressive JPEG passes over all pixels, however few bytes it has (50 megapixels: 40 ms a scan), so a
# small file could keep the decoder busy for minutes. Encoders write about ten.
MOST_JPEG_SCANS = 40
# Rows that are converted at a time, so that only one copy of a large picture is in memory.
BAND_ROWS = 256
# By the number in EXIF's Orientation tag: how stored pixels become upright ones.
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}

NO_PICTURE = "not a picture, or a damaged one"


# Pillow logs what is odd about a file, and without a handler Python prints that on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class PictureError(EdgeMnistError):
    """A file is not a picture or video that can be read; the message names it and says why."""


def read_gray(picture: Path | str | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read a picture as gray, upright pixels; transparency is shown on white, of several pages the first is read.

    Args:
        picture: A file, or what is in one.
        name: For messages; the path where there is none.

    Returns:
        uint8 [height, width]; 16-bit and float pictures are stretched from their darkest to their lightest pixel.

    Raises:
        PictureError: Missing, empty, too large, truncated, or not a picture.
    """
    with _opened(picture, name) as image:
        # JPEG stores brightness and colour apart: what is not needed is not decoded.
        image.draft("L", None)
        return _upright_pixels(image, "L")


def read_rgb(picture: Path | str | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read a picture as `read_gray` does, in colour: uint8 [height, width, 3].

    Raises:
        PictureError: Missing, empty, too large, truncated, or not a picture.
    """
    with _opened(picture, name) as image:
        return _upright_pixels(image, "RGB")


def too_large(name: str) -> PictureError:
    """The error for a picture or video with more pixels than are read."""
    return PictureError(f"{name}: more than {MOST_MEGAPIXELS} megapixels. Scale it down.")


@contextmanager
def _opened(picture: Path | str | bytes, name: str | None) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong there or in the block becomes a PictureError.

    Damaged files bring almost any exception out of Pillow's decoders: struct.error, KeyError, TypeError, IndexError,
    ZeroDivisionError, MemoryError, not only the documented OSError and SyntaxError. None of them is a mistake of ours,
    and one bad file must not end the reading of a thousand good ones.
    """
    name = name or str(picture)
    try:
        content = picture if isinstance(picture, bytes) else read_file(Path(picture), MOST_MEGABYTES * 1_000_000)
        _check_content(content, name)
        with warnings.catch_warnings():
            # They are about metadata, or about what is refused below before any pixel is decoded.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=tuple(FORMATS)) as image:
                if image.width * image.height > MOST_MEGAPIXELS * 1_000_000:
                    raise too_large(name)
                yield image
    except PictureError:
        raise
    except EdgeMnistError as error:
        raise PictureError(str(error)) from error
    except Image.DecompressionBombError as error:
        raise too_large(name) from error
    except MemoryError as error:
        raise PictureError(f"{name}: does not fit into the memory of this machine. Scale it down.") from error
    except OSError as error:
        raise PictureError(f"{name}: cannot be read ({error.strerror or NO_PICTURE}).") from error
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise PictureError(f"{name}: {NO_PICTURE} ({reason}).") from error


def _check_content(content: bytes, name: str) -> None:
    """Refuse what is empty, and what would take too much memory or time."""
    if not content:
        raise PictureError(f"{name}: the file is empty.")
    if len(content) > MOST_MEGABYTES * 1_000_000:
        raise PictureError(f"{name}: more than {MOST_MEGABYTES} MB. Scale it down.")
    # Within compressed data this marker cannot occur; a thumbnail in the metadata adds one or two.
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MOST_JPEG_SCANS:
        raise PictureError(f"{name}: a JPEG of more than {MOST_JPEG_SCANS} scans. Save it as a baseline JPEG.")


def _upright_pixels(image: Image.Image, mode: Literal["L", "RGB"]) -> NDArray[np.uint8]:
    """Decode into a mode, band by band, and turn upright: uint8 [height, width] or [height, width, 3]."""
    _load(image)
    to_eight_bits = _choose_stretch(image) if image.mode.startswith(("I", "F")) else _show_on_white
    channels = {"L": (), "RGB": (3,)}[mode]
    pixels = np.empty((image.height, image.width, *channels), np.uint8)
    for top, band in _bands(image):
        pixels[top : top + band.height] = np.asarray(to_eight_bits(band).convert(mode))
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _load(image: Image.Image) -> None:
    """Decode. TIFF turns itself upright here, and swaps its width and height."""
    if image.format != "TIFF":
        image.load()
        return
    # libtiff prints what it thinks of a file.
    with Path(os.devnull).open("wb") as nowhere, native_log_to(nowhere):
        image.load()


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The image in pieces of BAND_ROWS rows, each with its first row's number."""
    for top in range(0, image.height, BAND_ROWS):
        yield top, image.crop((0, top, image.width, min(top + BAND_ROWS, image.height)))


def _show_on_white(band: Image.Image) -> Image.Image:
    if not band.has_transparency_data:
        return band
    return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band.convert("RGBA"))


def _choose_stretch(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How to make bytes of a 16-bit or float picture's pixels, which Pillow would cut off at 255."""
    limits = [_finite_limits(np.asarray(band)) for _, band in _bands(image)]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    if low > high:
        raise ValueError("no pixel is a number")
    factor = 255 / max(high - low, 1e-9)

    def stretch(band: Image.Image) -> Image.Image:
        # In this order nothing overflows, and what is no number becomes black, white or the darkest.
        values = np.asarray(band, np.float32) * np.float32(factor) - np.float32(low * factor)
        return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8))

    return stretch


def _finite_limits(values: NDArray[np.generic]) -> tuple[float, float]:
    """The least and the greatest number among the values; (inf, -inf) where there is none."""
    numbers = values[np.isfinite(values)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (math.inf, -math.inf)
