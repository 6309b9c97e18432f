"""Describe a camera to Home Assistant, so that it appears there by itself: MQTT discovery.

Three entities of one device: the reading as text, the time of its frame, and whether the camera is open. All are
unavailable while the status is `offline`. Node-RED's Home Assistant nodes then see them, too.

Source: "MQTT discovery", "MQTT sensor" and "MQTT binary sensor" of Home Assistant's documentation.
"""

import json
import re
from hashlib import blake2b
from importlib.metadata import version

PREFIX = "homeassistant"
# A state of Home Assistant is at most this long.
MOST_STATE_CHARACTERS = 255
# The full document, with every digit's box, is too long for its database.
ATTRIBUTES = "{{ {'rows': value_json.announced, 'captured_at': value_json.captured_at, 'camera_state': " \
    "value_json.camera_state, 'machine': value_json.machine} | tojson }}"  # fmt: skip


def describe_for_discovery(topic: str, prefix: str = PREFIX) -> dict[str, str]:
    """Make the discovery messages of a camera.

    Args:
        topic: Prefix of the camera's topics; each camera has its own.
        prefix: Discovery prefix of Home Assistant.

    Returns:
        Payloads by their topics, to be published retained.
    """
    device = name_device(topic)
    entities = {
        ("sensor", "reading"): {
            "name": "Reading",
            "icon": "mdi:numeric",
            "state_topic": f"{topic}/reading",
            "value_template": f"{{{{ (value_json.announced | join(' '))[:{MOST_STATE_CHARACTERS}] }}}}",
            "json_attributes_topic": f"{topic}/reading",
            "json_attributes_template": ATTRIBUTES,
        },
        ("sensor", "captured_at"): {
            "name": "Read at",
            "device_class": "timestamp",
            "state_topic": f"{topic}/reading",
            "value_template": "{{ value_json.captured_at }}",
        },
        ("binary_sensor", "camera"): {
            "name": "Camera",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": f"{topic}/camera",
            "value_template": "{{ 'ON' if value_json.state == 'open' else 'OFF' }}",
        },
    }
    shared = _describe_device(topic, device)
    return {
        f"{prefix}/{component}/{device}/{name}/config": json.dumps(
            {"unique_id": f"{device}_{name}", **fields, **shared}
        )
        for (component, name), fields in entities.items()
    }


def _describe_device(topic: str, device: str) -> dict[str, object]:
    """Make the fields that all entities of a camera share."""
    made_by = {"name": "edge-mnist", "sw_version": version("edge-mnist")}
    return {
        "availability_topic": f"{topic}/status",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {"identifiers": [device], "manufacturer": "edge-mnist", "model": "Digit reader", **made_by,
                   "name": f"edge-mnist {topic}"},
        "origin": made_by,
    }  # fmt: skip


def name_device(topic: str) -> str:
    """Name a camera in letters, digits, _ and - only, differently for each topic."""
    return f"edge_mnist_{re.sub(r'[^A-Za-z0-9]+', '_', topic)}_{blake2b(topic.encode(), digest_size=3).hexdigest()}"
