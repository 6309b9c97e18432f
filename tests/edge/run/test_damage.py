"""Pictures that lost data are refused, whoever reads them; stray bytes that many cameras send are no loss."""

import io
import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.cameras.camera import CameraFileError, CameraOptions
from edge_mnist.edge.cameras.damage import DamageCounter
from edge_mnist.edge.cameras.factory import open_camera
from edge_mnist.edge.cameras.jpeg_stream import decode_gray, decode_rgb
from edge_mnist.edge.media.jpeg import DamagedJpegError, decode_jpeg
from edge_mnist.edge.media.pictures import PictureError, read_gray, read_rgb
from edge_mnist.edge.media.videos import COMPLAINT, Spacing, read_video
from tests.conftest import edge_mnist

PAGE = Image.fromarray(draw_page(("31415926", "2718"), seed=3))
COLOUR = Image.merge("RGB", (PAGE, PAGE.rotate(2), PAGE))
MOST_PIXELS = 50_000_000
KINDS = {
    "gray": (PAGE, {}),
    "colour": (COLOUR, {}),
    "progressive": (COLOUR, {"progressive": True}),
    "restarts": (PAGE, {"restart_marker_rows": 1}),
    "restarts in colour": (COLOUR, {"restart_marker_blocks": 5, "subsampling": 2}),
    "restarts over two rows": (COLOUR, {"restart_marker_rows": 2, "subsampling": 1}),
}
RESTARTS = [name for name in KINDS if name.startswith("restarts")]
STRAY = b"\x11\x22\x33\x44"


def _save(name: str) -> bytes:
    image, options = KINDS[name]
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85, **options)
    return file.getvalue()


def _cut(jpeg: bytes) -> bytes:
    """Without the last two fifths of its data, with its end marker."""
    return jpeg[: len(jpeg) * 3 // 5].rstrip(b"\xff") + b"\xff\xd9"


def _find_restarts(jpeg: bytes) -> list[int]:
    scan = jpeg.index(b"\xff\xda")
    return [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", jpeg) if found.start() > scan]


def _insert(jpeg: bytes, *offsets: int, content: bytes = STRAY) -> bytes:
    for offset in sorted(offsets, reverse=True):
        jpeg = jpeg[:offset] + content + jpeg[offset:]
    return jpeg


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_jpeg_has_the_pixels_that_pillow_gives(name: str) -> None:
    jpeg = _save(name)

    gray, rgb = read_gray(jpeg), read_rgb(jpeg)

    picture = Image.open(io.BytesIO(jpeg))
    assert (rgb == np.asarray(picture.convert("RGB"))).all()
    picture = Image.open(io.BytesIO(jpeg))
    picture.draft("L", None)
    assert (gray == np.asarray(picture.convert("L"))).all()


@pytest.mark.parametrize("name", KINDS)
def test_a_jpeg_that_lost_data_but_not_its_end_marker_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    jpeg = _cut(_save(name))

    with pytest.raises(PictureError, match=r"page\.jpg: a JPEG picture, but damaged"):
        read_gray(jpeg, "page.jpg")
    with pytest.raises(PictureError, match="damaged"):
        read_rgb(jpeg)
    assert decode_gray(jpeg) is None
    assert decode_rgb(jpeg) is None
    assert capfd.readouterr().err == "", "the decoder prints nothing"


@pytest.mark.parametrize("name", KINDS)
def test_stray_bytes_before_the_end_are_harmless(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    jpeg = _save(name)

    gray = decode_gray(_insert(jpeg, len(jpeg) - 2))

    assert (gray == decode_gray(jpeg)).all()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", RESTARTS)
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_stray_bytes_before_restart_markers_are_harmless(name: str, count: int) -> None:
    jpeg = _save(name)

    gray = decode_gray(_insert(jpeg, *_find_restarts(jpeg)[:count]))

    assert (gray == decode_gray(jpeg)).all()


@pytest.mark.parametrize("name", RESTARTS)
@pytest.mark.parametrize("loss", ["cut", "part of a piece", "a piece", "many stray bytes"])
def test_stray_bytes_hide_no_loss(name: str, loss: str) -> None:
    """Of all warnings of a picture the decoder gives the first alone."""
    jpeg = _save(name)
    *_, before, after = restarts = _find_restarts(jpeg)
    damaged = {
        "cut": _cut(jpeg),
        "part of a piece": jpeg[: after - (after - before) // 2] + jpeg[after:],
        "a piece": jpeg[:before] + jpeg[after:],
        "many stray bytes": _insert(jpeg, after, content=bytes(range(1, 80))),
    }[loss]

    assert decode_gray(_insert(damaged, restarts[2])) is None


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_an_odd_header_is_harmless_and_hides_no_loss(cut: bool) -> None:
    jpeg = _save("gray")
    tables, scan = jpeg.index(b"\xff\xc4"), jpeg.index(b"\xff\xda")
    parameters = scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4]) - 3
    # Cheap webcams write zeros for the scan's parameters.
    odd = jpeg[:tables] + STRAY + jpeg[tables:parameters] + bytes(3) + jpeg[parameters + 3 :]

    gray = decode_gray(_cut(odd) if cut else odd)

    assert gray is None if cut else (gray == decode_gray(jpeg)).all()


@pytest.mark.parametrize("seed", range(100))
def test_a_mutated_jpeg_is_decoded_or_refused_and_nothing_else(seed: int) -> None:
    random = np.random.default_rng(seed)
    jpeg = bytearray(_save(RESTARTS[seed % len(RESTARTS)]))
    for _ in range(int(random.integers(1, 6))):
        offset = int(random.integers(2, len(jpeg) if random.random() < 0.5 else 700))
        jpeg[offset : offset + int(random.integers(0, 3))] = random.bytes(int(random.integers(0, 4)))

    try:
        pixels = decode_jpeg(bytes(jpeg), "GRAY", MOST_PIXELS)
    except (DamagedJpegError, ValueError):
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2


def test_a_jpeg_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    file = io.BytesIO()
    Image.new("L", (2000, 1000)).save(file, "JPEG")

    with pytest.raises(DamagedJpegError, match="2000 x 1000 pixels"):
        decode_jpeg(file.getvalue(), "GRAY", 1_999_999)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "PPM", "WEBP", "AVIF", "JPEG2000", "TIFF", "MPO"])
