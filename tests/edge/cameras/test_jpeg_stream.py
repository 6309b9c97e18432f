"""JPEG pictures cut out of a stream of bytes, and decoded, whatever was done to them."""

from contextlib import suppress

import numpy as np
import pytest

from edge_mnist.edge.cameras.camera import CameraError
from edge_mnist.edge.cameras.jpeg_stream import JpegSplitter, decode_gray, decode_rgb
from tests.builders.jpegs import make_noise, make_part, make_picture


def test_what_is_no_picture_takes_no_memory() -> None:
    splitter = JpegSplitter()

    for _ in range(1000):
        assert splitter.feed(b"\xff\xd8 no picture" * 100) == []

    assert len(splitter._content) < 10


@pytest.mark.parametrize("seed", range(20))
def test_pictures_are_found_in_pieces_of_any_size(seed: int) -> None:
    random = np.random.default_rng(seed)
    pictures = [make_picture(50), make_noise((80, 60)), make_noise((33, 17))]
    content = b"".join(make_part(picture) for picture in pictures)
    splitter, found = JpegSplitter(), []

    while content:
        size = int(random.integers(1, 300))
        found += splitter.feed(content[:size])
        content = content[size:]

    assert found == pictures


def test_a_thumbnail_within_a_picture_is_part_of_it() -> None:
    thumbnail, picture = make_picture(10, (8, 8)), make_noise((80, 60))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = picture[:2] + segment + picture[2:]

    assert JpegSplitter().feed(with_thumbnail) == [with_thumbnail]


def test_a_picture_that_was_cut_off_costs_no_other() -> None:
    whole = make_noise((80, 60))

    found = JpegSplitter().feed(whole[: len(whole) // 2] + make_part(whole) + make_part(whole))

    assert found == [whole, whole]


@pytest.mark.parametrize("seed", range(100))
def test_damaged_pictures_decode_or_do_not_but_never_raise_otherwise(seed: int) -> None:
    random = np.random.default_rng(seed)
    content = bytearray(make_noise((80, 60)))
    for _ in range(int(random.integers(1, 20))):
        content[int(random.integers(2, len(content)))] = int(random.integers(256))

    with suppress(CameraError):
        for decode in (decode_gray, decode_rgb):
            pixels = decode(bytes(content))
            assert pixels is None or pixels.dtype == np.uint8


def test_hostile_beginnings_are_many_and_harmless() -> None:
    beginnings = b"\xff\xd8\xff\xe0\x00\x02" * 100_000

    assert JpegSplitter().feed(beginnings + make_picture(50)) == [make_picture(50)]


def test_a_small_file_cannot_ask_for_all_memory() -> None:
    content = bytearray(make_picture(50))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = b"\xff\xff\xff\xff"

    with pytest.raises(CameraError, match="65535x65535 pixels"):
        decode_gray(bytes(content))
