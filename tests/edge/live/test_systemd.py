"""What systemd is told, over a real socket."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.live.systemd import Systemd
from tests.stand_ins.faulty_camera import FakeReader, FaultyCamera, running, wait


class Manager:
    """The manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self._messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        # Only a few messages fit into the socket.
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while message := self._socket.recv(4096).decode():
            self._messages.append(message)

    def read_all(self) -> list[str]:
        """What came since the last time."""
        time.sleep(0.05)
        messages, self._messages = self._messages, []
        return messages

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@edge-mnist-test-{os.getpid()}"
    manager = Manager(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    # A ping each 50 ms.
    monkeypatch.setenv("WATCHDOG_USEC", "150000")
    yield manager
    manager.close()


def make_loop(camera: FaultyCamera, **settings) -> LiveLoop:
    return LiveLoop(camera.open, "camera", FakeReader(), [], LiveSettings(**settings))


def test_a_service_says_that_it_is_ready_well_and_stopping(manager: Manager):
    make_loop(FaultyCamera(), seconds=0.5).run()

    messages = manager.read_all()
    assert messages.count("READY=1") == 1
    assert any(message.startswith("STATUS=camera open: faulty camera") for message in messages)
    assert 3 <= messages.count("WATCHDOG=1") <= 15
    assert messages[-1] == "STOPPING=1"
    assert messages.count("STOPPING=1") == 1


def test_a_service_that_waits_for_its_camera_is_ready_and_well(manager: Manager):
    camera = FaultyCamera()
    camera.faults.unplugged = True

    make_loop(camera, seconds=1, wait_for_camera=True).run()

    messages = manager.read_all()
    assert "READY=1" in messages
    assert messages.count("WATCHDOG=1") > 3


def test_a_service_in_whose_driver_threads_hang_no_longer_says_that_it_is_well(manager: Manager):
    camera = FaultyCamera()
    loop = make_loop(camera, silence_s=0.1)
    with running(loop):
        wait(lambda: loop.frames_read > 3)
        with camera.hanging():
            wait(lambda: not loop._watchdog.is_healthy)
            # A message may still be on its way.
            time.sleep(0.3)
            manager.read_all()
            time.sleep(0.5)
            assert manager.read_all() == []
        wait(lambda: loop._watchdog.is_healthy)
        wait(lambda: "WATCHDOG=1" in manager.read_all())


def test_a_service_whose_reader_hangs_no_longer_says_that_it_is_well(manager: Manager):
    reader = FakeReader(takes_s=0.6)

    LiveLoop(FaultyCamera().open, "camera", reader, [], LiveSettings(frames=2)).run()

    assert manager.read_all().count("WATCHDOG=1") <= 4


def test_what_a_camera_says_in_several_lines_is_one_status(manager: Manager):
    systemd = Systemd()

    systemd.status("camera lost: no frame\nMAINPID=1\r\nunplugged")
    systemd.stopping()

    assert manager.read_all() == ["STATUS=camera lost: no frame MAINPID=1 unplugged", "STOPPING=1"]


def test_a_manager_that_is_gone_disturbs_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    make_loop(FaultyCamera(), frames=3).run()


def test_without_a_manager_nothing_is_opened(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    systemd = Systemd()
    systemd.ready()
    systemd.stopping()

    assert systemd._socket is None
