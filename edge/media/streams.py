"""Split a stream of pictures back to back, as cameras and ffmpeg write them: where one ends and the next begins.

PNG, binary PNM and JPEG state where they end. Any other format is taken for one picture, the whole stream.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ..common.kinds import PROBE_BYTES, TEXT, UNKNOWN, identify_kind
from .pictures import MOST_MEGABYTES, PictureError, check_kind

# Size of each `read1`, which returns what is there, so a picture of a live stream is read when its last byte arrives.
CHUNK_BYTES = 1 << 16
# With fewer bytes a HEIC picture would be taken for a video.
LEAST_PROBE = 16
# Bytes that programs put between or after pictures: line ends and zeros.
PADDING = b"\0\t\n\r "
GAP = rb"(?:\s|#[^\n]*\n)+"
PNM_HEADER = re.compile(rb"P(?:4%b(\d+)%b(\d+)\s|([56])%b(\d+)%b(\d+)%b(\d+)\s)" % (GAP, GAP, GAP, GAP, GAP))
# A PNM header with a longer comment is not worth waiting for, nor are numbers with more digits than Python's int
# takes.
LONGEST_PNM_HEADER = 4096


class _EndOfStreamError(Exception):
    """The stream ended within a picture."""


class _ReadBuffer:
    """The part of a stream that has been read and not yet returned; offsets count from its beginning."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._ended = False
        self.content = bytearray()

    def read_until(self, offset: int) -> None:
        """Read until there are `offset` bytes.

        Raises:
            _EndOfStreamError: The stream ends before.
            PictureError: There are more than in any picture that is read.
        """
        while len(self.content) < offset:
            if not self.read_more():
                raise _EndOfStreamError

    def read_more(self) -> bool:
        """Read some more; return False at the end of the stream."""
        if len(self.content) > MOST_MEGABYTES * 1_000_000:
            raise PictureError(f"{self._name}: more than {MOST_MEGABYTES} MB in one picture. Scale it down.")
        chunk = self._stream.read1(CHUNK_BYTES)  # pyright: ignore[reportAttributeAccessIssue] - buffered streams have it
        self.content += chunk
        return bool(chunk)

    def skip(self, padding: bytes) -> bool:
        """Drop these bytes from the beginning; return False if the stream ends with them."""
        self.content = self.content.lstrip(padding)
        while not self.content and self.read_more():
            self.content = self.content.lstrip(padding)
        return bool(self.content)

    def take(self, offset: int) -> bytes:
        """Remove and return the bytes before an offset."""
        taken = bytes(self.content[:offset])
        del self.content[:offset]
        return taken


def split_pictures(stream: BinaryIO, name: str = "standard input") -> Iterator[bytes]:
    """Yield each picture of a stream as soon as it is complete, and an incomplete last one.

    Data that are not a picture are refused by their first bytes, before more are awaited.

    Args:
        stream: Buffered binary stream.
        name: Name of the stream in messages.

    Raises:
        PictureError: The bytes after a picture do not begin another, a picture is larger than any that is read, or the
            stream holds no picture.
    """
    buffer = _ReadBuffer(stream, name)
    count = 0
    while buffer.skip(PADDING if count else b""):
        find_end = _find_format(buffer)
        if count and find_end is None:
            raise PictureError(
                f"{name}: after picture {count - 1} follow bytes that do not start a picture. Expected PNG, JPEG "
                "or PNM."
            )
        if find_end is None:
            check_kind(_read_probe(buffer), name)
        yield _take_picture(buffer, find_end or _end_of_stream)
        count += 1


def _take_picture(buffer: _ReadBuffer, find_end: Callable[[_ReadBuffer], int]) -> bytes:
    try:
        return buffer.take(find_end(buffer))
    except _EndOfStreamError:
        return buffer.take(len(buffer.content))


def _find_format(buffer: _ReadBuffer) -> Callable[[_ReadBuffer], int] | None:
    """Find the function that finds this picture's end; None for a format that does not state its end."""
    try:
        buffer.read_until(2)
    except _EndOfStreamError:
        return None
    return ENDS.get(bytes(buffer.content[:2]))


def _read_probe(buffer: _ReadBuffer) -> bytes:
    """Return as many first bytes as it takes to identify the kind of the next picture."""
    while len(buffer.content) < PROBE_BYTES:
        if len(buffer.content) >= LEAST_PROBE and identify_kind(bytes(buffer.content)) not in {UNKNOWN, TEXT}:
            break
        if not buffer.read_more():
            break
    return bytes(buffer.content[:PROBE_BYTES])


def _end_of_stream(buffer: _ReadBuffer) -> int:
    while buffer.read_more():
        pass
    return len(buffer.content)


def _end_of_png(buffer: _ReadBuffer) -> int:
    """Find the end after the chunk IEND. Source: PNG specification, 5.3: a chunk is length, type, content, checksum."""
    offset = 8
    while True:
        buffer.read_until(offset + 8)
        length, kind = int.from_bytes(buffer.content[offset : offset + 4]), buffer.content[offset + 4 : offset + 8]
        offset += 12 + length
        buffer.read_until(offset)
        if kind == b"IEND":
            return offset


def _end_of_pnm(buffer: _ReadBuffer) -> int:
    """Find the end from the size in the header. Source: Netpbm's manual pages pbm(5), pgm(5), ppm(5)."""
    while (header := PNM_HEADER.match(buffer.content, 0, LONGEST_PNM_HEADER)) is None:
        if len(buffer.content) > LONGEST_PNM_HEADER or not buffer.read_more():
            return _end_of_stream(buffer)
    if header[1]:
        size = (int(header[1]) + 7) // 8 * int(header[2])
    else:
        channels = {b"5": 1, b"6": 3}[header[3]]
        size = int(header[4]) * int(header[5]) * channels * (1 if int(header[6]) < 256 else 2)
    buffer.read_until(header.end() + size)
    return header.end() + size


def _end_of_jpeg(buffer: _ReadBuffer) -> int:
    """Find the end after the marker EOI that is not a thumbnail's. Source: ITU-T T.81, B.1.1.

    Pictures that follow a photograph with a multi-picture index (MPO, gain maps) belong to it.
    """
    offset = 2
    while True:
        offset = _find_marker(buffer, offset)
        marker = buffer.content[offset + 1]
        offset += 2
        if marker == 0xD9:
            return offset
        buffer.read_until(offset + 6)
        if marker == 0xE2 and buffer.content[offset + 2 : offset + 6] == b"MPF\0":
            return _end_of_stream(buffer)
        offset += int.from_bytes(buffer.content[offset : offset + 2])


def _find_marker(buffer: _ReadBuffer, offset: int) -> int:
    """Find the next marker that is followed by a segment or ends the picture."""
    while True:
        buffer.read_until(offset + 2)
        found = buffer.content.find(b"\xff", offset)
        offset = found if found >= 0 else len(buffer.content)
        buffer.read_until(offset + 2)
        # FF 00 is a byte of compressed data, FF FF padding; FF 01 and FF D0 to FF D7 stand alone within the data.
        if found >= 0 and buffer.content[offset + 1] not in JPEG_WITHOUT_SEGMENT:
            return offset
        offset += found >= 0


JPEG_WITHOUT_SEGMENT = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD8)})
# Function that finds the end, by the first two bytes.
ENDS: dict[bytes, Callable[[_ReadBuffer], int]] = {
    b"\xff\xd8": _end_of_jpeg,
    b"\x89P": _end_of_png,
    b"P4": _end_of_pnm,
    b"P5": _end_of_pnm,
    b"P6": _end_of_pnm,
}
