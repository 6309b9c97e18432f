"""The address of `--mqtt`: broker, topic, user and TLS, checked before anything connects."""

import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ..common.errors import EdgeMnistError
from ..common.files import open_file
from ..common.network.credentials import find_password, parse_address
from ..live.sink_thread import SinkError

PORTS = {"mqtt": 1883, "mqtts": 8883}
EXPECTED = "Expected mqtt://[user@]host[:port]/topic, or mqtts:// for TLS."
# In a topic, it stands for the name of this machine, so that many machines share one configuration.
MACHINE = "{machine}"
PASSWORD_VARIABLE = "EDGE_MNIST_MQTT_PASSWORD"  # noqa: S105 - the name of the variable, not the password


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. None means: the system's certificate authorities; no client certificate; the key is in its file."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class MqttAddress:
    """The destination of readings.

    Attributes:
        host: Host name or IP address.
        port: TCP port.
        topic: Prefix of our topics.
        user: User name; None if there is none.
        password: Password; never shown.
        tls: TLS settings; None for a connection without encryption.
    """

    host: str
    port: int
    topic: str
    user: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)

    @property
    def name(self) -> str:
        """Name for people, without the user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.topic}"


def parse_broker(url: str, tls_files: TlsFiles, password_file: Path | None) -> MqttAddress:
    """Check an address and the options that belong to it.

    Args:
        url: Address `mqtt://[user@]host[:port]/topic`, or `mqtts://` for TLS; `{machine}` in the topic is replaced.
        tls_files: Certificate files, for `mqtts` only.
        password_file: File whose first line is the password; None takes $EDGE_MNIST_MQTT_PASSWORD, if it is set.

    Raises:
        SinkError: The address is not valid, options do not fit it, or a file has no valid content.
    """
    try:
        address = parse_address(url, PORTS)
    except EdgeMnistError as error:
        raise SinkError(f"--mqtt: {error}. {EXPECTED}") from None
    shown = address.shown
    if address.password is not None:
        raise SinkError(
            f"--mqtt {shown}: every user of this machine can see a password in an address. Put it into "
            f"${PASSWORD_VARIABLE} or a --mqtt-password-file."
        )
    topic = unquote(address.target.removeprefix("/")).replace(MACHINE, re.sub(r"[+#/\0]", "-", socket.gethostname()))
    # Parts that have a meaning in other addresses are not allowed in topics.
    if not topic or topic.endswith("/") or "#" in url or re.search(r"[+#\0]", topic):
        raise SinkError(
            f"--mqtt {shown}: expected a topic after the host, without + and #, e.g. mqtt://broker/kitchen/meter."
        )
    try:
        password = find_password(password_file, PASSWORD_VARIABLE)
    except EdgeMnistError as error:
        raise SinkError(f"--mqtt-password-file {error}" if password_file else str(error)) from None
    if password is not None and not address.user:
        raise SinkError(f"--mqtt {shown}: there is a password, but no user. Write {address.scheme}://USER@...")
    if address.scheme == "mqtt" and tls_files != TlsFiles():
        raise SinkError(f"--mqtt {shown}: certificates are for mqtts://, which is MQTT over TLS.")
    tls = _make_tls(tls_files) if address.scheme == "mqtts" else None
    return MqttAddress(address.host, address.port or PORTS[address.scheme], topic, address.user or None, password, tls)


def _make_tls(files: TlsFiles) -> ssl.SSLContext:
    """Make a TLS context that requires a certificate for the host's name."""
    for option, file in (("ca", files.ca), ("cert", files.certificate), ("key", files.key)):
        _check_file(f"--mqtt-{option}", file)
    if files.key and not files.certificate:
        raise SinkError("--mqtt-key needs --mqtt-cert.")
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise SinkError(f"--mqtt-ca {files.ca}: {_explain(error, 'expected certificates in PEM format')}.") from error
    if files.certificate:
        try:
            # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(files.certificate, files.key, password="")
        except OSError as error:
            expected = "expected a certificate and its key in PEM format, the key not encrypted"
            raise SinkError(f"--mqtt-cert {files.certificate}: {_explain(error, expected)}.") from error
    return context


def _check_file(option: str, file: Path | None) -> None:
    """Refuse a pipe, on which OpenSSL would wait."""
    if file is None:
        return
    try:
        open_file(file).close()
    except EdgeMnistError as error:
        raise SinkError(f"{option} {error}") from error


def _explain(error: OSError, expected: str) -> str:
    """Explain why certificates cannot be used; OpenSSL's messages are for programmers."""
    if not isinstance(error, ssl.SSLError):
        return f"cannot be read ({error.strerror})"
    return "the key belongs to another certificate" if error.reason == "KEY_VALUES_MISMATCH" else expected
