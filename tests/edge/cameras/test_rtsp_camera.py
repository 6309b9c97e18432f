"""RTSP cameras, against a real server: the newest picture, faults in plain words, and no password anywhere."""

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.cameras import rtsp
from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.factory import check_source, open_camera
from edge_mnist.edge.cameras.rtsp import RtspCamera
from edge_mnist.edge.common.network import time_limits
from edge_mnist.edge.live.events import CameraChange, Event
from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.reading.reader import Reader
from tests.conftest import edge_mnist_process
from tests.stand_ins.rtsp_server import FPS, SIZE, running_rtsp
from tests.stand_ins.scripted_server import send, serve

pytest.importorskip("av", reason="the extra rtsp is not installed")

OPTIONS = CameraOptions()
USER, PASSWORD = "jörg", "Geheim:#/?ü"
ROWS = ("471",)
# Gray levels from one frame to the next, of frames that become lighter for 2.4 s.
STEP, COUNT = 3, 60
# A busy machine sends and decodes frames late.
FRAMES_LATE = 8


def page() -> np.ndarray:
    return cv2.resize(draw_page(ROWS, seed=3, pen=PagePen(96, 8)), (640, 480))


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a camera whose picture becomes lighter, and then dark again."""
    frames = [np.full(SIZE[::-1], 20 + STEP * i, np.uint8) for i in range(COUNT)]
    with running_rtsp(tmp_path_factory.mktemp("ramp"), frames) as (port, _):
        yield port


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a camera with a password, before which a page with digits lies."""
    with running_rtsp(tmp_path_factory.mktemp("guarded"), [page()], (USER, PASSWORD)) as (port, _):
        yield port


def _address(port: int, password: str = PASSWORD) -> str:
    return f"rtsp://{quote(USER)}:{quote(password, safe='')}@127.0.0.1:{port}/stream"


def test_digits_before_a_camera_with_a_password_are_read(guarded: int) -> None:
    camera = open_camera(_address(guarded), OPTIONS)

    frame = camera.grab()
    assert frame is not None

    assert Reader().read(frame.gray).rows == ROWS
    assert camera.description == f"rtsp://127.0.0.1:{guarded}/stream, 640x480 h264"
    rgb = frame.read_rgb()
    assert rgb.shape == (480, 640, 3)
    assert abs(float(rgb.mean()) - float(frame.gray.mean())) < 3
    frame.release()
    camera.close()
    camera.close()


def test_pictures_are_turned(guarded: int) -> None:
    camera = open_camera(_address(guarded), CameraOptions(rotation=90))

    frame = camera.grab()
    assert frame is not None

    assert frame.gray.shape == (640, 480)
    assert frame.read_rgb().shape == (640, 480, 3)
    camera.close()


def test_a_slow_reader_gets_the_newest_picture(ramp: int) -> None:
    camera = RtspCamera(f"rtsp://127.0.0.1:{ramp}/stream", OPTIONS)
    first, first_s = _level(camera), time.monotonic()

    time.sleep(1.2)
    later = _level(camera)

    frames = ((later - first) / STEP) % COUNT
    assert abs(frames - FPS * (time.monotonic() - first_s)) <= FRAMES_LATE
    camera.close()


def test_pictures_are_taken_at_most_as_often_as_asked(ramp: int) -> None:
    camera = RtspCamera(f"rtsp://127.0.0.1:{ramp}/stream", CameraOptions(fps=5))
    _level(camera)
    started = time.monotonic()

    for _ in range(4):
        _level(camera)

    assert time.monotonic() - started >= 0.75
    camera.close()


def _level(camera: RtspCamera) -> float:
    frame = camera.grab()
    assert frame is not None
    return float(frame.gray.mean())


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("rtsp://127.0.0.1:{port}/stream", CameraUnsupportedError, "requires a user and a password (401 Unauthorized)"),
        (
            "rtsp://j%C3%B6rg:Wrong-Word@127.0.0.1:{port}/stream",
            CameraUnsupportedError,
            "rejects the user or the password (401 Unauthorized). Write rtsp://USER@HOST/PATH, and put the "
            "password into $EDGE_MNIST_CAMERA_PASSWORD",
        ),
        ("rtsp://j%C3%B6rg:Wrong-Word@127.0.0.1:1/stream", CameraError, "connection refused, nothing listens there"),
        ("rtsp://j%C3%B6rg:Wrong-Word@nowhere.invalid/stream", CameraError, "nowhere.invalid/stream: "),
    ],
    ids=["no password", "another password", "nothing there", "no such host"],
)
def test_faults_are_explained_without_the_password(
    guarded: int, address: str, kind: type[Exception], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kind) as raised:
        open_camera(address.format(port=guarded), OPTIONS)

    assert message in str(raised.value)
    said = str(raised.value) + repr(raised.value) + "".join(capfd.readouterr())
    assert "Wrong-Word" not in said


