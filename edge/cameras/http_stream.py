"""An endless HTTP response: connect within limits, log in, follow redirects on one host, and read the body."""

import http.client
import select
import socket
import time
from collections.abc import Collection
from dataclasses import replace
from urllib.parse import urljoin

from ..common.errors import EdgeMnistError
from ..common.network import authentication, time_limits
from ..common.network.authentication import Challenge
from ..common.network.credentials import Address, parse_address
from ..common.network.errors import describe_failure
from .camera import CameraError, CameraUnsupportedError

MOST_REDIRECTS = 3
CHUNK_BYTES = 1 << 16
CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
SCHEMES = (*CONNECTIONS, "rtsp", "rtsps")
NEEDS_PASSWORD = frozenset({401, 403})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSWORD_VARIABLE = "EDGE_MNIST_CAMERA_PASSWORD"  # noqa: S105 - the name of the variable, not the password


def parse_stream(url: str, schemes: Collection[str] = SCHEMES) -> Address:
    """Parse a stream's address.

    Args:
        url: The address.
        schemes: Schemes that are accepted.

    Raises:
        CameraUnsupportedError: It has another scheme, or cannot be requested; nothing of it is quoted.
    """
    try:
        address = parse_address(url, schemes)
    except EdgeMnistError as error:
        raise CameraUnsupportedError(
            f"the camera's address: {error}. Expected a stream's address such as "
            f"http://USER@192.168.1.20:8080/stream.mjpg, and the password in ${PASSWORD_VARIABLE} or a "
            "--camera-password-file, where all characters are allowed."
        ) from None
    target = address.target if address.target.startswith("/") else f"/{address.target}"
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise CameraUnsupportedError(
            "the camera's address: expected a stream's address without spaces and with only ASCII after the "
            "host; write other characters as %XX."
        )
    return replace(address, target=target)


def explain_login(address: Address, status: str) -> str:
    """Explain what to do about a camera that refused an address with or without a user by this status."""
    reason = "requires a user and a password" if address.user is None else "rejects the user or the password"
    return (
        f"{address.shown}: the camera {reason} ({status}). Write {address.scheme}://USER@HOST/PATH, and put the "
        f"password into ${PASSWORD_VARIABLE} or a --camera-password-file."
    )


