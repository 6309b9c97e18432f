"""Reports to a broker: a real Mosquitto, with passwords and TLS, that is killed and comes back."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge_mnist.edge.live.sink_thread import SinkError, SinkThread
from edge_mnist.edge.sinks import mqtt
from edge_mnist.edge.sinks.mqtt import SETTLED_FRAMES, MqttSink
from edge_mnist.edge.sinks.mqtt_address import PASSWORD_VARIABLE, MqttAddress, TlsFiles, parse_broker
from tests.builders.sightings import make_change, make_sighting
from tests.conftest import REPOSITORY
from tests.stand_ins.broker import PATIENCE_S, Mosquitto, Subscriber, require_broker


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


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses before connecting again are too long for tests that wait for them."""
    monkeypatch.setattr(mqtt, "FIRST_PAUSE_S", 0.1)


def _broker(port: int, scheme: str = "mqtt", host: str = "127.0.0.1", **more: Path) -> MqttAddress:
    tls = TlsFiles(**{name: path for name, path in more.items() if name != "password_file"})
    return parse_broker(f"{scheme}://{host}:{port}/hall/meter", tls, more.get("password_file"))


def _wait_for(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_announcements_and_camera_states_arrive_numbered_and_in_order(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))

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
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))
    subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"])

    assert outlet.close(PATIENCE_S)

    subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online", "offline"])


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 10])
def test_whenever_a_sink_is_closed_it_is_offline_in_the_end(
    delay_ms: int, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    """Also when that happens while it connects."""
    sink = MqttSink(_broker(mosquitto.port))
    time.sleep(delay_ms / 1000)

    sink.close()

    _wait_for(lambda: not [thread for thread in threading.enumerate() if "edge-mnist" in thread.name])
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
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))
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
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))
    outlet.put(make_change("open"))
    outlet.put(make_sighting(0, ("12",), is_new=True))
    outlet.put(make_change(state))
    assert outlet.close(PATIENCE_S)

    reading = _find_retained(mosquitto.port, 3)["hall/meter/reading"]

    assert (reading["announced"], reading["is_new"], reading["camera_state"]) == (["12"], False, state)


def test_a_camera_that_is_back_says_what_holds_once_digits_are_stable(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))
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
    first = SinkThread(MqttSink(_broker(mosquitto.port)))
    first.put(make_sighting(0, ("12",), is_new=True))
    assert first.close(PATIENCE_S)
    second = SinkThread(MqttSink(_broker(mosquitto.port)))
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
        sinks = [MqttSink(_broker(mosquitto.port))]
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"])
        # Another started_at.
        time.sleep(0.01)
        sinks.append(MqttSink(_broker(mosquitto.port)))
        subscriber.wait_for(lambda: subscriber.of("hall/meter/status") == ["online"] * 2)
        for sink in sinks * 2:
            sink.take(make_change("open"))
        _wait_for(lambda: len(caplog.records) == 2)
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

    sink = MqttSink(_broker(listener.getsockname()[1]))
    if on_subscribe is None:
        sink.take(make_sighting(is_new=True))
    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield published
    sink.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join(PATIENCE_S)


@pytest.mark.usefixtures("_impatient")
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


def test_an_outage_of_the_broker_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    require_broker()
    from tests.long.broker_outage import run_outage

    result = run_outage(tmp_path, outage_s=3.0, around_s=1.0)

    assert (result.lost, result.reordered) == (0, 0)
    assert result.published > 60
    # At most the one message whose confirmation the broker did not get to send.
    assert result.duplicates <= 1


