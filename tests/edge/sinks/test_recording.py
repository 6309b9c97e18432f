"""Annotated video and stills: what is drawn, when, and what becomes of the files."""

import os
import resource
import tempfile
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_mnist.edge.live.sink_thread import SinkError, SinkThread
from edge_mnist.edge.sinks import recording
from edge_mnist.edge.sinks.annotate import SURE_COLOUR, draw_sighting
from edge_mnist.edge.sinks.recording import StillsSink, VideoSink
from tests.builders.sightings import make_change, make_sighting
from tests.conftest import python_process

PATIENCE_S = 20.0


def _picture(gray: int = 255, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    return np.full((height, width, 3), gray, np.uint8)


class _Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(recording, "time", clock)
    return clock


def _frames(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """The frames of a video, and how many there are a second."""
    video = cv2.VideoCapture(str(path))
    fps = video.get(cv2.CAP_PROP_FPS)
    frames = []
    while (frame := video.read()[1]) is not None:
        frames.append(frame)
    video.release()
    return frames, fps


def _has(
    picture: NDArray[np.uint8], colour: tuple[int, int, int], left: int, top: int, right: int, bottom: int
) -> bool:
    return bool((picture[top:bottom, left:right] == colour).all(axis=2).any())


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 480), (320, 120), (32, 24)])
def test_boxes_are_drawn_where_they_are_in_pictures_of_any_size(width: int, height: int) -> None:
    """The second digit of the frame is at (60, 30), 20 x 40 pixels; small pictures are enlarged."""
    drawn = draw_sighting(make_sighting(rows=("12",), picture=_picture(width=width, height=height)))

    assert drawn is not None
    assert drawn.shape[1] == max(width, 320)
    across, down = drawn.shape[1] / 320, drawn.shape[0] / 240
    left, right = round(60 * across), round(80 * across)
    middle = round(50 * down)
    assert _has(drawn, SURE_COLOUR, left - 8, middle - 2, left, middle + 2)
    assert _has(drawn, SURE_COLOUR, right, middle - 2, right + 8, middle + 2)
    assert not _has(drawn, SURE_COLOUR, left + 8, middle - 2, right - 8, middle + 2)


def test_only_stable_digits_have_a_frame_and_a_tag() -> None:
    picture = _picture()

    drawn = draw_sighting(make_sighting(picture=picture, stable=False))

    assert drawn is not None
    assert not (drawn == SURE_COLOUR).all(axis=2).any()
    assert (drawn == (255, 210, 0)).all(axis=2).any()
    assert (picture == 255).all()


def test_without_a_picture_nothing_is_drawn() -> None:
    assert draw_sighting(make_sighting()) is None


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_second_of_the_video_is_a_second_of_the_clock(suffix: str, tmp_path: Path, clock: _Clock) -> None:
    """A camera of 40 fps for a second, then one of 2 fps for two, at 10 frames per second of the file."""
    path = tmp_path / f"video{suffix}"
    sink = VideoSink(path, fps=10)
    wanted = 0
    sink.take(make_change())

    for gray, step_s, count in ((40, 0.025, 40), (200, 0.5, 4)):
        for _ in range(count):
            if sink.wants_picture():
                wanted += 1
                sink.take(make_sighting(rows=(), picture=_picture(gray)))
            clock.now_s += step_s
        clock.now_s += 0.06
    sink.close()

    frames, fps = _frames(path)
    assert fps == pytest.approx(10)
    assert len(frames) == pytest.approx(31, abs=1)
    assert [bool(frame.mean() > 120) for frame in frames] == [False] * 11 + [True] * (len(frames) - 11)
    assert wanted < 20
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_long_time_without_frames_is_shortened(tmp_path: Path, clock: _Clock) -> None:
    sink = VideoSink(tmp_path / "video.avi", fps=10)
    sink.take(make_sighting(picture=_picture()))

    clock.now_s += 3600
    sink.take(make_sighting(picture=_picture()))
    sink.close()

    assert len(_frames(tmp_path / "video.avi")[0]) == recording.LONGEST_STILL_S * 10 + 2


