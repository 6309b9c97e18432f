"""Decode JPEG pictures strictly: a picture that lost data is refused, where most decoders fill the gap and go on.

libjpeg warns of lost data on standard error, but still returns a whole picture: 31415976 for 31415926. simplejpeg
raises that warning, but only the first of a picture. Some cameras cause a harmless one in every picture; then this
module looks for damage behind it.
"""

import re
import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError

# Cameras put stray bytes before a marker, Logitech's C270 and C910 up to nine. More are data that the decoder could
# not place: it was already out of step.
MOST_STRAY_BYTES = 16
STRAY = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")
RESTART_COMPLAINT = re.compile(r"before marker 0xd[0-7]")
# Pictures of 12 bits, of other processes, or with odd subsampling: other decoders may support them.
UNSUPPORTED = re.compile(r"[Uu]nsupported JPEG|Sorry|precision|subsampling")
ODD_HEADER = ("Invalid SOS parameters for sequential JPEG", "Warning: unknown JFIF revision", "Unknown Adobe color")
# Markers. Source: ITU-T T.81, table B.1.
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL, START_OF_SCAN, RESTART_INTERVAL = frozenset({0xC0, 0xC1}), 0xDA, 0xDD
# A picture made of one piece has no restarts, and needs no metadata.
NOT_FOR_PIECES = frozenset({RESTART_INTERVAL, 0xFE, *range(0xE0, 0xF0)})
# Bytes of a frame's segment with one component.
LEAST_FRAME = 13
HEADER_MARKER = re.compile(rb"\xff([\xc0-\xcf\xda-\xfe])")
RESTART = re.compile(rb"\xff([\xd0-\xd7])")
# FF 00 is a byte of compressed data, FF FF padding.
END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# Most cameras write one piece per row of blocks. Each costs some microseconds.
MOST_PIECES = 4096
# Bytes of tables alone; usual ones have 700.
LONGEST_HEADER = 10_000
WIDEST = 65_500


class DamagedJpegError(EdgeMnistError):
    """Data of a picture are lost or wrong; the message is the decoder's."""


def decode_jpeg(jpeg: bytes, colours: Literal["GRAY", "RGB"], most_pixels: int) -> NDArray[np.uint8]:
    """Decode a picture as it is stored, not turned upright.

    Args:
        jpeg: The file's bytes.
        colours: GRAY decodes brightness only, which JPEG stores separately.
        most_pixels: Limit on pixels; a larger picture is refused before it is decoded.

    Returns:
        uint8 [height, width] for GRAY, [height, width, 3] for RGB.

    Raises:
        DamagedJpegError: Some of its data are lost or wrong, or it has too many pixels.
        ValueError: It is not a JPEG, or of a kind that simplejpeg cannot decode.
    """
    size = read_size(jpeg)
    if size is None:
        raise ValueError("it has no size")
    if size[0] * size[1] > most_pixels:
        raise DamagedJpegError(f"{size[0]} x {size[1]} pixels, expected at most {most_pixels // 1_000_000} megapixels")
    try:
        pixels = simplejpeg.decode_jpeg(jpeg, colours)
    except ValueError as error:
        pixels = simplejpeg.decode_jpeg(_tidy(jpeg, str(error)), colours, strict=False)
    return pixels[..., 0] if colours == "GRAY" else pixels


def read_size(jpeg: bytes) -> tuple[int, int] | None:
    """Read (width, height) from the picture's header without decoding; None if it has no header."""
    for segment in _split_header(jpeg):
        if len(segment) >= LEAST_FRAME and segment[1] in START_OF_FRAME and segment[0] == 0xFF:
            height, width = struct.unpack_from(">HH", segment, 5)
            return (width, height) if width and height else None
    return None


