"""Files, folders, patterns, videos and streams become frames; what is damaged is said, once, and costs nothing else."""

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.media.conversion import UPRIGHT
from edge_mnist.edge.media.pictures import PictureError, read_gray, read_rgb
from edge_mnist.edge.media.sources import PictureFile, SourceFrame, VideoSource, find_sources, read_all
from edge_mnist.edge.media.streams import split_pictures
from edge_mnist.edge.media.videos import Spacing, read_video
from tests.builders.fuzz_pictures import MUTATIONS, make_originals

FRAMES, FRAMES_PER_SECOND = 20, 10
# What codecs change in a frame's mean, in gray levels: less than the step from one frame to the next.
CODEC_TOLERANCE = 4


def _save(kind: str, *, mode: str = "L", level: int = 100, **options: object) -> bytes:
    """A smooth picture that is darker to the right and below."""
    down, across = np.mgrid[:40, :60]
    file = io.BytesIO()
    Image.fromarray((level + down + across).astype(np.uint8)).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module", params=[("MJPG", ".avi"), ("mp4v", ".mp4"), ("MJPG", ".mkv")], ids=lambda kind: kind[1])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each frame is noise, five levels lighter than the one before: frames are large beside the file's header."""
    codec, suffix = request.param
    path = tmp_path_factory.mktemp("videos") / f"clip{suffix}"
    size, random = (160, 120), np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), FRAMES_PER_SECOND, size)
    for number in range(FRAMES):
        writer.write(random.integers(5 * number + 20, 5 * number + 60, (120, 160, 3), np.uint8))
    writer.release()
    return path


def test_frames_have_numbers_times_and_pixels(video: Path) -> None:
    frames = [frame for _, frame in read_all(find_sources((str(video),), Spacing()))]

    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert [frame.time_s for frame in frames] == pytest.approx([n / FRAMES_PER_SECOND for n in range(FRAMES)], abs=0.01)
    assert [frame.gray.mean() for frame in frames] == pytest.approx(range(40, 140, 5), abs=CODEC_TOLERANCE)
    assert frames[7].read_rgb().shape == (120, 160, 3)
    assert frames[-1].share == 1
    assert {frame.source for frame in frames} == {str(video)}


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        (Spacing(frames=7), [0, 7, 14]),
        (Spacing(frames=1000), [0]),
        (Spacing(seconds=0.5), [0, 5, 10, 15]),
        # Each is late by up to a frame, and the next not by more.
        (Spacing(seconds=0.45), [0, 5, 9, 14, 18]),
        (Spacing(seconds=60), [0]),
    ],
    ids=str,
)
def test_videos_are_thinned_out(video: Path, spacing: Spacing, expected: list[int]) -> None:
    assert [frame.index for frame in read_video(video, spacing)] == expected


@pytest.mark.parametrize("arguments", [{"frames": 0}, {"seconds": -1.0}, {"seconds": float("nan")}], ids=str)
def test_a_spacing_that_is_none_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected at least 1 frame and 0 seconds"):
        Spacing(**arguments)


def test_a_video_is_decoded_as_it_is_asked_for(video: Path) -> None:
    frames = read_video(video, Spacing())

    first = next(frames)
    frames.close()

    assert first.index == 0


def test_a_video_that_a_phone_has_cut_is_whole(video: Path, tmp_path: Path) -> None:
    """Cutting without encoding anew hides frames instead of removing them: fewer come than are announced."""
    if video.suffix != ".mp4":
        pytest.skip("only MP4 and its like can hide frames")
    content = video.read_bytes()
    # The edit list's entry of 12 bytes: how long, from where on (both in the file's clock), and the speed, 1.0.
    entry = content.index(b"elst") + 12
    path = tmp_path / video.name
    path.write_bytes(content[: entry + 4] + (5 * 1024).to_bytes(4, "big") + content[entry + 8 :])

    assert 0 < len(list(read_video(path, Spacing()))) < FRAMES