def test_a_recording_that_ends_long_after_its_last_frame_is_finished_at_once(tmp_path: Path, clock: _Clock) -> None:
    """Who stops waits less than half a second, and then the file would be lost."""
    sink = VideoSink(tmp_path / "video.avi", fps=10)
    sink.take(make_sighting(picture=_picture()))

    clock.now_s += 3600
    sink.close()

    assert len(_frames(tmp_path / "video.avi")[0]) == recording.LONGEST_END_S * 10 + 1


def test_all_frames_have_the_size_of_the_first(tmp_path: Path, clock: _Clock) -> None:
    """Odd sides lose a pixel, for encoders want even ones; a wider picture has black bars above and below."""
    sink = VideoSink(tmp_path / "video.avi", fps=10)
    for width, height in ((321, 241), (640, 240), (321, 241)):
        sink.take(make_sighting(rows=(), picture=_picture(width=width, height=height)))
        clock.now_s += 0.1
    sink.close()

    frames, _ = _frames(tmp_path / "video.avi")
    assert [frame.shape for frame in frames[:3]] == [(240, 320, 3)] * 3
    assert frames[1][:50].max() < 40
    assert frames[1][100:140].min() > 215
    assert frames[2].min() > 215


@pytest.mark.parametrize(
    ("suffix", "picture"),
    [(".mp4", "np.full(shape, 9, np.uint8)"), (".mp4", "np.roll(noise, i)"), (".avi", "np.roll(noise, i)")],
    ids=["mp4, still", "mp4", "avi"],
)
def test_what_was_recorded_before_a_kill_can_be_played(suffix: str, picture: str, tmp_path: Path) -> None:
    """Of 120 frames, or 8 s: of MP4 a group of 12 may be missing, of AVI 256 kB."""
    path = tmp_path / f"video{suffix}"
    code = f"""
import os, sys, time, numpy as np
from pathlib import Path
from edge_mnist.edge.sinks.video_file import VideoFile
shape = (240, 320, 3)
noise = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
file = VideoFile(Path(sys.argv[1]), 15.0, np.zeros(shape, np.uint8))
for i in range(120):
    file.write({picture})
file.flush()
time.sleep(0.5)
os.kill(os.getpid(), 9)
"""

    assert python_process(code, path).returncode == -9

    assert [left.name for left in tmp_path.iterdir()] == [path.name], "nothing is hidden beside it"
    frames, fps = _frames(path)
    assert fps == pytest.approx(15)
    assert len(frames) >= 105