def _tidy(jpeg: bytes, complaint: str) -> bytes:
    """Return the picture that a complaint is about, its header repaired if necessary, or raise a DamagedJpegError."""
    if complaint.startswith(ODD_HEADER) or _is_few_stray(complaint):
        jpeg = b"".join(_split_header(jpeg))
        complaint = _complain(jpeg)
    if not complaint or complaint.startswith(ODD_HEADER):
        return jpeg
    if UNSUPPORTED.search(complaint):
        raise ValueError(complaint)
    # At the end of the data stray bytes hide nothing; before a restart marker they hide the data after them.
    if not _is_few_stray(complaint) or (RESTART_COMPLAINT.search(complaint) and not _are_pieces_whole(jpeg)):
        raise DamagedJpegError(complaint.strip())
    return jpeg


def _complain(jpeg: bytes) -> str:
    """Return the decoder's first complaint; empty if there is none."""
    try:
        simplejpeg.decode_jpeg(jpeg, "GRAY")
    except ValueError as error:
        return str(error)
    return ""


def _is_few_stray(complaint: str) -> bool:
    stray = STRAY.match(complaint)
    return stray is not None and int(stray[1]) <= MOST_STRAY_BYTES


def _split_header(jpeg: bytes) -> Iterator[bytes]:
    """Yield the segments up to the first scan, without stray bytes and with usual scan parameters, then the rest."""
    yield jpeg[:2]
    offset, is_sequential = 2, False
    while (found := HEADER_MARKER.search(jpeg, offset)) is not None:
        offset = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
        marker, segment = found[1][0], jpeg[found.start() : offset]
        is_sequential |= marker in SEQUENTIAL
        if marker == START_OF_SCAN:
            yield segment[:-3] + b"\0\x3f\0" if is_sequential else segment
            break
        yield segment
    yield jpeg[offset:]


def _are_pieces_whole(jpeg: bytes) -> bool:
    """Whether all pieces between restart markers are present, in order, and decode to their last block."""
    pieces = list(_cut_at_restarts(jpeg))
    return bool(pieces) and all(not complaint or _is_few_stray(complaint) for complaint in map(_complain, pieces))


def _cut_at_restarts(jpeg: bytes) -> Iterator[bytes]:
    """Yield each piece as its own picture, one row of blocks; nothing if the pieces do not match the header.

    A piece depends on nothing before it. Source: ITU-T T.81, E.1.4 and E.2.4.
    """
    *header, rest = _split_header(jpeg)
    segments = {segment[1]: segment for segment in header}
    frame = next((segments[marker] for marker in SEQUENTIAL & segments.keys()), b"")
    if len(frame) < LEAST_FRAME or RESTART_INTERVAL not in segments:
        return
    height, width, components = struct.unpack_from(">HHB", frame, 5)
    # In a picture with one component, blocks are not grouped.
    samplings = frame[11 : 11 + 3 * components : 3] if components > 1 else b"\x11"
    block_width, block_height = (
        8 * max(1, *nibbles) for nibbles in zip(*(divmod(s, 16) for s in samplings), strict=True)
    )
    blocks = -(-width // block_width) * -(-height // block_height)
    end = END_OF_SCAN.search(rest)
    parts = RESTART.split(rest[: end.start()] if end else rest)
    pieces, markers = parts[::2], b"".join(parts[1::2])
    interval = int.from_bytes(segments[RESTART_INTERVAL][4:6]) or blocks
    cycle = bytes(0xD0 + number % 8 for number in range(len(markers)))
    header = [part for part in header if part[1] not in NOT_FOR_PIECES]
    too_much = len(pieces) > MOST_PIECES or sum(map(len, header)) > LONGEST_HEADER
    if too_much or markers != cycle or len(pieces) != -(-blocks // interval):
        return
    for number, piece in enumerate(pieces):
        piece_width = min(interval, blocks - number * interval) * block_width
        if piece_width > WIDEST:
            return
        size = struct.pack(">HH", block_height, piece_width)
        yield b"".join(frame[:5] + size + frame[9:] if part is frame else part for part in header) + piece + b"\xff\xd9"
