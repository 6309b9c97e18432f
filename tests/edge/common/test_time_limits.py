"""How long cameras may take follows from what the user asks for, in every kind of camera and in the live loop."""

import socket
import threading
import time
from pathlib import Path

import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraOptions
from edge_mnist.edge.cameras.mjpeg import MjpegCamera
from edge_mnist.edge.commands.live_options import CameraChoice
from edge_mnist.edge.common.network import time_limits
from edge_mnist.edge.common.network.time_limits import FILE_FRAME_S, FRAME_S, GRACE_S, OPEN_S, frame_limit_s
from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from tests.builders.jpegs import make_part, make_picture
from tests.stand_ins.faulty_camera import FakeReader, FaultyCamera, Notes, running, wait
from tests.stand_ins.scripted_server import Script, serve

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n"
PART = make_part(make_picture(50))


@pytest.mark.parametrize(
    ("fps", "exposure_us", "limit_s"),
    [(None, None, 3.0), (0, None, 3.0), (30, None, 3.0), (1, None, 3.0), (0.2, None, 15.0), (None, 5_000_000, 15.0),
     (0.1, 5_000_000, 30.0), (60, 1_000, 3.0)],
)  # fmt: skip
def test_a_frame_may_take_three_seconds_or_three_frames(
    fps: float | None, exposure_us: int | None, limit_s: float
) -> None:
    assert frame_limit_s(fps, exposure_us) == pytest.approx(limit_s)


def _settings(source: str, **options: float) -> LiveSettings:
    return CameraChoice(source, CameraOptions(**options)).settings(wait_for_camera=False)  # pyright: ignore[reportArgumentType]


def test_the_loop_is_a_little_more_patient_than_the_camera(tmp_path: Path) -> None:
    assert _settings("v4l2:0").longest_silence_s == FRAME_S + GRACE_S
    assert _settings("http://camera/", fps=0.2).longest_silence_s == 15 + GRACE_S
    assert _settings("picamera2", exposure_us=10_000_000).longest_silence_s == 30 + GRACE_S
    assert _settings(str(tmp_path)).longest_silence_s == FILE_FRAME_S + GRACE_S
    assert LiveSettings(fps=0.2).longest_silence_s == 15 + GRACE_S


def test_a_stream_may_begin_late_each_time_and_a_driver_as_late_as_the_first_time() -> None:
    stream, driver = _settings("http://camera/"), _settings("v4l2:0")

    assert stream.first_open_s == driver.first_open_s == stream.open_again_s == OPEN_S + GRACE_S
    assert driver.open_again_s == FRAME_S + GRACE_S


def _send_slowly(before_s: float = 0.0, between_s: float = 0.0, within_s: float = 0.0) -> Script:
    """A camera that takes so long to answer, from picture to picture, and for each picture."""

    def script(connection: socket.socket, _: str) -> None:
        time.sleep(before_s)
        connection.sendall(HEAD)
        while True:
            for at in range(0, len(PART), len(PART) // 4):
                connection.sendall(PART[at : at + len(PART) // 4])
                time.sleep(within_s / 4)
            time.sleep(between_s)

    return script


@pytest.fixture
def _scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames have a tenth of their time, so that tests are quick."""
    monkeypatch.setattr(time_limits, "FRAME_S", 0.3)


SLOW = {
    "begins late, as streams on demand do": (_send_slowly(before_s=0.8), None),
    "its first picture takes long": (_send_slowly(within_s=0.8), 0.5),
    "rarely sends": (_send_slowly(between_s=0.8), 0.5),
    "each picture takes long": (_send_slowly(within_s=0.8), 0.5),
}


@pytest.mark.usefixtures("_scaled")
@pytest.mark.parametrize(("script", "fps"), SLOW.values(), ids=SLOW)
def test_a_stream_that_is_as_slow_as_was_said_is_read(script: Script, fps: float | None) -> None:
    with serve(script) as address:
        camera = MjpegCamera(f"http://{address}/", CameraOptions(fps=fps))
        frames = [camera.grab() for _ in range(1 if fps is None else 3)]
        camera.close()

    assert all(frame is not None for frame in frames)


@pytest.mark.usefixtures("_scaled")
def test_a_stream_that_is_slower_than_was_said_is_told_what_to_say() -> None:
    with serve(_send_slowly(between_s=2.0)) as address:
        camera = MjpegCamera(f"http://{address}/", CameraOptions())
        camera.grab()

        with pytest.raises(
            CameraError, match=r"within 0\.3 s\. If the camera is this slow.* --fps 2 the limit is 1\.5 s"
        ):
            camera.grab()

        camera.close()


@pytest.mark.usefixtures("_scaled")
def test_a_stream_on_demand_is_read_again_after_it_was_lost() -> None:
    """Each connection begins late; what is lost after the first is waited for as long as the first was."""
    connections: list[float] = []
    hang_up = threading.Event()

    def script(connection: socket.socket, _: str) -> None:
        connections.append(time.monotonic())
        time.sleep(0.8 if len(connections) > 1 else 0.0)
        connection.sendall(HEAD)
        while len(connections) > 1 or not hang_up.is_set():
            connection.sendall(PART)
            time.sleep(0.01)

    with serve(script) as address:
        source, notes = f"http://{address}/", Notes()
        settings = CameraChoice(source, CameraOptions()).settings(wait_for_camera=False)
        loop = LiveLoop(lambda: MjpegCamera(source, CameraOptions()), source, FakeReader(), [notes], settings)  # pyright: ignore[reportArgumentType]
        with running(loop):
            wait(lambda: len(notes.sightings) > 2)
            hang_up.set()
            wait(lambda: notes.states[-1:] == ["open"] and len(notes.states) == 3)

    assert notes.states == ["open", "lost", "open"]
    assert len(connections) == 2


def test_a_long_exposure_does_not_lose_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "FRAME_S", 0.1)
    monkeypatch.setattr(time_limits, "GRACE_S", 0.0)
    camera, notes = FaultyCamera(fps=2.0), Notes()
    settings = CameraChoice("picamera2", CameraOptions(exposure_us=500_000)).settings(wait_for_camera=False, frames=3)

    LiveLoop(camera.open, "picamera2", FakeReader(), [notes], settings).run()  # pyright: ignore[reportArgumentType]

    assert notes.states == ["open"]
