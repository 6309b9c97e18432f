"""JPEG pictures of cameras: find their ends in a stream of bytes, and decode them within limits."""

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from ..media.jpeg import DamagedJpegError, decode_jpeg, read_size
from ..media.pictures import MOST_JPEG_SCANS, MOST_MEGAPIXELS
from .camera import CameraError

# Ten times what a camera needs for a video frame of 50 megapixels; more is not a picture, or an attack.
MOST_PICTURE_BYTES = 20_000_000
START, END = 0xD8, 0xD9
# FF 00 is a byte of compressed data, FF FF padding; FF 01 and FF D0 to FF D7 stand alone within the data.
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
# There are no markers below this: what looks like one is damage.
LEAST_MARKER = 0xC0
BEGINNING = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")


class JpegSplitter:
    """A splitter that finds pictures in a stream of bytes by their own structure.

    Servers' headers between pictures are not needed, and often wrong: lengths are missing, boundaries have too many
    dashes or other names.
    """

    def __init__(self) -> None:
        self._content = bytearray()
        self._inside = False
        # Number of bytes at the start of `_content` that are already parsed; inside a picture, they belong to it.
        self._offset = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add some bytes; return the pictures that are complete with them, in order.

        Raises:
            CameraError: A picture exceeds the size limit.
        """
        self._content += chunk
        pictures = []
        while (picture := self._take()) is not None:
            pictures.append(picture)
        if len(self._content) > MOST_PICTURE_BYTES:
            raise CameraError(
                f"a picture of more than {MOST_PICTURE_BYTES // 1_000_000} MB. Set the camera to smaller pictures."
            )
        return pictures

    def _take(self) -> bytes | None:
        while self._inside or self._find_start():
            if self._walk():
                return self._cut()
            if self._inside:
                return None
        return None

    def _walk(self) -> bool:
        """Parse from marker to marker; return whether the picture's end was found. A picture without end is skipped."""
        while (found := MARKER.search(self._content, self._offset)) is not None:
            self._offset, marker = found.start(), self._content[found.start() + 1]
            if marker == END:
                self._offset += 2
                return True
            if marker == START or marker < LEAST_MARKER:
                # It was cut off, and another begins; or it is damaged, or not a picture.
                del self._content[: max(self._offset, 2)]
                self._inside = False
                return False
            end = self._offset + 2 + int.from_bytes(self._content[self._offset + 2 : self._offset + 4])
            if len(self._content) < max(self._offset + 4, end):
                return False
            self._offset = end
        # The last byte may be a marker's first half.
        self._offset = max(self._offset, len(self._content) - 1)
        return False

    def _find_start(self) -> bool:
        found = BEGINNING.search(self._content)
        self._inside = found is not None
        # Bytes between pictures are dropped, except for a possible first part of a start.
        del self._content[: found.start() if found else max(0, len(self._content) - 3)]
        self._offset = 2
        return self._inside

    def _cut(self) -> bytes:
        picture = bytes(self._content[: self._offset])
        del self._content[: self._offset]
        self._inside = False
        return picture


def decode_gray(jpeg: bytes) -> NDArray[np.uint8] | None:
    """Decode brightness only: uint8 [height, width], as it is stored; None if the picture is damaged.

    Raises:
        CameraError: The picture exceeds the limit on size or work.
    """
    return _decode(jpeg, "GRAY")


def decode_rgb(jpeg: bytes) -> NDArray[np.uint8] | None:
    """Decode in colour, uint8 [height, width, 3]; None and CameraError as for `decode_gray`."""
    return _decode(jpeg, "RGB")


def _decode(jpeg: bytes, colours: Literal["GRAY", "RGB"]) -> NDArray[np.uint8] | None:
    size = read_size(jpeg)
    if size is None:
        return None
    scans = jpeg.count(b"\xff\xda")
    if size[0] * size[1] > MOST_MEGAPIXELS * 1_000_000 or scans > MOST_JPEG_SCANS:
        raise CameraError(
            f"a JPEG of {size[0]}x{size[1]} pixels and {scans} scans. "
            f"Expected at most {MOST_MEGAPIXELS} megapixels and {MOST_JPEG_SCANS} scans."
        )
    try:
        return decode_jpeg(jpeg, colours, MOST_MEGAPIXELS * 1_000_000)
    except DamagedJpegError:
        return None
    except ValueError:
        # An unusual kind of JPEG, or not a JPEG.
        flags = cv.IMREAD_IGNORE_ORIENTATION | (cv.IMREAD_GRAYSCALE if colours == "GRAY" else cv.IMREAD_COLOR)
        pixels = cv.imdecode(np.frombuffer(jpeg, np.uint8), flags)
        return pixels if pixels is None or colours == "GRAY" else cv.cvtColor(pixels, cv.COLOR_BGR2RGB)
