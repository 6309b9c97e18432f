"""Discovery for Home Assistant, through a real Mosquitto: its documented fields, and what its templates show."""

import json
import re
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jinja2 import Environment, StrictUndefined

from edge_mnist.edge.live.sink_thread import SinkThread
from edge_mnist.edge.sinks.mqtt import MqttSink
from edge_mnist.edge.sinks.mqtt_address import TlsFiles, parse_broker
from edge_mnist.edge.sinks.mqtt_discovery import describe_for_discovery, name_device
from tests.builders.sightings import make_change, make_sighting
from tests.conftest import edge_mnist
from tests.stand_ins.broker import PATIENCE_S, Mosquitto, Subscriber, meter_address, mosquitto

__all__ = ["mosquitto"]

RECORDED = json.loads(Path(__file__).with_name("home_assistant.json").read_text())
TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)/config")


@pytest.fixture
def found(mosquitto: Mosquitto) -> dict[str, Any]:
    """All that a late subscriber finds, after a camera's reading."""
    sink = SinkThread(MqttSink(meter_address(mosquitto.port), discovery_prefix="homeassistant"))
    sink.put(make_change("open"))
    sink.put(make_sighting(0, ("12", "30495"), is_new=True))
    assert sink.close(PATIENCE_S)
    late = Subscriber(mosquitto.port)
    late.wait_for(lambda: len(late.messages) >= 6)
    late.close()
    assert all(retained for _, _, retained in late.messages)
    return {topic: late.of(topic)[-1] for topic, _, _ in late.messages}


def _configs(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {match[3]: payload for topic, payload in found.items() if (match := TOPIC.fullmatch(topic))}


def test_messages_are_what_home_assistant_documents(found: dict[str, Any]) -> None:
    checked = 0
    for topic, payload in found.items():
        if match := TOPIC.fullmatch(topic):
            fields = {**RECORDED["$defs"]["shared"], **RECORDED[match[1]]}
            schema = {"$defs": RECORDED["$defs"], "type": "object", "additionalProperties": False,
                      "required": ["state_topic", "unique_id", "device", "origin"], "properties": fields}  # fmt: skip
            jsonschema_rs.validate(schema, payload)
            checked += 1

    assert checked == 3
    assert len({config["unique_id"] for config in _configs(found).values()}) == 3
    assert len({json.dumps(config["device"]) for config in _configs(found).values()}) == 1


def test_templates_make_states_of_the_retained_messages(found: dict[str, Any]) -> None:
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - states are no HTML
    states = {
        name: environment.from_string(config["value_template"]).render(value_json=found[config["state_topic"]])
        for name, config in _configs(found).items()
    }
    reading = _configs(found)["reading"]
    attributes = environment.from_string(reading["json_attributes_template"]).render(
        value_json=found[reading["json_attributes_topic"]]
    )

    assert states["reading"] == "12 30495"
    assert datetime.fromisoformat(states["captured_at"]).tzinfo is not None
    assert states["camera"] == "ON"
    assert json.loads(attributes)["machine"] == socket.gethostname()


def test_a_camera_that_ended_is_off_and_unavailable(found: dict[str, Any]) -> None:
    config = _configs(found)["camera"]

    rendered = Environment(autoescape=True).from_string(config["value_template"]).render(value_json={"state": "lost"})

    assert rendered == "OFF"
    assert found[config["availability_topic"]] == config["payload_not_available"]


def test_cameras_with_similar_topics_are_different_devices() -> None:
    topics = ("hall/meter", "hall_meter", "hall/meter/", "Hall/meter", "hällt/meter")

    assert len({name_device(topic) for topic in topics}) == len(topics)
    assert all(TOPIC.fullmatch(topic) for one in topics for topic in describe_for_discovery(one))


def test_the_name_of_the_machine_makes_a_topic_of_its_own() -> None:
    address = parse_broker("mqtt://broker/digits/{machine}", TlsFiles(), None)

    assert address.topic == f"digits/{socket.gethostname()}"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--mqtt-discovery",), "--mqtt-discovery needs --mqtt"),
        (("--mqtt", "mqtt://broker/x", "--mqtt-discovery", "a/+"), "without + and #"),
    ],
)
def test_discovery_that_cannot_be_is_misuse(words: tuple[str, ...], reason: str) -> None:
    result = edge_mnist("live", "--camera", "missing.mp4", *words)

    assert result.exit_code == 2
    assert reason in result.stderr
