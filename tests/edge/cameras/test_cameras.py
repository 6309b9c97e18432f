"""Videos and folders as cameras."""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.cameras import camera as clock
from edge_mnist.edge.cameras.camera import (
    Camera,
    CameraError,
    CameraFileError,
    CameraOptions,
    CameraUnsupportedError,
    Pace,
)
from edge_mnist.edge.cameras.factory import open_camera
from edge_mnist.edge.cameras.orientation import choose_orientation
from edge_mnist.edge.media.sources import find_sources, read_all
from edge_mnist.edge.media.videos import Spacing

FAST = CameraOptions(fps=0)
FRAMES = 12
CODECS = {".avi": "MJPG", ".mp4": "mp4v", ".mkv": "MJPG", ".webm": "VP80"}


def _make_video(path: Path, frames: int = FRAMES, fps: float = 10) -> Path:
    """Each frame is noise, lighter than the one before."""
    random = np.random.default_rng(0)
    codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, fps, (160, 120))
    for number in range(frames):
        writer.write(random.integers(10 * number + 20, 10 * number + 60, (120, 160, 3), np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module", params=[".avi", ".mp4", ".mkv"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_video(tmp_path_factory.mktemp("videos") / f"clip{request.param}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of different sizes, a damaged one between them, and what is none."""
    for number, name in enumerate(("b.png", "a.jpg", "d.png")):
        Image.new("L", (40 + number, 30), 50 * number + 50).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"\x89PNG damaged")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    return tmp_path


def _take(camera: Camera, most: int = 1000) -> list[np.ndarray]:
    frames: list[np.ndarray] = []
    while len(frames) < most and (frame := camera.grab()) is not None:
        frames.append(frame.gray.copy())
        frame.release()
    return frames


def _descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_video_gives_the_very_pixels_that_run_reads(video: Path) -> None:
    expected = [frame.gray for _, frame in read_all(find_sources((str(video),), Spacing()))]

    camera = open_camera(str(video), FAST)

    assert camera.waits
    assert camera.description.startswith(f"{video}, 160x120 ")
    assert all((got == wanted).all() for got, wanted in zip(_take(camera), expected, strict=True))
    assert camera.grab() is None
    camera.close()


def test_a_videos_colours_are_turned_like_its_brightness(video: Path) -> None:
    camera = open_camera(str(video), CameraOptions(fps=0, rotation=270, vflip=True))

    frame = camera.grab()

    assert frame is not None
    rgb = frame.read_rgb()
    assert rgb.shape == (160, 120, 3)
    assert np.abs(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(int) - frame.gray).max() <= 1
    assert "120x160" in camera.description
    camera.close()


def test_a_video_in_a_loop_begins_anew_with_all_its_frames(video: Path) -> None:
    camera = open_camera(str(video), CameraOptions(fps=0, loop=True))

    frames = _take(camera, 3 * FRAMES)

    assert len(frames) == 3 * FRAMES
    for number in range(FRAMES):
        assert (frames[number] == frames[number + FRAMES]).all()
        assert (frames[number] == frames[number + 2 * FRAMES]).all()
    camera.close()


def test_a_stream_of_pictures_without_an_index_begins_anew(tmp_path: Path) -> None:
    levels = (60, 120, 180)
    jpegs = [cv2.imencode(".jpg", np.full((120, 160), level, np.uint8))[1].tobytes() for level in levels]
    (tmp_path / "raw.mjpeg").write_bytes(b"".join(jpegs))
    camera = open_camera(str(tmp_path / "raw.mjpeg"), CameraOptions(fps=0, loop=True))

    frames = _take(camera, 6)

    assert [round(frame.mean()) for frame in frames] == pytest.approx(levels * 2, abs=3)
    camera.close()


@pytest.mark.parametrize(
    ("fps", "least_s"), [(None, 0.5), (40.0, 0.125), (0.0, 0.0)], ids=["its own", "given", "as read"]
)
def test_a_video_is_played_at_its_speed(tmp_path: Path, fps: float | None, least_s: float) -> None:
    camera = open_camera(str(_make_video(tmp_path / "clip.avi", frames=6)), CameraOptions(fps=fps))
    started = time.monotonic()

    captured = []
    while (frame := camera.grab()) is not None:
        captured.append(frame.captured_s)

    assert time.monotonic() - started >= least_s - 0.01
    assert captured == sorted(captured)
    assert time.monotonic() - captured[-1] < 5, "the time is when a frame was due, not when the video was made"
    assert camera.waits == (fps == 0)
    camera.close()


NO_VIDEOS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text": (lambda path: path.write_text("hello" * 100), "not a video"),
    "a playlist": (lambda path: path.write_text("ffconcat version 1.0\nfile real.avi\n"), "not a video"),
}


@pytest.mark.parametrize(("make", "message"), NO_VIDEOS.values(), ids=NO_VIDEOS)
def test_what_is_no_video_is_refused_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], object], message: str
) -> None:
    _make_video(tmp_path / "real.avi")
    make(tmp_path / "clip.avi")
    capfd.readouterr()

    with pytest.raises(CameraUnsupportedError, match=rf"clip\.avi.*{message}"):
        open_camera(str(tmp_path / "clip.avi"), CameraOptions())

    assert capfd.readouterr() == ("", "")


def test_what_others_write_while_a_video_opens_is_not_lost(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = _make_video(tmp_path / "clip.avi", frames=2)
    camera = open_camera(str(path), CameraOptions(fps=0, loop=True))
    lines = 300

    def write() -> None:
        for number in range(lines):
            os.write(2, f"line {number}\n".encode())
            time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        _take(camera, 10)
    writer.join(timeout=10)

    camera.close()
    assert sorted(capfd.readouterr().err.splitlines()) == sorted(f"line {number}" for number in range(lines))


def test_frames_are_shown_at_their_own_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone's video gives fewer frames in the dark; on average these are 5 a second."""
    times_ms = [0.0, 40.0, 80.0, 1000.0, 0.0, 1040.0, 999_999.0]
    path = _make_video(tmp_path / "clip.avi", frames=len(times_ms), fps=5)
    periods: list[float | None] = []
    monkeypatch.setattr(Pace, "wait", lambda _, period_s=None: periods.append(period_s))
    camera = open_camera(str(path), CameraOptions())
    monkeypatch.setattr(camera, "_capture", _OtherTimes(camera._capture, iter(times_ms)))

    frames = _take(camera)

    assert len(frames) == len(times_ms)
    # Where there is no time, or none that follows, the average is kept; the longest pause is half a minute.
    assert periods == [None, 0.04, 0.04, 0.92, None, pytest.approx(0.04), 30.0]
    camera.close()


class _OtherTimes:
    """A video whose frames have these times; OpenCV writes none of that kind."""

    def __init__(self, capture: cv2.VideoCapture, times_ms: Iterator[float]) -> None:
        self._capture = capture
        self._times_ms = times_ms

    def get(self, key: int) -> float:
        return next(self._times_ms) if key == cv2.CAP_PROP_POS_MSEC else self._capture.get(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)


def test_a_speed_that_was_asked_for_is_kept_whatever_the_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _make_video(tmp_path / "clip.avi", frames=3, fps=5)
    periods: list[float | None] = []
    monkeypatch.setattr(Pace, "wait", lambda _, period_s=None: periods.append(period_s))
    camera = open_camera(str(path), CameraOptions(fps=50))

    _take(camera)

    assert periods == [None, None, None]
    camera.close()


def test_pace_takes_each_frames_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now_s = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now_s[0] += seconds

    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=sleep))
    pace = Pace(5)

    for period_s in (None, 0.04, 1.0, None):
        pace.wait(period_s)

    assert slept == pytest.approx([0.04, 1.0, 0.2])


