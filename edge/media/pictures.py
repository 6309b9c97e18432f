"""Read picture files: their pixels, gray or in colour, upright, decoded safely whatever the file holds."""

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..common.errors import EdgeMnistError
from ..common.files import open_file, read_most
from ..common.kinds import HEIC, PROBE_BYTES, UNKNOWN, Kind, identify_kind
from ..common.opencv import cv
from .conversion import DecodedPicture, convert_pixels, crop_image, turn_upright
from .jpeg import decode_jpeg

# Four times what phones usually store.
MOST_MEGAPIXELS = 50
# The only formats that Pillow may open. By default it would also pass PostScript to a Ghostscript process.
FORMATS: dict[str, tuple[str, ...]] = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpeg", ".jpg", ".mpo"),
    "JPEG2000": (".j2k", ".jp2", ".jpx"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
# Read if pillow-heif is installed (the extra `heif`); otherwise the error names it.
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
SUFFIXES = frozenset(suffix for suffixes in (*FORMATS.values(), HEIF_SUFFIXES) for suffix in suffixes)
# 50 megapixels in three colours of 16 bits are 300 MB without any compression.
MOST_MEGABYTES = 300
# Each scan of a progressive JPEG passes over all pixels, however few bytes it has (50 megapixels: 40 ms a scan), so a
# small file could keep the decoder busy for minutes. Encoders write about ten.
MOST_JPEG_SCANS = 40

NO_PICTURE = "not a picture, or a damaged one"
HEIF_ADVICE = "pip install 'edge-mnist[heif]' adds support for it; or save it as JPEG or PNG."

# Pillow logs what is odd about a file, and without a handler Python prints that on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class PictureError(EdgeMnistError):
    """A file is not a picture or video that can be read; the message names it and gives the reason."""


def read_gray(picture: Path | str | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read a picture as gray, upright pixels; of several pages the first is read.

    Strokes of any colour on a transparent ground become black on white; see `transparency.py`.

    Args:
        picture: Path of a file, or the content of one.
        name: Name of the picture in messages; None takes the path.

    Returns:
        uint8 [height, width]; 16-bit and float pictures are stretched from their darkest to their lightest pixel.

    Raises:
        PictureError: Missing, empty, too large, damaged, or not a picture.
    """
    with _opened(picture, name) as (image, content):
        return _upright_pixels(image, content, "L")


def read_rgb(picture: Path | str | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read a picture like `read_gray`, but in colour: uint8 [height, width, 3].

    Raises:
        PictureError: Missing, empty, too large, damaged, or not a picture.
    """
    with _opened(picture, name) as (image, content):
        return _upright_pixels(image, content, "RGB")


def too_large(name: str) -> PictureError:
    """Make the error for a picture or video with more pixels than are read."""
    return PictureError(f"{name}: more than {MOST_MEGAPIXELS} megapixels. Scale it down.")


def open_header(content: bytes) -> Image.Image:
    """Open a picture without decoding it, ignoring Pillow's warnings; Pillow may raise any exception."""
    heif = ("HEIF",) if identify_kind(content) is HEIC and _can_read_heif() else ()
    return Image.open(BytesIO(content), formats=(*FORMATS, *heif))


@contextmanager
def _opened(picture: Path | str | bytes, name: str | None) -> Iterator[tuple[Image.Image, bytes]]:
    """Open a picture and yield it with the file's bytes; any error there or in the block becomes a PictureError.

    Damaged files bring almost any exception out of Pillow's decoders: struct.error, KeyError, TypeError, IndexError,
    ZeroDivisionError, MemoryError, not only the documented OSError and SyntaxError. None of them is a mistake of ours,
    and one bad file must not end the reading of a thousand good ones.
    """
    name = name or str(picture)
    content = picture if isinstance(picture, bytes) else _read_content(Path(picture), name)
    kind = check_kind(content, name)
    _check_size(content, name)
    try:
        with warnings.catch_warnings():
            # They are about metadata, or about pictures that are refused below before any pixel is decoded.
            warnings.simplefilter("ignore")
            with open_header(content) as image:
                if image.width * image.height > MOST_MEGAPIXELS * 1_000_000:
                    raise too_large(name)
                yield image, content
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(name) from error
    except MemoryError as error:
        raise PictureError(f"{name}: does not fit into this machine's memory. Scale it down.") from error
    except Exception as error:
        raise PictureError(
            f"{name}: {kind.name}, but damaged ({_explain(error)}). Download or take it again."
        ) from error


def _explain(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its header cannot be read"
    return str(error).partition("\n")[0].strip() or type(error).__name__


def _read_content(path: Path, name: str) -> bytes:
    """Read a whole file at once, so that it cannot change meanwhile; refuse other kinds by their first bytes."""
    try:
        with open_file(path) as file:
            beginning = file.read(PROBE_BYTES)
            check_kind(beginning, name)
            return beginning + read_most(file, MOST_MEGABYTES * 1_000_000 + 1 - len(beginning))
    except OSError as error:
        raise PictureError(f"{name}: cannot be read ({error.strerror}).") from error
    except PictureError:
        raise
    except EdgeMnistError as error:
        raise PictureError(str(error)) from error


def check_kind(beginning: bytes, name: str) -> Kind:
    """Identify a picture by its first bytes.

    Raises:
        PictureError: It is empty, not a picture, or cannot be read here; the message says what to do.
    """
    if not beginning:
        raise PictureError(f"{name}: the file is empty.")
    kind = identify_kind(beginning)
    if kind is UNKNOWN:
        raise PictureError(f"{name}: {NO_PICTURE}.")
    if kind.holds != "picture":
        raise PictureError(f"{name}: {kind.name}, not a supported picture. {kind.advice}".rstrip())
    if kind is HEIC and not _can_read_heif():
        raise PictureError(f"{name}: {kind.name}. {HEIF_ADVICE}")
    return kind


@cache
def _can_read_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - an extra, and 26 MB
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def _check_size(content: bytes, name: str) -> None:
    """Refuse a picture that would take too much memory or time."""
    if len(content) > MOST_MEGABYTES * 1_000_000:
        raise PictureError(f"{name}: more than {MOST_MEGABYTES} MB. Scale it down.")
    # Within compressed data this marker cannot occur; a thumbnail in the metadata adds one or two.
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MOST_JPEG_SCANS:
        raise PictureError(f"{name}: a JPEG of more than {MOST_JPEG_SCANS} scans. Save it as a baseline JPEG.")


def _upright_pixels(image: Image.Image, content: bytes, mode: Literal["L", "RGB"]) -> NDArray[np.uint8]:
    """Decode into a mode and turn upright: uint8 [height, width] or [height, width, 3]."""
    pixels = _decode_whole_jpeg(content, mode) if image.format in {"JPEG", "MPO"} else None
    if pixels is None:
        pixels = convert_pixels(_decode(image, content), mode)
    return turn_upright(pixels, image)


def _decode_whole_jpeg(content: bytes, mode: Literal["L", "RGB"]) -> NDArray[np.uint8] | None:
    """Decode a whole JPEG; return None if only Pillow may know its kind."""
    try:
        return decode_jpeg(content, "GRAY" if mode == "L" else "RGB", MOST_MEGAPIXELS * 1_000_000)
    except ValueError:
        return None


def _decode(image: Image.Image, content: bytes) -> DecodedPicture:
    if image.format == "WEBP" and not getattr(image, "is_animated", False):
        # Pillow takes two to four times as much memory, 200 MB for 13 megapixels.
        bgr = cv.imdecode(np.frombuffer(content, np.uint8), cv.IMREAD_UNCHANGED)
        if bgr is not None:
            return DecodedPicture(bgr.shape[1], bgr.shape[0], lambda top, bottom: _swap_colours(bgr[top:bottom]))
    if image.format == "TIFF":
        _silence_libtiff()
    return crop_image(image)


def _swap_colours(bgr: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(cv.cvtColor(bgr, {3: cv.COLOR_BGR2RGB, 4: cv.COLOR_BGRA2RGBA}[bgr.shape[2]]))


@cache
def _silence_libtiff() -> None:
    """Stop libtiff from printing messages about pictures that Pillow refuses anyway.

    Its output cannot be redirected without losing what other threads write meanwhile.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    for path in {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libtiff" in line}:
        library = ctypes.CDLL(path)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
