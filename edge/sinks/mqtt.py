"""Publish new readings and the camera's state to an MQTT broker, so that many machines report to one place.

Below the topic of the address there are three topics:

    reading  Each new announcement, in the form of `describe_event`, at least once and in order (QoS 1).
    camera   The camera's state, in the same order.
    status   `online` or `offline`. The broker itself publishes `offline` when we no longer respond.

The last message of each is retained for clients that subscribe later. `camera_state` of a reading is `open` when it was
sent; when the camera is lost or ended, the last reading is sent again with that state and `is_new` false, and when the
camera is back, the current announcement is sent. A retained reading of another run, whose state is unknown, is deleted
by an empty message. So a reading is current while its `camera_state` is `open` and the status `online`.

Readings and camera states also have `machine`, `started_at` and `sequence`: which machine, when it started, and a
number that grows by one with each message since then. A receiver can detect by them repeated and missing messages:
after a lost connection the first message may come twice, as QoS 1 allows. They also distinguish two programs with one
topic, which is reported, because their messages would be mixed.

These guarantees depend on sending one message at a time: the next is sent when the broker has confirmed the last.
So a new connection cannot change the order, and the buffer holds exactly the messages that were not confirmed.
"""

import json
import logging
import secrets
import socket
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..common.network import time_limits
from ..common.network.errors import describe_failure
from ..live.documents import describe_event, format_time
from ..live.events import CameraChange, Event
from ..live.sink_thread import Backlog, SinkError
from .mqtt_address import MqttAddress
from .mqtt_discovery import describe_for_discovery
from .mqtt_trouble import BrokerTrouble, read_origin

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

# Messages that wait while the broker is away; beyond it the oldest is lost. At one announcement a second: 16 minutes.
CAPACITY = 1000
# The broker publishes that we are offline after one and a half of these without a keep-alive.
KEEPALIVE_S = 20
# Pauses before connecting again double from the first to the last.
FIRST_PAUSE_S, LAST_PAUSE_S = 1, 16
# At the end, waiting messages are sent as long as the broker confirms one within this time.
FLUSH_S = 0.2
# After this many frames of a newly opened camera, digits are stable if there are any.
SETTLED_FRAMES = 5
# No message of ours is longer; longer ones are ignored.
MOST_OWN_BYTES = 1_000_000

_logger = logging.getLogger(__name__)


class _Message(NamedTuple):
    topic: str
    payload: str


