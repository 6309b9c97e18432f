"""The server: a socket, a thread, and the end of both."""

import asyncio
import errno
import ipaddress
import logging
import math
import socket
import threading
from dataclasses import replace
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..common.errors import EdgeMnistError
from ..common.terminal.output import echo
from .app import create_app
from .live_feed import LiveFeed
from .protection.limits import EXHAUSTED
from .protection.protocol import TimeLimitedProtocol
from .protection.security import Hosts
from .protection.tokens import find_token, make_token
from .readers import ReaderPool
from .service import WebService
from .settings import WebSettings

# For responses that are being sent when the server stops; then their connections are closed.
GRACE_S = 0.4
STOPS_WITHIN_S = 2.0
# One thread makes and sends all responses, and the system holds this many connections until they are accepted.
BACKLOG = 128
# Reserved for documentation (RFC 5737): nothing is sent there, but the system tells which address it would use.
PROBE_ADDRESS = ("192.0.2.1", 9)
REPORT_S = 60.0

_logger = logging.getLogger(__name__)


class WebServer:
    """A running server.

    Attributes:
        url: Address of the page, for people; with the token in its fragment, which browsers do not send, if one was
            made.
        port: Port that it listens on.
        service: Parts of the server.
    """

    def __init__(self, listener: socket.socket, service: WebService, url: str) -> None:
        self.url = url
        self.port: int = listener.getsockname()[1]
        self.service = service
        self._server = _make_server(service)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="web", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether the model is loaded.

        Raises:
            ModelCardError: It cannot be loaded: it does not compute what its card says.
            RuntimeUnavailableError: The runtime cannot run it.
        """
        if self.service.loading.done():
            self.service.loading.result()
        return self.service.loading.done()

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded.

        Raises:
            ModelCardError: It cannot be loaded: it does not compute what its card says.
            RuntimeUnavailableError: The runtime cannot run it.
        """
        self.service.loading.result()

    def close(self) -> None:
        """Stop within a second, even with open connections and running jobs. Calling it again does nothing."""
        # First, so that clients that wait for a reading still get a response.
        self.service.pool.close()
        self._server.should_exit = True
        self._thread.join(STOPS_WITHIN_S)


def start_server(
    feed: LiveFeed | None,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: WebSettings = WebSettings(),  # noqa: B008 - it is frozen
) -> WebServer:
    """Serve the page and the API from a thread of their own, and print the address on standard error.

    Args:
        feed: Feed of a live loop, if there is one; it is one of the loop's sinks.
        host: Name or address to listen on. If other machines can reach it, a token is required.
        port: Port to listen on; 0 takes a free one.
        settings: Settings of the server. Without a token in them, $EDGE_MNIST_TOKEN is used.

    Raises:
        ModelCardError: A bundle is not valid.
        RuntimeUnavailableError: A runtime is not installed.
        EdgeMnistError: The host or port is not available, or the token cannot be used.
    """
    given = settings.token or find_token(None)
    pool = ReaderPool(settings.models, settings.runtimes, settings.precisions, settings.threads, settings.limits)
    try:
        listener = open_listener(host, port)
    except EdgeMnistError:
        pool.close()
        raise
    made = None if given or is_own(listener) else make_token()
    hosts = name_hosts(listener, host, settings.allow_hosts)
    service = WebService(replace(settings, token=given or made), pool, hosts, feed)
    url = describe_url(listener) + (f"#token={made}" if made else "")
    server = WebServer(listener, service, url)
    note = " (with the token from its settings)" if given else ""
    echo(f"Serving on {url}{note}", err=True)
    return server


