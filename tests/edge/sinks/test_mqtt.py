"""Reports to a broker, a real Mosquitto: in order, kept for who comes later, and marked when the camera is gone."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_mnist.edge.live.sink_thread import SinkThread
from edge_mnist.edge.sinks.mqtt import SETTLED_FRAMES, MqttSink
from tests.builders.sightings import make_change, make_sighting
from tests.stand_ins.broker import (
    PATIENCE_S,
    Mosquitto,
    Subscriber,
    meter_address,
    mosquitto,
    require_broker,
    subscriber,
    wait_for,
)

__all__ = ["mosquitto", "subscriber"]


def test_announcements_and_camera_states_arrive_numbered_and_in_order(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))

    outlet.put(make_change("open"))
    for i in range(20):
        outlet.put(make_sighting(i, (str(i),), is_new=i % 2 == 0))
    subscriber.wait_for(lambda: len(subscriber.of("hall/meter/reading")) == 10)
    assert outlet.close(PATIENCE_S)

    (camera,) = subscriber.of("hall/meter/camera")
    readings = subscriber.of("hall/meter/reading")
    assert (camera["event"], camera["state"], camera["sequence"]) == ("camera", "open", 0)
    assert [reading["announced"] for reading in readings] == [[str(i)] for i in range(0, 20, 2)]
    assert [reading["sequence"] for reading in readings] == list(range(1, 11))
    assert {reading["started_at"] for reading in readings} == {camera["started_at"]}


def test_status_says_whether_somebody_is_there(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))
    subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"])

    assert outlet.close(PATIENCE_S)

    subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online", "offline"])


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 10])
def test_whenever_a_sink_is_closed_it_is_offline_in_the_end(
    delay_ms: int, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    """Also when that happens while it connects."""
    sink = MqttSink(meter_address(mosquitto.port))
    time.sleep(delay_ms / 1000)

    sink.close()

    wait_for(lambda: not [thread for thread in threading.enumerate() if "edge-mnist" in thread.name])
    time.sleep(0.1)
    subscriber.wait_for(lambda: subscriber.of("hall/meter/status")[-1:] in ([], ["offline"]))


def _find_retained(port: int, count: int) -> dict[str, Any]:
    """What a subscriber finds that comes now, by topic; at least so many."""
    late = Subscriber(port)
    late.wait_for(lambda: len(late.messages) >= count)
    late.close()
    assert all(retained for _, _, retained in late.messages)
    return {topic: late.of(topic)[-1] for topic, _, _ in late.messages}


def test_a_late_subscriber_finds_the_last_reading_and_when_it_was_taken(mosquitto: Mosquitto) -> None:
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))
    outlet.put(make_change("open"))
    outlet.put(make_sighting(0, ("12",), is_new=True))
    outlet.put(make_sighting(16, ("13",), is_new=True))
    assert outlet.close(PATIENCE_S)

    found = _find_retained(mosquitto.port, 3)

    assert found.keys() == {"hall/meter/camera", "hall/meter/reading", "hall/meter/status"}
    reading = found["hall/meter/reading"]
    assert (reading["announced"], reading["captured_at"]) == (["13"], "2025-03-01T12:00:01.000Z")
    assert (reading["is_new"], reading["camera_state"]) == (True, "open")


@pytest.mark.parametrize("state", ["lost", "ended"])
def test_the_last_reading_is_marked_when_the_camera_is_gone(state: str, mosquitto: Mosquitto) -> None:
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))
    outlet.put(make_change("open"))
    outlet.put(make_sighting(0, ("12",), is_new=True))
    outlet.put(make_change(state))
    assert outlet.close(PATIENCE_S)

    reading = _find_retained(mosquitto.port, 3)["hall/meter/reading"]

    assert (reading["announced"], reading["is_new"], reading["camera_state"]) == (["12"], False, state)


def test_a_camera_that_is_back_says_what_holds_once_digits_are_stable(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    outlet = SinkThread(MqttSink(meter_address(mosquitto.port)))
    for state in ("open", "lost", "open"):
        outlet.put(make_change(state))
        for i in range(2 * SETTLED_FRAMES if state == "open" else 0):
            outlet.put(make_sighting(i))
    assert outlet.close(PATIENCE_S)
    subscriber.wait_for(lambda: len(subscriber.of("hall/meter/reading")) >= 3)

    readings = subscriber.of("hall/meter/reading")

    assert [reading["camera_state"] for reading in readings] == ["open", "lost", "open"]
    assert [reading["frame"] for reading in readings] == [SETTLED_FRAMES - 1] * 3
    assert not any(reading["is_new"] for reading in readings)


def test_the_reading_of_another_run_is_deleted_when_the_camera_cannot_be_opened(mosquitto: Mosquitto) -> None:
    first = SinkThread(MqttSink(meter_address(mosquitto.port)))
    first.put(make_sighting(0, ("12",), is_new=True))
    assert first.close(PATIENCE_S)
    second = SinkThread(MqttSink(meter_address(mosquitto.port)))
    second.put(make_change("lost", "unplugged"))
    assert second.close(PATIENCE_S)

    found = _find_retained(mosquitto.port, 2)

    assert found.keys() == {"hall/meter/camera", "hall/meter/status"}


def test_two_programs_with_one_topic_keep_their_connections_and_both_say_it_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    require_broker()
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    try:
        subscriber = Subscriber(mosquitto.port)
        sinks = [MqttSink(meter_address(mosquitto.port))]
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"])
        # Another started_at.
        time.sleep(0.01)
        sinks.append(MqttSink(meter_address(mosquitto.port)))
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"] * 2)
        for sink in sinks * 2:
            sink.take(make_change("open"))
        wait_for(lambda: len(caplog.records) == 2)
        time.sleep(0.3)
        sinks[0].close()
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status")[-2:] == ["offline", "online"])
        sinks[1].close()
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status")[-1] == "offline")
        subscriber.close()
    finally:
        mosquitto.kill()

    assert all("another edge-mnist" in record.message for record in caplog.records)
    assert len(caplog.records) == 2
    assert "already connected" not in (tmp_path / "mosquitto.log").read_text()


def test_the_broker_says_so_when_the_process_is_killed(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    code = """
import sys, time
from pathlib import Path
from edge_mnist.edge.sinks.mqtt_address import TlsFiles, parse_broker
from edge_mnist.edge.sinks.mqtt import SETTLED_FRAMES, MqttSink
sink = MqttSink(parse_broker(sys.argv[1], TlsFiles(), None))
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code, f"mqtt://127.0.0.1:{mosquitto.port}/hall/meter"])
    try:
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"])
    finally:
        process.kill()
        process.wait()

    subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online", "offline"])
