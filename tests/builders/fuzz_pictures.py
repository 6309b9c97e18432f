"""Damaged pictures and videos without end: small files of every format that is read, and ways to spoil them.

Everything follows from a seed, so a file that broke something can be made again.
"""

import io
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.media.listing import SUFFIXES

Random = np.random.Generator
# What parsers are tested on too seldom: nothing, signs, and sizes that overflow or exhaust.
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 7000, 20_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Metadata that unpacks to a thousand times its size, just below what Pillow takes.
BOMB = zlib.compress(bytes(1_000_000))
# Of Adam7: first row, first column, row step and column step of each pass. Source: PNG specification, 8.2.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def make_case(seed: int, number: int) -> tuple[str, bytes]:
    """The suffix and the content of one damaged file."""
    random = np.random.default_rng([seed, number])
    originals = make_originals()
    suffix, content = originals[random.integers(len(originals))]
    for _ in range(random.integers(1, 4)):
        content = MUTATIONS[random.integers(len(MUTATIONS))](content, random)
    if content.startswith(b"\x89PNG") and random.random() < 0.7:
        # Otherwise a checksum ends nearly every attempt before it has begun.
        content = _repair_checksums(content)
    if random.random() < 0.1:
        suffix = sorted(SUFFIXES)[random.integers(len(SUFFIXES))]
    return suffix, content


@cache
def make_originals() -> tuple[tuple[str, bytes], ...]:
    """Whole files, each with its suffix: every format, and within formats what is decoded by other code."""
    gray = Image.fromarray(draw_page(("27",), seed=1, pen=PagePen(height_px=24, width_px=3)))
    colour = Image.merge("RGB", (gray, gray.transpose(Image.Transpose.FLIP_TOP_BOTTOM), gray))
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    pictures: list[tuple[str, Image.Image, dict[str, object]]] = [
        *(("PNG", gray.convert(mode), {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        ("PNG", wide, {}),
        ("PNG", gray.convert("P"), {"transparency": 3}),
        ("PNG", colour, {"save_all": True, "append_images": [colour.rotate(5)]}),
        ("JPEG", gray, {}),
        ("JPEG", colour, {"progressive": True, "exif": turned}),
        ("JPEG", colour.convert("CMYK"), {}),
        ("MPO", colour, {"save_all": True, "append_images": [colour]}),
        ("GIF", gray, {"save_all": True, "append_images": [gray.rotate(5), gray.rotate(9)]}),
        ("BMP", gray.convert("P"), {}),
        ("BMP", colour.convert("RGBA"), {}),
        *(("TIFF", colour, {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")),
        ("TIFF", gray.convert("1"), {"compression": "group4"}),
        ("TIFF", gray, {"compression": "packbits", "save_all": True, "append_images": [gray]}),
        ("TIFF", gray.convert("F"), {}),
        ("TIFF", wide, {"compression": "tiff_lzw"}),
        ("WEBP", colour.convert("RGBA"), {"lossless": True}),
        ("WEBP", colour, {"save_all": True, "append_images": [colour.rotate(5)]}),
        *(("PPM", gray.convert(mode), {}) for mode in ("1", "L", "RGB")),
    ]
    whole = [(f".{kind.lower()}", _save(picture, kind, options)) for kind, picture, options in pictures]
    png = dict(whole)[".png"]
    whole += [(".png", _interlace(gray)), (".png", _with_metadata(png)), (".pgm", b"P2 3 2 9 1 2 3 4 5 6\n")]
    return (*whole, *((suffix, _save_video(gray, suffix)) for suffix in (".avi", ".mp4")))


def _save(picture: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _save_video(gray: Image.Image, suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video{suffix}"
        codec = {".avi": "MJPG", ".mp4": "mp4v"}[suffix]
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 10, gray.size)
        for turn in range(5):
            writer.write(cv2.cvtColor(np.asarray(gray.rotate(turn)), cv2.COLOR_GRAY2BGR))
        writer.release()
        return path.read_bytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def _interlace(gray: Image.Image) -> bytes:
    """An interlaced PNG, which Pillow reads and does not write."""
    pixels = np.asarray(gray)
    passes = [pixels[row::down, column::right] for row, column, down, right in ADAM7]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    header = gray.width.to_bytes(4, "big") + gray.height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 1])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _with_metadata(png: bytes) -> bytes:
    """With texts and a colour profile that unpack to a megabyte each."""
    extra = _chunk(b"zTXt", b"Comment\0\0" + BOMB) + _chunk(b"iCCP", b"profile\0\0" + BOMB)
    return png[:33] + extra + png[33:]


def _repair_checksums(png: bytes) -> bytes:
    repaired, offset = bytearray(png), 8
    while offset + 12 <= len(png):
        end = offset + 8 + int.from_bytes(png[offset : offset + 4], "big")
        repaired[end : end + 4] = zlib.crc32(png[offset + 4 : end]).to_bytes(4, "big")[: len(png) - end]
        offset = end + 4
    return bytes(repaired[: len(png)])


def _flip(content: bytes, random: Random) -> bytes:
    spoiled = bytearray(content)
    for _ in range(random.integers(1, 20)):
        if spoiled:
            spoiled[random.integers(len(spoiled))] ^= 1 << random.integers(8)
    return bytes(spoiled)


def _edit_field(content: bytes, random: Random) -> bytes:
    """Write a number that hurts, most often where headers are."""
    value = INTERESTING[random.integers(len(INTERESTING))]
    size = int(random.choice([1, 2, 4]))
    field = (value % (1 << 8 * size)).to_bytes(size, "big" if random.random() < 0.5 else "little")
    offset = int(random.integers(min(len(content), 64 if random.random() < 0.6 else 1 << 30) + 1))
    return content[:offset] + field + content[offset + size :]


def _truncate(content: bytes, random: Random) -> bytes:
    return content[: random.integers(len(content) + 1)]


def _splice(content: bytes, random: Random) -> bytes:
    """The beginning of one file and the end of another."""
    originals = make_originals()
    other = originals[random.integers(len(originals))][1]
    return content[: random.integers(len(content) + 1)] + other[random.integers(len(other)) :]


def _insert(content: bytes, random: Random) -> bytes:
    offset = random.integers(len(content) + 1)
    return content[:offset] + random.bytes(random.integers(1, 2000)) + content[offset:]


def _repeat(content: bytes, random: Random) -> bytes:
    """A piece of it many times over."""
    start, end = np.sort(random.integers(0, len(content) + 1, 2))
    return content[:end] + content[start:end][:5000] * int(random.integers(1, 30)) + content[end:]


def _remove(content: bytes, random: Random) -> bytes:
    start = random.integers(len(content) + 1)
    return content[:start] + content[start + random.integers(1, 200) :]


def _replace(_: bytes, random: Random) -> bytes:
    """Nothing of it."""
    return random.bytes(random.integers(0, 3000))


MUTATIONS: list[Callable[[bytes, Random], bytes]] = [
    *[_flip] * 4, *[_edit_field] * 6, *[_truncate] * 2, _splice, _insert, _repeat, _remove, _replace
]  # fmt: skip