@pytest.mark.usefixtures("_impatient")
def test_a_broker_that_starts_later_gets_everything(
    mosquitto: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto.stop()
    outlet = SinkThread(MqttSink(_broker(mosquitto.port)))
    outlet.put(make_sighting(7, is_new=True))
    _wait_for(lambda: caplog.records)

    mosquitto.start()
    subscriber.wait_for(lambda: subscriber.of("hall/meter/reading"))
    assert outlet.close(PATIENCE_S)

    assert [record.message for record in caplog.records] == [
        f"mqtt://127.0.0.1:{mosquitto.port}/hall/meter: cannot be reached (connection refused, nothing listens there). "
        "Connecting again; readings wait meanwhile."
    ]


@pytest.mark.usefixtures("_impatient")
def test_more_than_the_buffer_holds_loses_the_oldest(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    mosquitto.stop()
    sink = MqttSink(_broker(mosquitto.port), capacity=5)
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
    outlet = SinkThread(MqttSink(_broker(1)))
    for i in range(3):
        outlet.put(make_sighting(i, is_new=True))

    assert outlet.close(2.0)

    assert "the last 3 messages could not be sent." in caplog.text


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "cannot be reached (connection refused"), ("no-such-host.invalid", "")],
    ids=["nobody listens", "unknown host"],
)
def test_a_broker_that_cannot_be_reached_is_reported_once(
    host: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    require_broker()
    sink = MqttSink(_broker(1, host=host))

    _wait_for(lambda: caplog.records)
    # Further attempts follow.
    time.sleep(0.5)
    sink.close()

    (record,) = caplog.records
    assert f"mqtt://{host}:1/hall/meter: {reason}" in record.message


def _ask_for_passwords(folder: Path) -> str:
    """Settings of a broker that knows one user."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd: apt install mosquitto")
    file = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "meter", "right horse"], check=True, capture_output=True)
    file.chmod(0o600)
    return f"allow_anonymous false\npassword_file {file}"


@pytest.mark.usefixtures("_impatient")
def test_a_password_lets_in_and_a_wrong_one_is_reported_once_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    require_broker()
    mosquitto = Mosquitto(tmp_path, _ask_for_passwords(tmp_path))
    mosquitto.start()
    address = f"mqtt://meter@127.0.0.1:{mosquitto.port}/hall/meter"
    (tmp_path / "password").write_text("right horse\nnot this\n")
    try:
        subscriber = Subscriber(mosquitto.port, "meter", "right horse")
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong horse")
        wrong = MqttSink(parse_broker(address, TlsFiles(), None))
        _wait_for(lambda: "rejects" in caplog.text)
        time.sleep(0.5)
        wrong.close()
        from_file = MqttSink(parse_broker(address, TlsFiles(), tmp_path / "password"))
        from_file.take(make_sighting(is_new=True))
        subscriber.wait_for(lambda: subscriber.of("hall/meter/reading"))
        from_file.close()
        subscriber.close()
    finally:
        mosquitto.kill()

    assert "horse" not in caplog.text
    assert caplog.text.count("the broker rejects the connection: Not authorized. Connecting again") == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority and what it vouches for: a broker called localhost, and a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", 2)
    try:
        openssl("req", "-x509", *key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem",
                "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    except FileNotFoundError:
        pytest.skip("needs openssl")
    for name, alternative in (("localhost", "DNS:localhost"), ("client", "DNS:client")):
        openssl("req", "-x509", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName={alternative}",
                "-addext", "basicConstraints=critical,CA:false")  # fmt: skip
    return folder


# paho forgets the socket of a handshake that failed; Python closes it at once, and says so.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who does not know the authority does not connect; who does, but has no certificate, is not let in."""
    require_broker()
    mosquitto = Mosquitto(
        tmp_path,
        f"allow_anonymous true\ncafile {certificates}/ca.pem\ncertfile {certificates}/localhost.pem\n"
        f"keyfile {certificates}/localhost.key\nrequire_certificate true",
    )
    mosquitto.start()
    ca, certificate, key = (certificates / name for name in ("ca.pem", "client.pem", "client.key"))
    tls = ssl.create_default_context(cafile=ca)
    tls.load_cert_chain(certificate, key)
    try:
        subscriber = Subscriber(mosquitto.port, tls=tls)
        stranger = MqttSink(_broker(mosquitto.port, "mqtts", "localhost"))
        _wait_for(lambda: "an authority that is not trusted here" in caplog.text)
        stranger.close()
        nameless = MqttSink(_broker(mosquitto.port, "mqtts", "localhost", ca=ca))
        _wait_for(lambda: len(caplog.records) == 2)
        nameless.close()
        sink = MqttSink(_broker(mosquitto.port, "mqtts", "localhost", ca=ca, certificate=certificate, key=key))
        sink.take(make_sighting(is_new=True))
        subscriber.wait_for(lambda: subscriber.of("hall/meter/reading"))
        sink.close()
        subscriber.close()
    finally:
        mosquitto.kill()

    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://host/topic", "--mqtt: expected an address that begins with mqtt:// or mqtts://"),
        ("mqtt:///topic", "expected a host name or IP address"),
        ("mqtt://host", "expected a topic after the host"),
        ("mqtt://host/a/#", "expected a topic after the host, without + and #"),
        ("mqtt://host/a/+/b", "expected a topic after the host, without + and #"),
        ("mqtt://host:99999/topic", "Expected mqtt://[user@]host[:port]/topic"),
        ("mqtt://a..b/topic", "expected a host name or IP address"),
        ("mqtt://me:secret@host/topic", "can see a password in an address"),
        ("mqtt://me:sec/ret@host/topic", "the end of the password is unclear"),
        ("mqtt:me:secret@host/topic", "--mqtt: expected an address that begins with mqtt://"),
        ("me:secret@host/topic", "--mqtt: expected an address that begins with mqtt://"),
        ("mqtt://me:s@secret@host/topic", "--mqtt mqtt://host/topic: every user of this machine can see"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_is_one_sentence_without_the_password(url: str, message: str) -> None:
    with pytest.raises(SinkError) as caught:
        parse_broker(url, TlsFiles(), None)

    assert message in str(caught.value)
    assert "sec" not in str(caught.value)


def test_an_address_says_where_and_who() -> None:
    broker = parse_broker("mqtt://me%40home@[::1]/a/b%20c", TlsFiles(), None)
    encrypted = parse_broker("mqtts://host/a", TlsFiles(), None)

    assert (broker.host, broker.port, broker.topic, broker.user) == ("::1", 1883, "a/b c", "me@home")
    assert broker.name == "mqtt://[::1]:1883/a/b c"
    assert encrypted.port == 8883
    assert encrypted.tls is not None
    assert encrypted.tls.check_hostname


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")

    broker = parse_broker("mqtt://me@host/topic", TlsFiles(), None)

    assert broker.password == os.environ[PASSWORD_VARIABLE]
    assert "secret" not in repr(broker)
    with pytest.raises(SinkError, match="there is a password, but no user"):
        parse_broker("mqtt://host/topic", TlsFiles(), None)


@pytest.mark.parametrize(
    ("scheme", "files", "message"),
    [
        ("mqtt", {"ca": REPOSITORY / "LICENSE"}, "certificates are for mqtts://"),
        ("mqtts", {"ca": REPOSITORY / "LICENSE"}, "expected certificates in PEM format"),
        ("mqtts", {"certificate": REPOSITORY / "LICENSE"}, "expected a certificate and its key in PEM format"),
        ("mqtts", {"key": REPOSITORY / "LICENSE"}, "--mqtt-key needs --mqtt-cert"),
        ("mqtt", {"password_file": REPOSITORY / "missing"}, "cannot be read (No such file or directory)"),
    ],
)
def test_files_that_do_not_fit_are_one_sentence(scheme: str, files: dict[str, Path], message: str) -> None:
    with pytest.raises(SinkError) as caught:
        _broker(1883, scheme, **files)

    assert message in str(caught.value)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)

    with pytest.raises(SinkError, match=r"pip install 'edge-mnist\[mqtt\]'"):
        MqttSink(_broker(1883))
