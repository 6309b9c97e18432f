"""An endless HTTP answer: connecting with limits, following redirects on one host, reading what has come."""

import base64
import http.client
import select
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from .camera import CameraError, CameraRefusedError

# For connecting, and for each wait for bytes.
TIMEOUT_S = 3.0
MOST_REDIRECTS = 3
CHUNK_BYTES = 1 << 16
CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
NEEDS_PASSWORD = frozenset({401, 403})
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class StreamAddress:
    """Where a stream is.

    Attributes:
        scheme: `http` or `https`.
        host: Its name or number.
        port: None for the scheme's own.
        target: Path and query.
        authorization: A header's value, from the user and password in the address; empty without.
    """

    scheme: str
    host: str
    port: int | None
    target: str
    authorization: str

    @property
    def shown(self) -> str:
        """The address for people: without user, password, and query, in which cameras take passwords, too."""
        return self.whole.partition("?")[0]

    @property
    def whole(self) -> str:
        """The address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.target}"


def parse_address(url: str) -> StreamAddress:
    """Understand an address.

    Raises:
        CameraRefusedError: It is none of http or https, without a host, or with characters that no request may have.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise CameraRefusedError(f"the stream's address cannot be understood ({error}).") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if scheme not in CONNECTIONS or not host or not (target.isascii() and target.isprintable()) or " " in target:
        raise CameraRefusedError("expected a stream's address such as http://192.168.1.20:8080/stream.mjpg.")
    return StreamAddress(scheme, host, port, target, _authorize(parts))


def _authorize(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(secret.encode()).decode()


class HttpStream:
    """The body of an answer, read as it comes."""

    def __init__(self, address: StreamAddress) -> None:
        """Ask for it, and for where it has gone on the same host.

        Raises:
            CameraError: Nobody answers in time, or otherwise than with a stream.
            CameraRefusedError: It needs another password, or is no stream.
        """
        self._shown = address.shown
        self._response: http.client.HTTPResponse | None = None
        for _ in range(MOST_REDIRECTS + 1):
            self._connection = CONNECTIONS[address.scheme](address.host, address.port, timeout=TIMEOUT_S)
            try:
                self._response = response = self._ask(address)
                if response.status not in REDIRECTS:
                    self._check(response)
                    return
                address = _follow(address, response.getheader("Location") or "")
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise CameraError(f"{self._shown}: {_describe(error)}.") from error
            except BaseException:
                self.close()
                raise
            self.close()
        raise CameraRefusedError(f"{self._shown}: it redirects more than {MOST_REDIRECTS} times.")

    def read(self) -> bytes:
        """Wait for bytes; return some.

        Raises:
            CameraError: None came in time, or none come any more.
        """
        try:
            chunk = self._response.read1(CHUNK_BYTES) if self._response else b""
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CameraError(f"{self._shown}: {_describe(error)}.") from error
        if not chunk:
            raise CameraError(f"{self._shown}: the stream has ended.")
        return chunk

    def has_more(self) -> bool:
        """Whether bytes have come that were not read, or the end."""
        if self._response is None or self._response.isclosed() or getattr(self._socket, "pending", int)():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def _ask(self, address: StreamAddress) -> http.client.HTTPResponse:
        headers = {"User-Agent": "edge-mnist", "Accept": "multipart/x-mixed-replace"}
        if address.authorization:
            headers["Authorization"] = address.authorization
        self._connection.connect()
        # The connection forgets its socket when the answer is to end with it.
        self._socket: socket.socket = self._connection.sock
        self._connection.request("GET", address.target, headers=headers)
        return self._connection.getresponse()

    def _check(self, response: http.client.HTTPResponse) -> None:
        # The server's own words might be made for the terminal that shows them.
        status, reason = response.status, http.client.responses.get(response.status, "an unknown status")
        if status in NEEDS_PASSWORD:
            raise CameraRefusedError(
                f"{self._shown}: the camera wants another user or password ({status} {reason}). "
                "Give them in the address: http://USER:PASSWORD@HOST/PATH."
            )
        if status != http.client.OK:
            raise CameraError(f"{self._shown}: expected a stream, got {status} {reason}.")
        kind = response.getheader("Content-Type") or "nothing that says its type"
        if not kind.lower().startswith("multipart/"):
            raise CameraRefusedError(
                f"{self._shown}: expected a stream of JPEG pictures (multipart/x-mixed-replace), got {kind[:60]!r}. "
                "Cameras often have a page and a stream of different addresses."
            )


def _follow(address: StreamAddress, location: str) -> StreamAddress:
    """The address that a server redirects to.

    Raises:
        CameraRefusedError: It is on another host, which shall not get the password, or would be asked in the open.
    """
    there = parse_address(urljoin(address.whole, location))
    if there.host != address.host or (address.scheme, there.scheme) == ("https", "http"):
        raise CameraRefusedError(
            f"{address.shown}: redirects to {there.shown}, and only redirects on the same host are followed. "
            "Use that address if you trust it."
        )
    return StreamAddress(there.scheme, there.host, there.port, there.target, address.authorization)


def _describe(error: Exception) -> str:
    """What went wrong, in words without what was sent."""
    match error:
        case TimeoutError():
            return f"nothing came for {TIMEOUT_S:g} s"
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}). "
                "SSL_CERT_FILE names a file with those that are; a wrong clock makes good ones look bad"
            )
        case socket.gaierror():
            return "there is no host of this name"
        case OSError():
            return f"cannot be reached ({error.strerror or error})"
        case _:
            return f"the answer is not HTTP, or cut off ({type(error).__name__})"
