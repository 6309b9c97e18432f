"""A broker that is down, hangs up, cannot be reached or publishes nonsense costs no reading and does no harm."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge_mnist.edge.live.sink_thread import SinkThread
from edge_mnist.edge.sinks.mqtt import MqttSink
from tests.builders.sightings import make_sighting
from tests.stand_ins.broker import (
    PATIENCE_S,
    Mosquitto,
    Subscriber,
    impatient,
    meter_address,
    mosquitto,
    require_broker,
    subscriber,
    wait_for,
)

__all__ = ["impatient", "mosquitto", "subscriber"]


@contextmanager
def _scripted_broker(on_subscribe: bytes | None) -> Iterator[threading.Event]:
    """A broker that answers a subscription with these bytes, or hangs up; whether a reading came."""
    published = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE_S)
            connection.recv(4096)
            connection.sendall(b"\x20\x02\x00\x00")
            while content := connection.recv(4096):
                # Only a SUBSCRIBE has a topic with the wanted QoS, 0, behind it.
                if b"hall/meter/status\x00" in content:
                    if on_subscribe is None:
                        return
                    connection.sendall(on_subscribe)
                    sink.take(make_sighting(is_new=True))
                if b"hall/meter/reading" in content:
                    published.set()

    def accept() -> None:
        with suppress(OSError):
            while True:
                answer(listener.accept()[0])

    sink = MqttSink(meter_address(listener.getsockname()[1]))
    if on_subscribe is None:
        sink.take(make_sighting(is_new=True))
    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield published
    sink.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join(PATIENCE_S)


@pytest.mark.usefixtures("impatient")
def test_a_broker_that_hangs_up_on_those_who_subscribe_is_only_published_to() -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt: pip install 'edge-mnist[mqtt]'")
    with _scripted_broker(None) as published:
        assert published.wait(PATIENCE_S)


def _publish(topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH packet of MQTT 3.1.1, QoS 0."""
    rest = len(topic).to_bytes(2) + topic + payload
    length = len(rest)
    size = b""
    while True:
        length, digit = divmod(length, 128)
        size += bytes([digit | (0x80 if length else 0)])
        if not length:
            return b"\x30" + size + rest


@pytest.mark.parametrize(
    "packet",
    [
        _publish(b"\xff\xfe", b"{}"),
        _publish(b"hall/meter/camera", b"[" * 100_000),
        _publish(b"hall/meter/camera", b"\xff"),
        _publish(b"hall/meter/camera", b"[1]"),
        _publish(b"hall/meter/camera", b'{"machine": {}, "started_at": 1e999}'),
        _publish(b"hall/meter/camera", b'{"machine": "' + b"m" * 900_000 + b'", "started_at": "\\u001b[31m"}'),
        _publish(b"hall/meter/camera", b'{"machine": "m", "started_at": ' + b"1" * 5_000 + b"}"),
    ],
    ids=["a topic that is no text", "deep", "no text", "a list", "odd types", "long and steering", "a long number"],
)
def test_whatever_others_publish_does_no_harm(packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt: pip install 'edge-mnist[mqtt]'")
    with _scripted_broker(packet) as published:
        assert published.wait(PATIENCE_S)

    assert all(len(record.message) < 300 and record.message.isprintable() for record in caplog.records)


def test_an_outage_of_the_broker_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    require_broker()
    from tests.long.broker_outage import run_outage

    result = run_outage(tmp_path, outage_s=3.0, around_s=1.0)

    assert (result.lost, result.reordered) == (0, 0)
    assert result.published > 60
    # The one message whose confirmation the broker did not send, at most.
    assert result.duplicates <= 1


@pytest.mark.usefixtures("impatient")
def test_a_broker_that_starts_later_gets_everything(
    mosquitto: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto.stop()
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))
    outlet.put(make_sighting(7, is_new=True))
    wait_for(lambda: caplog.records)

    mosquitto.start()
    subscriber.wait_for(lambda: subscriber.of("hall/meter/reading"))
    assert outlet.close(PATIENCE_S)

    (record,) = caplog.records
    assert f"mqtt://127.0.0.1:{mosquitto.port}/hall/meter: cannot be reached (connection refused" in record.message
    assert "Connecting again" in record.message


@pytest.mark.usefixtures("impatient")
def test_more_than_the_buffer_holds_loses_the_oldest(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    mosquitto.stop()
    sink = MqttSink(meter_address(mosquitto.port), capacity=5)
    for i in range(20):
        sink.take(make_sighting(i, is_new=True))

    mosquitto.start()
    subscriber.wait_for(lambda: len(subscriber.of("hall/meter/reading")) >= 5)
    sink.close()

    # A subscriber that connects meanwhile receives the retained reading once more.
    received = dict.fromkeys(reading["sequence"] for reading in subscriber.of("hall/meter/reading"))
    assert list(received) == [15, 16, 17, 18, 19]
    assert sink.lost == 15


def test_closing_without_a_broker_takes_no_time_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    require_broker()
    outlet = SinkThread(MqttSink(meter_address(1)))
    for i in range(3):
        outlet.put(make_sighting(i, is_new=True))

    assert outlet.close(2.0)

    assert "the last 3 messages could not be sent." in caplog.text


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "cannot be reached (connection refused"), ("no-such-host.invalid", "")],
    ids=["nobody listens", "unknown host"],
)
def test_a_broker_that_cannot_be_reached_is_reported_once(
    host: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    require_broker()
    sink = MqttSink(meter_address(1, host=host))

    wait_for(lambda: caplog.records)
    # Further attempts follow.
    time.sleep(0.5)
    sink.close()

    (record,) = caplog.records
    assert f"mqtt://{host}:1/hall/meter: {reason}" in record.message
