"""What `--mqtt` says: where the broker is, the topic, and who we are, checked before anything connects."""

import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import EdgeMnistError
from ..regular_files import open_file, read_file
from .sink import SinkError

PORTS = {"mqtt": 1883, "mqtts": 8883}
PASSWORD_VARIABLE = "EDGE_MNIST_MQTT_PASSWORD"  # noqa: S105 - where it is, not what it is
# What tells this machine from others, the best first: clones of one SD card share all but their board's number.
IDENTITY_FILES = (Path("/sys/firmware/devicetree/base/serial-number"), Path("/etc/machine-id"))
# Of a file whose first line is the password.
MOST_BYTES = 64_000


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. None: trust whom the system trusts; no client certificate; the key is in the certificate's file."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Broker:
    """Where readings go.

    Attributes:
        host: Name or address.
        port: TCP port.
        topic: What our topics begin with.
        user: None for nobody.
        password: Never shown.
        tls: None for a connection without encryption.
    """

    host: str
    port: int
    topic: str
    user: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)

    @property
    def name(self) -> str:
        """For people, without the user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.topic}"

    @property
    def client_id(self) -> str:
        """The same whenever this machine uses this topic, so that a broker knows that we are back.

        Otherwise it might publish the last will of our former connection after we are online again.
        """
        return f"edge-mnist-{sha256(f'{_identify_machine()} {self.topic}'.encode()).hexdigest()[:12]}"


def parse_broker(url: str, tls_files: TlsFiles, password_file: Path | None) -> Broker:
    """Check an address and what belongs to it.

    Args:
        url: `mqtt://[user@]host[:port]/topic`, or `mqtts://` for TLS.
        tls_files: For `mqtts` only.
        password_file: Its first line is the password; without one $EDGE_MNIST_MQTT_PASSWORD is, if it is set.

    Raises:
        SinkError: Not such an address, options that do not fit it, or files that do not hold what they should.
    """
    # Whatever it is, somebody may have put a password before the @.
    shown = re.sub(r"(?is)^(mqtts?://)?.*@", r"\1...@", url)
    try:
        parts = urlsplit(url)
        port = parts.port
        # As the resolver does it, which raises UnicodeError for what is no name.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise SinkError(f"--mqtt {shown}: expected mqtt://[user@]host[:port]/topic.") from None
    if parts.password is not None:
        raise SinkError(
            f"--mqtt {shown}: everybody on this machine can see a password in an address. Put it into "
            f"${PASSWORD_VARIABLE} or a --mqtt-password-file."
        )
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise SinkError(f"--mqtt {shown}: expected mqtt://[user@]host[:port]/topic, or mqtts:// for TLS.")
    topic = _check_topic(url, shown)
    user = unquote(parts.username) if parts.username else None
    password = _find_password(password_file)
    if password is not None and user is None:
        raise SinkError(f"--mqtt {shown}: there is a password, but no user. Write {parts.scheme}://USER@...")
    if parts.scheme == "mqtt" and tls_files != TlsFiles():
        raise SinkError(f"--mqtt {shown}: certificates are for mqtts://, which is MQTT over TLS.")
    tls = _make_tls(tls_files) if parts.scheme == "mqtts" else None
    return Broker(parts.hostname, port or PORTS[parts.scheme], topic, user, password, tls)


def _check_topic(url: str, shown: str) -> str:
    """All that follows the host; what other addresses give a meaning, as ? and #, is not for topics."""
    topic = unquote(re.sub(r"^[^:]*://[^/?#]*/?", "", url))
    if not topic or topic.endswith("/") or re.search(r"[+#\0]", topic):
        raise SinkError(
            f"--mqtt {shown}: expected a topic after the host, without + and #, e.g. mqtt://broker/kitchen/meter."
        )
    return topic


def _find_password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    try:
        return read_file(file, MOST_BYTES).decode().split("\n", 1)[0].rstrip("\r")
    except EdgeMnistError as error:
        raise SinkError(f"--mqtt-password-file {error}") from error
    except UnicodeDecodeError as error:
        raise SinkError(f"--mqtt-password-file {file}: cannot be read (it is not text).") from error


def _make_tls(files: TlsFiles) -> ssl.SSLContext:
    """Demands a certificate that fits the host's name."""
    for option, file in (("ca", files.ca), ("cert", files.certificate), ("key", files.key)):
        _check_file(f"--mqtt-{option}", file)
    if files.key and not files.certificate:
        raise SinkError("--mqtt-key is of use only with its --mqtt-cert.")
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except (OSError, ssl.SSLError) as error:
        raise SinkError(f"--mqtt-ca {files.ca}: expected certificates in PEM format ({error}).") from error
    if files.certificate:
        try:
            # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(files.certificate, files.key, password="")
        except (OSError, ssl.SSLError) as error:
            raise SinkError(
                f"--mqtt-cert {files.certificate}: expected a certificate and its key in PEM format ({error})."
            ) from error
    return context


def _check_file(option: str, file: Path | None) -> None:
    """Refuse a pipe, which OpenSSL would wait for."""
    if file is None:
        return
    try:
        open_file(file).close()
    except EdgeMnistError as error:
        raise SinkError(f"{option} {error}") from error


def _identify_machine() -> str:
    for file in IDENTITY_FILES:
        try:
            if identity := file.read_text().strip("\0\n "):
                return identity
        except OSError:
            continue
    return socket.gethostname()