@pytest.mark.parametrize("kept", [0.4, 0.9])
def test_a_truncated_picture_is_refused(kind: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    PAGE.convert("RGB").save(file, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))

    with pytest.raises(PictureError, match="damaged"):
        read_gray(file.getvalue()[: int(kept * file.tell())])
    assert capfd.readouterr().err == ""


def test_a_bit_that_flipped_in_a_png_is_noticed() -> None:
    file = io.BytesIO()
    PAGE.save(file, "PNG")
    spoiled = bytearray(file.getvalue())
    spoiled[len(spoiled) // 2] ^= 4

    with pytest.raises(PictureError, match="damaged"):
        read_gray(bytes(spoiled))


def test_libtiff_prints_nothing_and_nobody_elses_lines_are_lost(capfd: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    PAGE.save(file, "TIFF", compression="tiff_adobe_deflate")
    content, third = file.getvalue(), file.tell() // 3

    with pytest.raises(PictureError, match="damaged"):
        read_gray(content[:third] + bytes(third) + content[2 * third :])

    assert capfd.readouterr().err == ""


def test_run_refuses_a_damaged_jpeg_and_reads_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_cut(_save("gray")))
    (tmp_path / "b.jpg").write_bytes(_save("gray"))

    result = edge_mnist("run", tmp_path)

    assert result.exit_code == 1
    assert re.search(r"a\.jpg: a JPEG picture, but damaged \(Corrupt JPEG data: premature end", result.stderr)
    assert "31415926" in result.stdout
    assert "a.jpg" not in result.stdout


def _write_video(path: Path, frames: list[bytes]) -> Path:
    path.write_bytes(b"".join(frames))
    return path


def test_damaged_frames_of_a_jpeg_video_are_left_out_and_counted(tmp_path: Path) -> None:
    whole = _save("gray")
    path = _write_video(tmp_path / "clip.mjpeg", [whole, _cut(whole), whole, _insert(whole, len(whole) - 2)])

    frames = []
    with pytest.raises(PictureError, match=r"clip\.mjpeg: 1 frame is damaged and was left out"):
        frames.extend(read_video(path, Spacing()))
    # What came before the error.
    stream = read_video(path, Spacing())
    assert [next(stream).index for _ in range(3)] == [0, 2, 3]


def test_a_frame_that_grows_beyond_the_limit_is_not_decoded(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (9000, 9000)).save(file, "JPEG", quality=30)
    path = _write_video(tmp_path / "clip.mjpeg", [_save("gray"), file.getvalue(), _save("gray")])

    stream = read_video(path, Spacing())
    indices = [next(stream).index for _ in range(2)]
    with pytest.raises(PictureError, match="9000 x 9000 pixels, expected at most 50 megapixels"):
        next(stream)

    assert indices == [0, 2]


def test_a_frame_without_an_end_marker_is_whole(tmp_path: Path) -> None:
    jpeg = _save("gray")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, PAGE.size)
    for _ in range(3):
        writer.write(cv2.cvtColor(np.asarray(PAGE), cv2.COLOR_GRAY2BGR))
    writer.release()
    path.write_bytes(path.read_bytes().replace(b"\xff\xd9", b"\0\0"))

    assert len(list(read_video(path, Spacing()))) == 3
    assert decode_gray(jpeg) is not None


def test_a_camera_that_is_a_jpeg_video_leaves_damaged_frames_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = _save("gray")
    camera = open_camera(
        str(_write_video(tmp_path / "clip.mjpeg", [whole, _cut(whole), _cut(whole), whole])), CameraOptions(fps=0)
    )

    frames = [camera.grab() for _ in range(2)]
    with pytest.raises(CameraFileError, match="2 frames are damaged and were left out"):
        camera.grab()
    camera.close()

    assert None not in frames
    assert camera.damaged == 2
    assert len(caplog.records) == 1


def test_damage_is_counted_each_time_and_logged_rarely(caplog: pytest.LogCaptureFixture) -> None:
    counter = DamageCounter("http://camera")

    with caplog.at_level(logging.WARNING):
        for _ in range(5000):
            counter.add("torn")

    assert counter.count == 5000
    assert [record.getMessage() for record in caplog.records] == [
        "http://camera: a damaged picture was left out (torn).",
        *(f"http://camera: {count} damaged pictures so far were left out (torn)." for count in ("10", "100", "1,000")),
    ]


def test_ffmpegs_words_without_its_name_are_a_complaint() -> None:
    match = COMPLAINT.match(b"Truncating packet of size 6610 to 151\n")

    assert match is not None
    assert match[1] == b"Truncating packet of size 6610 to 151\n"
    assert COMPLAINT.match(b"a line of another library\n") is None
