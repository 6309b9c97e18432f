"""A real Mosquitto on a free port of this machine, to be killed and started again, a subscriber, and their fixtures."""

import getpass
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_mnist.edge.sinks import mqtt
from edge_mnist.edge.sinks.mqtt_address import MqttAddress, TlsFiles, parse_broker

PATIENCE_S = 20.0
# Debian puts it where only administrators look.
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin")


class Mosquitto:
    """A broker that keeps what it was told in `folder`, also when it is killed."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        """Choose a port; `settings` are lines of its configuration file."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "mosquitto.log"
        self._configuration = folder / "mosquitto.conf"
        # Each change is saved, or a broker that is killed forgets who had subscribed.
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"autosave_on_changes true\nautosave_interval 1\nlog_dest file {self._log}\n"
            f"user {getpass.getuser()}\n{settings}\n"
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._configuration], stderr=subprocess.DEVNULL)
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, "mosquitto ended at once"
                assert time.monotonic() < end_s
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as the system does when it shuts down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None


class Subscriber:
    """Collects all messages; comes back after a lost connection, and gets what it missed."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None, tls: Any = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, str, bool]] = []
        subscribed = threading.Event()

        self._client = Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda client, userdata, message: self.messages.append(  # noqa: ARG005 - paho's
            (message.topic, message.payload.decode(), message.retain)
        )
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        if user is not None:
            self._client.username_pw_set(user, password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.connect("localhost" if tls else "127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, topic: str) -> list[Any]:
        """What came under this topic: documents, and texts that are none."""
        return [_parse(payload) for name, payload, _ in list(self.messages) if name == topic]

    def wait_for(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, f"{len(self.messages)} messages came: {self.messages[-2:]}"
            time.sleep(0.02)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    require_broker()
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    subscriber = Subscriber(mosquitto.port)
    yield subscriber
    subscriber.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses before connecting again are too long for tests that wait for them."""
    monkeypatch.setattr(mqtt, "FIRST_PAUSE_S", 0.1)


def meter_address(port: int, scheme: str = "mqtt", host: str = "127.0.0.1", **more: Path) -> MqttAddress:
    """Give the topic hall/meter of a broker; `more` are the files of TLS and the one with the password."""
    tls = TlsFiles(**{name: path for name, path in more.items() if name != "password_file"})
    return parse_broker(f"{scheme}://{host}:{port}/hall/meter", tls, more.get("password_file"))


def wait_for(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def require_broker() -> None:
    """Skip, with the reason, where there is none."""
    if MOSQUITTO is None:
        pytest.skip("needs Mosquitto: apt install mosquitto")
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt: pip install 'edge-mnist[mqtt]'")


def _parse(payload: str) -> Any:
    return json.loads(payload) if payload.startswith("{") else payload