def test_a_video_that_does_not_say_its_speed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _make_video(tmp_path / "clip.avi")
    monkeypatch.setattr("edge_mnist.edge.cameras.video.FASTEST_FPS", 5)

    with pytest.raises(CameraUnsupportedError, match=r"no usable frame rate .*--fps"):
        open_camera(str(path), CameraOptions())
    open_camera(str(path), FAST).close()


def test_a_video_without_a_whole_frame_is_an_error_even_in_a_loop(tmp_path: Path) -> None:
    path = _make_video(tmp_path / "clip.avi", frames=1)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"movi") + 20])
    camera = open_camera(str(path), CameraOptions(fps=0, loop=True))

    with pytest.raises(CameraError, match="no frame can be decoded"):
        camera.grab()

    camera.close()


def test_a_folder_shows_its_pictures_by_name_and_leaves_out_damaged_ones(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = open_camera(str(folder), FAST)

    frames = _take(camera, 3)
    with pytest.raises(CameraFileError, match=r"1 of 4 pictures could not be read; the first: .*c\.png"):
        camera.grab()

    assert [frame.shape for frame in frames] == [(30, 41), (30, 40), (30, 42)]
    assert [round(frame.mean()) for frame in frames] == [100, 50, 150]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "c.png" in caplog.text
    assert camera.waits
    camera.close()
    assert camera.grab() is None


def test_a_folder_in_a_loop_sees_new_pictures_and_complains_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = open_camera(str(folder), CameraOptions(fps=0, loop=True))
    _take(camera, 3)
    Image.new("L", (50, 30)).save(folder / "e.png")

    frames = _take(camera, 4)

    assert [frame.shape[1] for frame in frames] == [41, 40, 42, 50]
    assert len(caplog.records) == 1
    camera.close()


def test_a_folders_picture_in_colour_is_upright_and_turned(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / "a.png")
    camera = open_camera(str(tmp_path), CameraOptions(fps=0, rotation=90))

    frame = camera.grab()

    assert frame is not None
    assert frame.gray.shape == (40, 30)
    assert frame.read_rgb().shape == (40, 30, 3)
    assert (frame.read_rgb() == (200, 100, 50)).all()
    (tmp_path / "a.png").unlink()
    with pytest.raises(CameraError, match=r"a\.png"):
        frame.read_rgb()
    camera.close()


def test_a_folder_goes_one_a_second_unless_told(folder: Path) -> None:
    camera = open_camera(str(folder), CameraOptions())
    assert camera.description == f"{folder} (4 pictures), 1 fps"
    assert not camera.waits
    camera.close()
    camera = open_camera(str(folder), CameraOptions(fps=20))
    started = time.monotonic()

    _take(camera, 3)

    assert time.monotonic() - started >= 0.1 - 0.01
    camera.close()


def test_a_folder_of_damaged_pictures_is_an_error_even_in_a_loop(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    camera = open_camera(str(tmp_path), CameraOptions(fps=0, loop=True))

    with pytest.raises(CameraError, match=r"none of 1 pictures can be read; the first: .*a\.png"):
        camera.grab()


def test_pace_holds_on_average_and_does_not_hurry_after_a_pause() -> None:
    pace = Pace(100)
    started = time.monotonic()
    for _ in range(11):
        pace.wait()
        time.sleep(0.004)
    assert time.monotonic() - started >= 0.1

    time.sleep(0.1)
    pace.wait()
    started = time.monotonic()
    for _ in range(5):
        pace.wait()
    assert time.monotonic() - started >= 0.03, "what was missed in the pause is not made up for"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("vflip", [False, True])
def test_flips_come_before_the_rotation(rotation: Any, hflip: bool, vflip: bool) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = np.rot90(pixels[:: -1 if vflip else 1, :: -1 if hflip else 1], -rotation // 90)

    turned = choose_orientation(CameraOptions(rotation=rotation, hflip=hflip, vflip=vflip)).turn(pixels)

    assert (turned == expected).all()
    assert turned.strides[1] == 1
    if (rotation, hflip, vflip) == (0, False, False):
        assert turned is pixels, "nothing to do copies nothing"


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_files_leave_no_descriptors(kind: str, tmp_path: Path, folder: Path) -> None:
    source = _make_video(tmp_path / "clip.avi") if kind == "video" else folder
    open_camera(str(source), FAST).close()
    before = _descriptors()

    for _ in range(50):
        camera = open_camera(str(source), CameraOptions(fps=0, loop=True))
        _take(camera, FRAMES + 2)
        camera.close()

    assert _descriptors() == before