def open_listener(host: str, port: int) -> socket.socket:
    """Listen on the first of a host's addresses that this machine has.

    Raises:
        EdgeMnistError: The host is unknown or not this machine's, or the port is taken or privileged.
    """
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise EdgeMnistError(
            f"{host or 'an empty name'}: no such host. Give an address of this machine, e.g. 127.0.0.1."
        ) from error
    reason: OSError | None = None
    for family, kind, protocol, _, address in found:
        listener = socket.socket(family, kind, protocol)
        try:
            # Otherwise the port of a server that just stopped would count as taken for a minute.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            reason = error
        else:
            return listener
    advice = {
        "EADDRINUSE": "is taken by another program. Choose another port, or 0 for any that is free",
        "EACCES": "needs root. Choose a port of 1024 or above",
        "EADDRNOTAVAIL": "is not an address of this machine. Choose one that is, e.g. 127.0.0.1",
    }
    code = errno.errorcode.get(reason.errno or 0, "") if reason else ""
    raise EdgeMnistError(f"{where} {advice.get(code, f'cannot be listened on ({reason})')}.") from reason


def is_own(listener: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return _address(listener).is_loopback


def name_hosts(listener: socket.socket, host: str, allow_hosts: tuple[str, ...]) -> Hosts:
    """Name the hosts by which clients may address a server that listens there."""
    # The chosen host is trusted by name; it may stand for another loopback address than the usual one.
    names = {"localhost", "127.0.0.1", "[::1]", _bracket(host.lower()), _bracket(str(_address(listener)))}
    own = is_own(listener)
    if not own:
        machine = socket.gethostname().lower()
        names |= {machine, f"{machine}.local"}
    further = frozenset(name.lower() for name in allow_hosts)
    return Hosts(frozenset(names), further, listener.getsockname()[1], any_address=not own)


def describe_url(listener: socket.socket) -> str:
    """Return the address of the page for people."""
    address, port = _address(listener), listener.getsockname()[1]
    host = str(address) if not address.is_unspecified else _find_own_address()
    return f"http://{_bracket(host)}:{port}/"


def _address(listener: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    return (address.version == 6 and address.ipv4_mapped) or address


def _bracket(address: str) -> str:
    """Put an IPv6 address in brackets, as before a port."""
    return f"[{address}]" if ":" in address else address


def _find_own_address() -> str:
    """Find an address by which other machines reach this one; without a network, its own loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(PROBE_ADDRESS)
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


def _make_server(service: WebService) -> uvicorn.Server:
    settings = service.settings
    trusted = [*settings.proxies, *map_to_ipv6(settings.proxies)]
    app = ProxyHeadersMiddleware(create_app(service), trusted)  # pyright: ignore[reportArgumentType] - both are ASGI's
    config = uvicorn.Config(
        app,
        http=type(
            "Protocol",
            (TimeLimitedProtocol,),
            {"limits": settings.limits, "proxies": app.trusted_hosts},
        ),
        ws="none",
        loop="asyncio",
        lifespan="off",
        # Uvicorn's messages would mix with those of other sinks; errors are still logged.
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        # Any client could claim another address: the middleware above trusts named proxies only.
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        # It listens again with this, and at its limit asyncio reports each failed attempt.
        backlog=BACKLOG,
    )
    return _Server(config, service.feed)


def map_to_ipv6(proxies: tuple[str, ...]) -> list[str]:
    """Map IPv4 networks to the form that a socket sees that listens on `::`."""
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]
    return [
        f"::ffff:{network.network_address}/{96 + network.prefixlen}" for network in networks if network.version == 4
    ]


class _Server(uvicorn.Server):
    """Uvicorn's server, which by itself waits for streams that do not end."""

    def __init__(self, config: uvicorn.Config, feed: LiveFeed | None) -> None:
        super().__init__(config)
        self._feed = feed
        self._reported_s = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        asyncio.get_running_loop().set_exception_handler(self._report)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections of watching clients at once, and all others soon."""
        if self._feed is not None:
            self._feed.end_waits()
        asyncio.get_running_loop().call_later(GRACE_S, self._abort)
        await super().shutdown(sockets)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log errors of the loop: one line once in a while if connections cannot be accepted."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in EXHAUSTED:
            loop.default_exception_handler(context)
        elif loop.time() - self._reported_s >= REPORT_S:
            self._reported_s = loop.time()
            _logger.error(
                "No more connections can be accepted now (%s); the next attempt is in a second. Raise the limit "
                "with LimitNOFILE for a service, ulimit -n in a shell.",
                error.strerror,
            )

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