def test_a_disk_that_takes_no_more_ends_a_video_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Under a limit of the size of files; what came before can be played."""
    monkeypatch.setattr(recording, "LOOK_S", 0.0)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    outlet = SinkThread(VideoSink(tmp_path / "video.mp4", fps=1000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, most))
    try:
        for i in range(1000):
            outlet.put(make_sighting(i, picture=np.roll(noise, i)))
            time.sleep(0.01)
            if outlet.gave_up:
                break
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert outlet.close(PATIENCE_S)

    assert [record.message for record in caplog.records] == [
        f"{tmp_path}/video.mp4: cannot be written (File too large), so the recording ends. This output stops."
    ]
    assert len(_frames(tmp_path / "video.mp4")[0]) >= 1


def test_a_video_without_a_folder_for_temporary_files_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    sink = VideoSink(tmp_path / "video.mp4")

    with pytest.raises(SinkError, match=r"there is no folder for temporary files .* Set TMPDIR\."):
        sink.take(make_sighting(picture=_picture()))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("clock")
def test_an_older_video_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        sink = VideoSink(tmp_path / "video.avi")
        sink.take(make_sighting(picture=_picture()))
        sink.close()

    there = f"{tmp_path}/video.avi exists: recording to"
    assert [record.message for record in caplog.records] == [
        f"{there} video-2.avi instead.",
        f"{there} video-3.avi instead.",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["video-2.avi", "video-3.avi", "video.avi"]


def test_without_a_picture_there_is_no_file(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "video.mp4")
    sink.take(make_sighting())
    sink.close()

    assert list(tmp_path.iterdir()) == []


def test_a_video_ends_while_the_disk_has_room_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = namedtuple("usage", "free")
    free = [10**9, 10**6]
    monkeypatch.setattr(recording, "LOOK_S", 0.0)
    monkeypatch.setattr(recording.shutil, "disk_usage", lambda _: usage(free.pop(0)))
    sink = VideoSink(tmp_path / "video.mp4", fps=1000)
    outlet = SinkThread(sink)

    outlet.put(make_sighting(0, picture=_picture()))
    _wait_for(lambda: len(free) == 1)
    time.sleep(0.05)
    outlet.put(make_sighting(1, picture=_picture()))
    _wait_for(lambda: outlet.broken)
    assert outlet.close(PATIENCE_S)

    assert "has only 1 MB left, so the recording ends." in caplog.text
    assert len(_frames(tmp_path / "video.mp4")[0]) >= 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("video.mov", "ends in .mp4 or .avi for --record"),
        ("missing/video.mp4", "is not a writable folder"),
        (os.fsdecode(b"caf\xe9.avi"), "its name is not UTF-8"),
    ],
    ids=["another suffix", "no folder", "not UTF-8"],
)
def test_a_video_that_cannot_be_written_is_one_sentence(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SinkError) as caught:
        VideoSink(tmp_path / name)

    assert message in str(caught.value)


def _wait_for(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_still_is_written_at_each_new_announcement(tmp_path: Path) -> None:
    sink = StillsSink(tmp_path / "deep" / "stills")

    sink.take(make_change())
    sink.take(make_sighting(0, is_new=True, picture=_picture()))
    sink.take(make_sighting(1, picture=_picture()))
    sink.take(make_sighting(2, (), is_new=True, picture=_picture()))
    sink.take(make_sighting(4, ("3",), is_new=True, picture=_picture()))
    sink.close()

    stills = sorted((tmp_path / "deep" / "stills").iterdir())
    assert [still.name for still in stills] == [
        "20250301T120000.000Z.digits.jpg",
        "20250301T120000.250Z.digits.jpg",
    ]
    with Image.open(stills[0]) as image:
        assert image.size == (320, 240)
        assert np.asarray(image).min() < 100


def test_an_announcement_without_a_picture_gets_the_next_one(tmp_path: Path) -> None:
    sink = StillsSink(tmp_path)

    sink.take(make_sighting(0, is_new=True))
    sink.take(make_sighting(1))
    for i in (2, 3):
        sink.take(make_sighting(i, picture=_picture()))
    sink.take(make_sighting(4, ("3",), is_new=True))
    for i in (5, 6):
        sink.take(make_sighting(i, (), is_new=i == 5, picture=_picture()))

    assert [path.name for path in tmp_path.iterdir()] == ["20250301T120000.125Z.digits.jpg"]


def test_stills_each_so_many_seconds_ask_only_then_for_a_picture(tmp_path: Path, clock: _Clock) -> None:
    sink = StillsSink(tmp_path, every_s=2)

    for i in range(50):
        if sink.wants_picture():
            sink.take(make_sighting(i, picture=_picture()))
        clock.now_s += 0.1

    assert len(list(tmp_path.iterdir())) == 3


def test_only_stills_are_deleted_when_there_are_too_many(tmp_path: Path) -> None:
    others = ["20250301.jpg", "20240101T000000.000Z.jpg", "notes.txt"]
    for name in (*others, "20240101T000000.000Z.digits.jpg"):
        (tmp_path / name).touch()
    sink = StillsSink(tmp_path, kept_files=2)

    for i in range(0, 16, 4):
        sink.take(make_sighting(i, is_new=True, picture=_picture()))

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*others, "20250301T120000.500Z.digits.jpg", "20250301T120000.750Z.digits.jpg"]
    )


def test_a_still_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_the_disk(_: Image.Image, file: object, *__: object, **___: object) -> None:
        file.write(b"some of it")  # pyright: ignore[reportAttributeAccessIssue]
        raise OSError(28, "No space left on device")

    sink = StillsSink(tmp_path)
    monkeypatch.setattr(Image.Image, "save", fill_the_disk)

    with pytest.raises(OSError, match="No space left"):
        sink.take(make_sighting(is_new=True, picture=_picture()))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SinkError, match=r"cannot be created \(File exists\)\. Choose another --stills\."):
        StillsSink(tmp_path / "file")