def test_another_path_is_not_found(guarded: int) -> None:
    with pytest.raises(CameraError, match=r"/none: expected a stream, got 404 Not Found\.$"):
        open_camera(_address(guarded).replace("/stream", "/none"), OPTIONS)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (send(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "the answer is not a video stream over RTSP"),
        (send(b"", then_wait=True), "no picture arrived within 1 s"),
    ],
    ids=["a web server", "silence"],
)
def test_what_is_no_rtsp_server_is_reported(script, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "OPEN_S", 1.0)

    with serve(script) as address, pytest.raises(CameraError, match=message):
        open_camera(f"rtsp://{address}/stream", OPTIONS)


def test_a_camera_that_is_lost_is_opened_again(tmp_path: Path) -> None:
    events: list[Event] = []
    with running_rtsp(tmp_path, [page()]) as (port, process):
        source = f"rtsp://127.0.0.1:{port}/stream"
        settings = LiveSettings(silence_s=3.5)
        loop = LiveLoop(lambda: open_camera(source, OPTIONS), source, Reader(), [_Sink(events)], settings)
        thread = threading.Thread(target=loop.run)
        thread.start()
        try:
            _wait_for(events, "open")
            process.kill()
            _wait_for(events, "open", "lost")
            with running_rtsp(tmp_path, [page()], port=port):
                _wait_for(events, "open", "lost", "open")
        finally:
            loop.stop()
            thread.join(20)

    lost = next(event for event in events if isinstance(event, CameraChange) and event.state == "lost")
    assert lost.message.startswith(f"{source}: ")


class _Sink:
    """A sink that keeps what the camera does."""

    name = "kept"
    backlog = "all"

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def wants_picture(self) -> bool:
        return False

    def take(self, event: Event) -> None:
        self._events.append(event)

    def close(self) -> None:
        """Nothing to let go of."""


def _wait_for(events: list[Event], *states: str) -> None:
    end_s = time.monotonic() + 30
    while (seen := tuple(event.state for event in events if isinstance(event, CameraChange))) != states:
        assert time.monotonic() < end_s, f"the camera was {seen}, not {states}"
        time.sleep(0.05)


def test_the_command_reads_it_and_shows_no_password(guarded: int) -> None:
    done = edge_mnist_process(
        "live", "--camera", f"rtsp://{quote(USER)}@127.0.0.1:{guarded}/stream", "--json", "--frames", 10, "--verbose",
        EDGE_MNIST_CAMERA_PASSWORD=PASSWORD,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert '"announced":["471"]' in done.stdout.replace(" ", "")
    assert f'"source":"rtsp://127.0.0.1:{guarded}/stream"' in done.stdout.replace(" ", "")
    for secret in (PASSWORD, quote(PASSWORD, safe=""), USER, quote(USER)):
        assert secret not in done.stdout + done.stderr


def test_rtsps_checks_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, public = tmp_path / "both.pem", tmp_path / "public.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", both, "-out", public]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("openssl cannot make a certificate here")
    both.write_text(both.read_text() + public.read_text())
    frames = tmp_path / "frames"
    frames.mkdir()

    with running_rtsp(frames, [page()], certificate=both) as (port, _):
        source = f"rtsps://127.0.0.1:{port}/stream"
        with pytest.raises(CameraError, match=r"certificate is self-signed.*SSL_CERT_FILE=FILE"):
            open_camera(source, OPTIONS)

        monkeypatch.setenv("SSL_CERT_FILE", str(public))
        camera = open_camera(source, OPTIONS)
        assert camera.grab() is not None
        camera.close()


def test_without_pyav_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp.importlib.util, "find_spec", lambda _: None)

    for use in (check_source, lambda source: open_camera(source, OPTIONS)):
        with pytest.raises(CameraUnsupportedError, match=r"need the package av: pip install 'edge-mnist\[rtsp\]'"):
            use("rtsp://host/stream")