class MqttSink:
    """A sink that publishes new announcements and changes of the camera; while the broker is away they wait.

    Attributes:
        lost: Number of messages lost because more than the capacity waited.
    """

    name: str
    backlog: Backlog = "all"

    def __init__(self, broker: MqttAddress, capacity: int = CAPACITY, discovery_prefix: str | None = None) -> None:
        """Start to connect. A failure is reported once and retried, as after a lost connection.

        Args:
            broker: Broker and topic.
            capacity: Messages that wait at most.
            discovery_prefix: Prefix under which Home Assistant expects discovery messages; None sends none.

        Raises:
            SinkError: The package paho-mqtt is missing.
        """
        self.name = broker.name
        self.lost = 0
        self._broker = broker
        self._capacity = capacity
        self._discovery = describe_for_discovery(broker.topic, discovery_prefix) if discovery_prefix else {}
        self._origin = {"machine": socket.gethostname(), "started_at": format_time(time.time())}
        self._trouble = BrokerTrouble(self.name)
        self._camera_state = "starting"
        self._reading: dict[str, Any] | None = None
        # Frames of a newly opened camera until the current announcement is sent, new or not. None: it was sent.
        self._frames_left: int | None = None
        # Whether to subscribe to our topic to find other senders; not again if the broker disconnected us for that.
        self._may_listen = True
        # Guards the attributes below. paho calls back with its own locks held: never call paho with this one held.
        self._changed = threading.Condition()
        self._waiting: deque[_Message] = deque()
        self._sequence = 0
        self._camera: dict[str, Any] | None = None
        self._other_reported = False
        self._in_flight: _Message | None = None
        self._confirmed: set[int] = set()
        self._connected = self._closing = False
        # So that `online` is never published after the `offline` of `close`.
        self._saying = threading.Lock()
        self._client = self._make_client()
        # paho's thread, which calls the `_on_` methods, runs from now on.
        self._client.loop_start()
        threading.Thread(target=self._publish_all, name=f"publish {self.name}", daemon=True).start()

    def wants_picture(self) -> bool:
        """Return False: pictures are not used."""
        return False

    def take(self, event: Event) -> None:
        """Queue the event if it is a new announcement or about the camera. Does not wait for the broker."""
        if isinstance(event, CameraChange):
            self._camera_state = event.state
            self._camera = describe_event(event)
            self._put("camera", self._camera)
            if event.state == "open":
                self._frames_left = SETTLED_FRAMES
            else:
                self._mark_reading()
            return
        if self._frames_left is not None:
            self._frames_left -= 1
        if event.is_new or self._frames_left == 0:
            self._frames_left = None
            self._reading = {**describe_event(event), "camera_state": self._camera_state}
            self._put("reading", self._reading)

    def _mark_reading(self) -> None:
        """Mark the last reading as no longer seen, because the camera is gone."""
        self._frames_left = None
        if self._reading is not None:
            self._reading |= {"is_new": False, "camera_state": self._camera_state}
        self._put("reading", self._reading)

    def _put(self, name: str, document: dict[str, Any] | None) -> None:
        """Queue a document; None deletes the retained one."""
        with self._changed:
            payload = ""
            if document is not None:
                numbered = {**document, **self._origin, "sequence": self._sequence}
                payload = json.dumps(numbered, separators=(",", ":"))
                self._sequence += 1
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(_Message(f"{self._broker.topic}/{name}", payload))
            self._changed.notify_all()

    def close(self) -> None:
        """Send waiting messages as long as the broker takes them, publish `offline`, disconnect."""
        with self._changed:
            left = self._unconfirmed
            while left and self._changed.wait_for(lambda left=left: self._unconfirmed < left, FLUSH_S):
                left = self._unconfirmed
            self._closing = True
            self._changed.notify_all()
            connected = self._connected
        if left:
            _logger.warning("%s: the last %d messages could not be sent.", self.name, left)
        # In any case: paho's thread may just have published `online`.
        self._say("offline")
        self._client.disconnect()
        # Without a connection, that thread may be trying to connect; it ends at its next check.
        if connected:
            self._client.loop_stop()

    @property
    def _unconfirmed(self) -> int:
        return len(self._waiting) + (self._in_flight is not None)

    def _make_client(self) -> "Client":
        try:
            # Loaded here, because only this sink needs it.
            from paho.mqtt.client import Client  # noqa: PLC0415
            from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415
        except ImportError as error:
            raise SinkError("--mqtt needs the package paho-mqtt: pip install 'edge-mnist[mqtt]'") from error
        broker = self._broker
        # Each process has its own client id: a broker closes a connection when another client with that id connects.
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"edge-mnist-{secrets.token_hex(6)}")
        client.connect_timeout = time_limits.CONNECT_S
        client.reconnect_delay_set(FIRST_PAUSE_S, LAST_PAUSE_S)
        client.will_set(f"{broker.topic}/status", "offline", qos=1, retain=True)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        elif broker.password is not None:
            _logger.warning("%s: the password is sent without encryption; mqtts:// encrypts it.", self.name)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect_async(broker.host, broker.port, KEEPALIVE_S)
        return client

    def _publish_all(self) -> None:
        """Publish one message after the other; on a thread of its own, until closing."""
        while (message := self._next()) is not None:
            # If there is no connection, or it is lost now, paho keeps the message and sends it with the next one.
            number = self._client.publish(message.topic, message.payload, qos=1, retain=True).mid
            with self._changed:
                self._changed.wait_for(lambda number=number: number in self._confirmed or self._closing)
                if number in self._confirmed:
                    self._in_flight = None
                    self._changed.notify_all()

    def _next(self) -> _Message | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or (self._connected and self._waiting))
            if self._closing:
                return None
            self._confirmed.clear()
            self._in_flight = self._waiting.popleft()
            return self._in_flight

    def _say(self, status: Literal["online", "offline"]) -> None:
        """Publish without confirmation; otherwise paho would keep one for each broken connection and send all later."""
        with self._saying:
            if status == "offline" or not self._closing:
                self._client.publish(f"{self._broker.topic}/status", status, qos=0, retain=True)

    def _on_socket_open(self, client: "Client", userdata: None, connection: object) -> None:
        # `close` was called while paho was about to connect, and found nothing to disconnect.
        if self._closing:
            client.disconnect()

    def _on_connect(
        self, client: "Client", userdata: None, flags: object, reason: "ReasonCode", properties: object
    ) -> None:
        if reason.is_failure:
            self._trouble.report(f"the broker rejects the connection: {reason}")
            return
        with self._changed:
            waiting, lost = self._unconfirmed, self.lost
        if self._may_listen:
            self._may_listen = False
            client.subscribe([(f"{self._broker.topic}/{name}", 0) for name in ("camera", "status")])
        # Before the status, so that the entities are available as soon as they are known. Not confirmed either.
        for topic, payload in self._discovery.items():
            client.publish(topic, payload, qos=0, retain=True)
        self._say("online")
        self._trouble.over(f"{waiting} messages waited, {lost} were lost since the start")
        with self._changed:
            self._connected = True
            self._changed.notify_all()

    def _on_connect_fail(self, client: "Client", userdata: None) -> None:
        # paho does not state the reason, but calls this while it handles the error.
        self._trouble.report(describe_failure(sys.exception(), "--mqtt-ca FILE"))

    def _on_disconnect(
        self, client: "Client", userdata: None, flags: object, reason: object, properties: object
    ) -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            self._changed.notify_all()
            if self._closing:
                return
        if was_connected:
            self._trouble.report("the connection was lost")
        # A connection that was refused has been reported already.
        elif not self._trouble.is_on:
            perhaps = "" if self._broker.tls is None else "; it may require another client certificate"
            self._trouble.report(f"the broker closed the connection before it responded{perhaps}")

    def _on_publish(self, client: "Client", userdata: None, number: int, reason: object, properties: object) -> None:
        with self._changed:
            self._confirmed.add(number)
            self._changed.notify_all()

    def _on_subscribe(self, client: "Client", userdata: None, number: int, reasons: object, properties: object) -> None:
        self._may_listen = True

    def _on_message(self, client: "Client", userdata: None, message: "MQTTMessage") -> None:
        # A retained message may be of a former run. A broker may send anything: the topic's name may not even be text.
        if message.retain or self._closing or len(message.payload) > MOST_OWN_BYTES:
            return
        if message.payload == b"offline":
            # From another sender with our topic, or from an old connection of ours that the broker noticed late.
            self._say("online")
            return
        machine, started_at = read_origin(message.payload)
        if started_at is None or (machine, started_at) == tuple(self._origin.values()) or self._other_reported:
            return
        self._other_reported = True
        _logger.warning(
            "%s: another edge-mnist, on %.60r since %.30r, also publishes to this topic, so subscribers receive "
            "the readings of both. Give each its own topic.",
            self.name,
            machine,
            started_at,
        )
        # So that the other sender receives our state, too; it answers once, as we do.
        if self._camera is not None:
            self._put("camera", self._camera)
