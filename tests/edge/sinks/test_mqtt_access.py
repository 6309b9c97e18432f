"""Addresses of brokers, passwords and certificates: what lets in, and what is refused in one sentence."""

import os
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_mnist.edge.live.sink_thread import SinkError
from edge_mnist.edge.sinks.mqtt import MqttSink
from edge_mnist.edge.sinks.mqtt_address import PASSWORD_VARIABLE, TlsFiles, parse_broker
from tests.builders.sightings import make_sighting
from tests.conftest import REPOSITORY
from tests.stand_ins.broker import Mosquitto, Subscriber, impatient, meter_address, require_broker, wait_for

__all__ = ["impatient"]


def _ask_for_passwords(folder: Path) -> str:
    """Settings of a broker that knows one user."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd: apt install mosquitto")
    file = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "meter", "right horse"], check=True, capture_output=True)
    file.chmod(0o600)
    return f"allow_anonymous false\npassword_file {file}"


@pytest.mark.usefixtures("impatient")
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
        wait_for(lambda: "rejects" in caplog.text)
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
        stranger = MqttSink(meter_address(mosquitto.port, "mqtts", "localhost"))
        wait_for(lambda: "an authority that is not trusted here" in caplog.text)
        stranger.close()
        nameless = MqttSink(meter_address(mosquitto.port, "mqtts", "localhost", ca=ca))
        wait_for(lambda: len(caplog.records) == 2)
        nameless.close()
        sink = MqttSink(meter_address(mosquitto.port, "mqtts", "localhost", ca=ca, certificate=certificate, key=key))
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
        meter_address(1883, scheme, **files)

    assert message in str(caught.value)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)

    with pytest.raises(SinkError, match=r"pip install 'edge-mnist\[mqtt\]'"):
        MqttSink(meter_address(1883))
