"""Who may ask: the gate before every route.

Pages of other sites run in the same browser as ours, so an address that only this machine reaches is no protection by
itself. Requests must name this server as their host (against DNS rebinding), must not come from another site's page
(`Origin`, `Sec-Fetch-Site`), and, where other machines can reach it, must bear the token. What is open to everybody is
listed; the rest is not.
"""

import ipaddress
import logging
import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import name_client
from .metrics import Metrics
from .refusals import RefusedError, answer_error
from .service import Service
from .tokens import matches

# The page must load before anybody can type a token into it, and its files are as public as this package.
OPEN_PATHS = frozenset(("/", "/healthz"))
OPEN_FOLDERS = ("/static/", "/runtime/")
# One each 30 ms: whoever watches is limited apart from who works.
FRAME_PATH = "/v1/live/frame.jpg"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# Sent with each answer that does not say otherwise.
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

_log = logging.getLogger("edge_mnist.web.access")


class Gate:
    """Checks each request, then hands it on; gives each answer its headers, and logs it."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        begun_s = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app: ASGIApp = self._app
        try:
            self._check(scope)
        except RefusedError as refusal:
            app = refuse(refusal, self._service.metrics)
        await app(scope, receive, send_with_headers)
        if self._service.access_log:
            _log.info(describe_request(scope, status, time.perf_counter() - begun_s))

    def _check(self, scope: Scope) -> None:
        """Refuse what may not pass; the token comes last, so that guesses are counted, too."""
        headers, path, service = Headers(scope=scope), scope["path"], self._service
        service.hosts.check(headers.get("host", ""))
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return
        check_site(headers)
        client = name_client(scope["client"][0] if scope.get("client") else "")
        (service.frame_rate if path == FRAME_PATH else service.request_rate).check(client)
        if service.token is not None and not matches(headers.get("authorization", ""), service.token):
            raise RefusedError(
                401,
                "token",
                "This needs the token that the server printed when it started: Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )


class Hosts:
    """The names by which the server may be addressed."""

    def __init__(self, names: frozenset[str], further: frozenset[str], port: int, any_address: bool) -> None:
        """Accept these names.

        Args:
            names: Accepted with the server's port; lower case, IPv6 addresses in brackets.
            further: Accepted with the server's port, and just as they are.
            port: Of the server; left out by clients if it is 80.
            any_address: Whether any IP address is accepted with the port, too: only names can be rebound.
        """
        self._names = names | further
        self._further = further
        self._port = str(port)
        self._any_address = any_address

    def check(self, host: str) -> None:
        """Look at a Host header.

        Raises:
            RefusedError: 421, it is none of them.
        """
        host = host.lower()
        name, port = (host, "80") if host.endswith("]") or ":" not in host else host.rsplit(":", 1)
        is_ours = name in self._names or (self._any_address and _is_address(name))
        if not (is_ours and port == self._port) and host not in self._further:
            raise RefusedError(
                421,
                "host",
                "This server does not answer to that name: use the address that it printed when it started, or allow "
                "the name with `edge-mnist serve --allow-host`.",
            )


def check_site(headers: Mapping[str, str]) -> None:
    """Refuse what the page of another site sends.

    Raises:
        RefusedError: 403.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    foreign = origin is not None and _find_host(origin) != headers.get("host", "").lower()
    # `same-site` is another port or another name below the same one: not us.
    if foreign or site not in {"same-origin", "none"}:
        raise RefusedError(403, "site", "Pages of other sites may not use this server.")


def refuse(refusal: RefusedError, metrics: Metrics) -> Response:
    """The answer to a refused request."""
    metrics.count_refusal(refusal.reason)
    return answer_error(refusal.status, str(refusal), refusal.headers)


def describe_request(scope: Scope, status: int, seconds: float) -> str:
    """A line of the access log: no query and no header, so no secret; whatever the path holds, one line."""
    client = scope["client"][0] if scope.get("client") else "-"
    return f"{client} {scope['method']} {quote(scope['path'])} {status} {1000 * seconds:.1f} ms"


def _find_host(origin: str) -> str | None:
    """With its port, lower case; None where there is none to be found."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
