"""Non-digit images from an idx file like MNIST's, or from a folder of pictures.

Pixels are used as they are, 0 for paper and 255 for ink. Nothing is inverted or cropped here.
"""

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.contract import IMAGE_SHAPE
from ....edge.common.errors import EdgeMnistError
from ....edge.common.files import open_file
from ....edge.common.kinds import explain_pointer
from ....edge.media.listing import describe_left_out, is_video, list_tree
from ....edge.media.pictures import SUFFIXES, read_gray
from ...errors import BenchmarkError

# The header of an idx file of unsigned bytes with three dimensions, big-endian.
MAGIC = 0x00000803
HEADER_BYTES = 16
GZIP = b"\x1f\x8b"
# More would be gigabytes of logits and pixels; notMNIST's larger set has 530,000.
MOST_IMAGES = 1_000_000
HINT = "Expected an idx file of 28x28 images, gzipped or not, a folder with one *images* file, or a folder of pictures."


@dataclass(frozen=True)
class NonDigits:
    """Non-digit images: uint8 [N, 28, 28, 1], and the name of the file or folder that they come from."""

    name: str
    pixels: NDArray[np.uint8]

    @property
    def sha256(self) -> str:
        """SHA-256 of all pixels."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()


def read_non_digits(path: Path) -> NonDigits:
    """Load non-digit images from an idx file or a folder of pictures.

    Args:
        path: An idx file, gzipped or not; a folder with one whose name contains `images`; or a folder with pictures, in
            subfolders or not, each scaled to 28x28 whatever its shape.

    Raises:
        BenchmarkError: The path has another content.
        PictureError: A picture cannot be read.
    """
    if not path.is_dir():
        return NonDigits(path.name, _read_idx(path))
    files = sorted(file for file in path.glob("*images*") if file.is_file() and file.suffix.lower() not in SUFFIXES)
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise BenchmarkError(f"{path}: expected one *images* file, got {names}. Name one of them.")
    return NonDigits(path.resolve().name, _read_idx(files[0]) if files else _read_pictures(path))


def _read_idx(path: Path) -> NDArray[np.uint8]:
    content = _read_content(path)
    shape = IMAGE_SHAPE[:2]
    if len(content) < HEADER_BYTES:
        raise BenchmarkError(f"{path}: expected an idx file of images, got {len(content)} bytes. {HINT}")
    magic, count, *size = struct.unpack(">4I", content[:HEADER_BYTES])
    if magic != MAGIC or tuple(size) != shape:
        raise BenchmarkError(
            f"{path}: expected an idx file of 28x28 images, got another header.{explain_pointer(content)} {HINT}"
        )
    if not 0 < count <= MOST_IMAGES or len(content) != HEADER_BYTES + count * shape[0] * shape[1]:
        raise BenchmarkError(
            f"{path}: its header says {count:,} images, which does not match its length, or is not 1 to "
            f"{MOST_IMAGES:,}. Download it again, or choose another file."
        )
    return np.frombuffer(content, np.uint8, offset=HEADER_BYTES).reshape(-1, *IMAGE_SHAPE)


def _read_content(path: Path) -> bytes:
    """Read all bytes of a file, unpacked if necessary, but never more than the most images take."""
    most = HEADER_BYTES + MOST_IMAGES * IMAGE_SHAPE[0] * IMAGE_SHAPE[1] + 1
    try:
        with open_file(path) as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            if not packed:
                return file.read(most)
            with gzip.open(file) as unpacked:
                return unpacked.read(most)
    except BenchmarkError:
        raise
    except EdgeMnistError as error:
        raise BenchmarkError(f"{error} {HINT}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a damaged gzip file"
        raise BenchmarkError(f"{path}: cannot be read ({reason}). {HINT}") from error


def _read_pictures(folder: Path) -> NDArray[np.uint8]:
    listing = list_tree(folder)
    files = [file for file in listing.paths if not is_video(file)]
    if listing.unread:
        raise BenchmarkError(
            f"{folder}: {describe_left_out(listing.unread)}. Save them as PNG, or remove them from the folder."
        )
    if not 0 < len(files) <= MOST_IMAGES:
        raise BenchmarkError(f"{folder}: expected up to {MOST_IMAGES:,} pictures, got {len(files):,}. {HINT}")
    size = (IMAGE_SHAPE[1], IMAGE_SHAPE[0])
    images = [cv2.resize(read_gray(file), size, interpolation=cv2.INTER_AREA) for file in files]
    return np.stack(images).astype(np.uint8, copy=False)[..., None]