def _read_what_there_is(path: Path) -> tuple[int, str]:
    """How many frames came before the error, and what it said."""
    outcomes = [frame for _, frame in read_all([VideoSource(path, Spacing())])]
    error = outcomes.pop()
    assert isinstance(error, PictureError)
    return len(outcomes), str(error)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_video_is_read_as_far_as_it_goes_and_reported(
    video: Path, tmp_path: Path, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / video.name
    path.write_bytes(video.read_bytes()[: int(kept * video.stat().st_size)])

    count, error = _read_what_there_is(path)

    if video.suffix == ".mp4":
        # Its index is at the end, so nothing is left.
        assert (count, error) == (0, f"{path}: not a video that FFmpeg can decode, or a damaged one.")
    else:
        assert 0 < count < FRAMES
        assert error == f"{path}: {count} of about {FRAMES} frames could be decoded; the video is truncated or damaged."
    assert capfd.readouterr().err == "", "what FFmpeg complains about is not shown"


def test_a_video_that_is_damaged_in_the_middle_is_reported(video: Path, tmp_path: Path) -> None:
    path, content = tmp_path / video.name, bytearray(video.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 700] = np.random.default_rng(0).bytes(700)
    path.write_bytes(content)

    count, error = _read_what_there_is(path)

    assert count >= FRAMES / 2
    assert "damaged" in error


NO_VIDEOS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "No such file"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text": (lambda path: path.write_text("hello" * 100), "not a video"),
    "a picture": (lambda path: path.write_bytes(_save("PNG")), "not a video"),
    "a folder": (lambda path: path.mkdir(), "got a folder"),
}