class HttpStream:
    """The body of a response, read as it arrives."""

    def __init__(self, address: Address, deadline_s: float) -> None:
        """Send the request, log in if required, and follow redirects on the same host.

        Args:
            address: From `parse_stream`.
            deadline_s: Time limit for the response to begin, of `time.monotonic()`.

        Raises:
            CameraError: There is no response in time, or not a stream.
            CameraUnsupportedError: It needs another password, or is not a stream.
        """
        self._shown = address.shown
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        try:
            self._open(address, deadline_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise CameraError(f"{self._shown}: {describe_failure(error, 'SSL_CERT_FILE=FILE')}.") from error
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> bytes:
        """Wait for bytes; return some, or none if none arrive in time.

        Raises:
            CameraError: No more bytes will arrive.
        """
        try:
            self._socket.settimeout(max(timeout_s, 0.001))
            chunk = self._response.read1(CHUNK_BYTES) if self._response else b""
        except TimeoutError:
            return b""
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CameraError(f"{self._shown}: {describe_failure(error, 'SSL_CERT_FILE=FILE')}.") from error
        if not chunk:
            raise CameraError(f"{self._shown}: the stream has ended.")
        return chunk

    def has_more(self) -> bool:
        """Whether there are unread bytes, or the end was reached."""
        if self._response is None or self._response.isclosed() or getattr(self._socket, "pending", int)():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    def _open(self, address: Address, deadline_s: float) -> None:
        authorization, attempts, redirects = "", 0, 0
        while True:
            self._response = response = self._ask(address, authorization, deadline_s)
            if response.status in REDIRECTS:
                address = _follow(address, response.getheader("Location") or "")
                authorization, attempts, redirects = "", 0, redirects + 1
                if redirects > MOST_REDIRECTS:
                    raise CameraUnsupportedError(f"{self._shown}: it redirects more than {MOST_REDIRECTS} times.")
            elif response.status in NEEDS_PASSWORD:
                authorization, attempts = self._log_in(address, response, attempts), attempts + 1
            else:
                self._check(response)
                return
            self.close()

    def _ask(self, address: Address, authorization: str, deadline_s: float) -> http.client.HTTPResponse:
        headers = {"User-Agent": "edge-mnist", "Accept": "multipart/x-mixed-replace"}
        if authorization:
            headers["Authorization"] = authorization
        left_s = max(deadline_s - time.monotonic(), 0.001)
        self._connection = connection = CONNECTIONS[address.scheme](
            address.host, address.port, timeout=min(left_s, time_limits.CONNECT_S)
        )
        connection.connect()
        # The connection drops its socket if the response ends with it.
        self._socket: socket.socket = connection.sock
        self._socket.settimeout(max(deadline_s - time.monotonic(), 0.001))
        connection.request("GET", address.target, headers=headers)
        return connection.getresponse()

    def _log_in(self, address: Address, response: http.client.HTTPResponse, attempts: int) -> str:
        """Return the header for another attempt.

        Raises:
            CameraUnsupportedError: There is no password, it was wrong, or the server uses an unsupported authentication
                method.
        """
        status = f"{response.status} {http.client.responses[response.status]}"
        if address.user is None:
            raise CameraUnsupportedError(explain_login(address, status))
        challenges = authentication.read_challenges(response.headers.get_all("WWW-Authenticate") or [])
        # An expired nonce does not mean a wrong password; no real server sends both twice.
        if attempts > 1 or (attempts == 1 and not any(challenge.is_stale for challenge in challenges)):
            raise CameraUnsupportedError(explain_login(address, status))
        header = authentication.answer(challenges, address.user, address.password or "", address.target)
        if header is None:
            raise CameraUnsupportedError(
                f"{self._shown}: the camera requires a login by {_name_schemes(challenges)}; expected Basic, or "
                "Digest with SHA-256 or MD5. Enable one of them in its settings."
            )
        return header

    def _check(self, response: http.client.HTTPResponse) -> None:
        # The server's own words might contain control sequences for the terminal.
        status, reason = response.status, http.client.responses.get(response.status, "an unknown status")
        if status != http.client.OK:
            raise CameraError(f"{self._shown}: expected a stream, got {status} {reason}.")
        kind = response.getheader("Content-Type") or "no Content-Type"
        if not kind.lower().startswith("multipart/"):
            raise CameraUnsupportedError(
                f"{self._shown}: expected a stream of JPEG pictures (multipart/x-mixed-replace), got "
                f"{kind[:60]!r}. A camera's web page and its stream often have different addresses."
            )


def _name_schemes(challenges: Collection[Challenge]) -> str:
    """Name the authentication methods, e.g. `Digest (SHA-512-256)`."""
    names = {
        f"{challenge.scheme.title()} ({challenge.parameters['algorithm']})"
        if challenge.parameters.get("algorithm")
        else challenge.scheme.title()
        for challenge in challenges
    }
    return repr(", ".join(sorted(names))[:60])


def _follow(address: Address, location: str) -> Address:
    """Return the address that a server redirects to; a user and password in it are ignored.

    Raises:
        CameraUnsupportedError: It is on another host, which must not get the password, or would send it unencrypted.
    """
    try:
        there = parse_stream(urljoin(address.origin + address.target, location), CONNECTIONS)
    except (CameraUnsupportedError, ValueError):
        raise CameraUnsupportedError(f"{address.shown}: redirects to an address that is not a stream.") from None
    if there.host != address.host or (address.scheme, there.scheme) == ("https", "http"):
        raise CameraUnsupportedError(
            f"{address.shown}: redirects to {there.shown}, and only redirects on the same host are followed. "
            "Use that address if you trust it."
        )
    return replace(there, user=address.user, password=address.password)