@pytest.mark.parametrize(("make", "reason"), NO_VIDEOS.values(), ids=NO_VIDEOS)
def test_what_is_no_video_is_refused(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    path = tmp_path / "clip.avi"
    make(path)

    with pytest.raises(PictureError, match=rf"clip\.avi.*{reason}"):
        list(read_video(path, Spacing()))


def test_a_video_whose_name_is_no_text_is_refused(video: Path, tmp_path: Path) -> None:
    """OpenCV would end the process."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.avi"))
    path.write_bytes(video.read_bytes())

    with pytest.raises(PictureError, match=r"its name is not UTF-8, which OpenCV expects\. Rename it\."):
        list(read_video(path, Spacing()))


@pytest.mark.parametrize("playlist", ["ffconcat version 1.0\nfile real.avi\n", "#EXTM3U\n#EXTINF:5,\nreal.avi\n"])
def test_a_playlist_cannot_make_the_decoder_open_other_files(video: Path, tmp_path: Path, playlist: str) -> None:
    (tmp_path / "real.avi").write_bytes(video.read_bytes())
    path = tmp_path / "clip.avi"
    path.write_text(playlist)

    with pytest.raises(PictureError, match="not a video"):
        list(read_video(path, Spacing()))


def test_the_environment_is_as_it_was(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "mine")

    list(read_video(video, Spacing()))

    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "mine"


def test_a_folder_gives_pictures_and_videos_and_nothing_hidden(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.mp4", "notes.txt", "._b.JPG"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()

    sources = find_sources((str(tmp_path),), Spacing(frames=3))

    assert sources == [
        PictureFile(tmp_path / "a.png"),
        PictureFile(tmp_path / "b.JPG"),
        VideoSource(tmp_path / "c.mp4", Spacing(3), is_listed=True),
    ]


@pytest.mark.parametrize("argument", ["*.png", "missing.png", "x" * 300, "empty"])
def test_what_stands_for_nothing_is_an_error_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("there.jpg").write_bytes(_save("JPEG"))

    (_, nothing), (done, picture) = read_all(find_sources((argument, "there.jpg"), Spacing()))

    assert isinstance(nothing, PictureError)
    assert argument in str(nothing)
    assert isinstance(picture, SourceFrame)
    assert done == 2


def test_names_that_are_no_text_are_read_and_printable(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    path.write_bytes(_save("PNG"))

    ((_, frame),) = read_all(find_sources((str(tmp_path),), Spacing()))

    assert frame.source.encode().endswith("/\N{REPLACEMENT CHARACTER}.png".encode())


PICTURES = {
    "png": _save("PNG"),
    "jpeg": _save("JPEG"),
    "progressive": _save("JPEG", progressive=True),
    "pgm": _save("PPM"),
    "ppm": _save("PPM", mode="RGB"),
    "pbm": _save("PPM", mode="1"),
    "pgm of 16 bits": b"P5 # a comment\n2\t3 # and more\n1000\n" + bytes(12),
}


@pytest.mark.parametrize("first", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("second", PICTURES.values(), ids=PICTURES)
def test_a_stream_is_split_where_one_picture_ends(first: bytes, second: bytes) -> None:
    assert list(split_pictures(io.BytesIO(first + second + b"\n" + first))) == [first, second, first]


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP", "MPO"])
def test_other_formats_are_one_picture_to_the_end(kind: str) -> None:
    more = {"save_all": True, "append_images": [Image.new("L", (9, 9))]} if kind == "MPO" else {}
    picture = _save(kind, **more)

    assert list(split_pictures(io.BytesIO(picture))) == [picture]


def test_a_picture_of_a_live_stream_is_read_when_its_last_byte_has_come() -> None:
    reading_end, writing_end = os.pipe()
    with open(reading_end, "rb") as stream, open(writing_end, "wb", buffering=0) as writer:  # noqa: PTH123 - numbers
        writer.write(PICTURES["jpeg"])
        # Waits for ever where the next picture is needed to see the end of this one.
        reader = threading.Thread(target=lambda: found.append(next(split_pictures(stream))), daemon=True)
        found: list[bytes] = []
        reader.start()
        reader.join(timeout=10)

        assert found == [PICTURES["jpeg"]]


def test_a_stream_that_ends_within_a_picture_gives_what_came() -> None:
    picture = PICTURES["png"]

    assert list(split_pictures(io.BytesIO(picture + picture[:100]))) == [picture, picture[:100]]


@pytest.mark.parametrize("digits", [2_000, 4_400, 10_000])
def test_a_size_of_thousands_of_digits_is_one_picture_to_the_end(digits: int) -> None:
    stream = b"P5 " + b"9" * digits + b" 1 255\n" + bytes(10)

    assert list(split_pictures(io.BytesIO(stream))) == [stream]


def test_bytes_that_start_no_picture_end_the_stream() -> None:
    pictures = split_pictures(io.BytesIO(PICTURES["png"] + b"garbage"))

    next(pictures)
    with pytest.raises(PictureError, match="after picture 0 follow bytes that do not start a picture"):
        next(pictures)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_stream_ends_with_all_that_came(seed: int) -> None:
    random = np.random.default_rng(seed)
    originals = make_originals()
    content = b"".join(originals[i][1] for i in random.integers(len(originals), size=3))
    content = MUTATIONS[random.integers(len(MUTATIONS))](content, random)
    given = b""

    try:
        for picture in split_pictures(io.BytesIO(content)):
            given += picture
    except PictureError:
        assert content.startswith(given[:1])
    else:
        padding = bytes.maketrans(b"\0\t\n\r ", b"     ")
        assert given.translate(padding, b"\0\t\n\r ") == content.translate(padding, b"\0\t\n\r ")


@pytest.mark.parametrize("orientation", [1, *UPRIGHT])
def test_every_orientation_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.add.outer(np.arange(0, 80, 2), np.arange(30)).astype(np.uint8)
    # Turned by the inverse: all but the quarter turns are their own.
    stored = UPRIGHT.get({6: 8, 8: 6}.get(orientation, orientation), lambda pixels: pixels)(upright)
    path = tmp_path / "turned.png"
    Image.fromarray(stored).save(path, exif=exif)

    assert (read_gray(path) == upright).all()
    assert (read_gray(str(path)) == upright).all()
    assert (read_rgb(path)[..., 1] == upright).all()


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0, 65535], [32768, 0]], np.uint16),
        np.array([[-5, 5], [0, -5]], np.float32),
        np.array([[-3e38, 3e38], [0, np.nan]], np.float32),
        np.array([[2, 4], [3, -np.inf]], np.float32),
    ],
    ids=["16 bits", "float", "extreme", "infinite"],
)
def test_wide_pixels_are_stretched_from_black_to_white(tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "wide.tiff"
    Image.fromarray(values).save(path)

    gray = read_gray(path)

    assert gray.tolist() == [[0, 255], [pytest.approx(127.5, abs=1), 0]]


def test_a_picture_without_a_single_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.tiff"
    Image.fromarray(np.full((3, 3), np.nan, np.float32)).save(path)

    with pytest.raises(PictureError, match="no pixel has a finite value"):
        read_gray(path)


def test_only_formats_that_are_named_are_opened(tmp_path: Path) -> None:
    """PostScript would go to Ghostscript, a program of its own, whatever the file's name says."""
    path = tmp_path / "page.png"
    Image.new("L", (9, 9)).save(path, "EPS")

    with pytest.raises(PictureError, match="not a supported picture"):
        read_gray(path)


def test_a_small_jpeg_cannot_keep_the_decoder_busy() -> None:
    picture = _save("JPEG", progressive=True)
    scan = picture.rfind(b"\xff\xda")
    endless = picture[:scan] + picture[scan:-2] * 1000 + picture[-2:]

    with pytest.raises(PictureError, match="more than 40 scans"):
        read_gray(endless, "endless.jpg")


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)

    with pytest.raises(PictureError, match=r"pipe\.png: expected a regular file, got a pipe"):
        read_gray(path)
