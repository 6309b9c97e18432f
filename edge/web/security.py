"""Who may ask: the gate before every route.

Pages of other sites run in the same browser as ours, so an address that only this machine reaches is no protection by
itself. Requests must name this server as their host (against DNS rebinding), must not come from another site's page
(`Origin`, `Sec-Fetch-Site`), and, where other machines can reach it, must bear the token. What is open to everybody is
listed; the rest is not. A proxy may have replaced the Host by its own, so an `Origin` that was allowed by name is ours,
too.
"""

import ipaddress
import logging
import re
import time
from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import find_client
from .refusals import RefusedError
from .responses import refuse
from .service import Service
from .tokens import matches

# The page must load before anybody can type a token into it, and its files are as public as this package.
OPEN_PATHS = frozenset(("", "/", "/healthz"))
OPEN_FOLDERS = ("/static/", "/runtime/")
# One each 30 ms: whoever watches is limited apart from who works.
FRAME_PATH = "/v1/live/frame.jpg"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self'; frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
)
# Sent with each answer that does not say otherwise, beside the policy.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

# Of an Origin: what may be repeated in a sentence.
_PLAIN_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,100}")

_log = logging.getLogger("edge_mnist.web.access")


class Gate:
    """Checks each request, then hands it on; gives each answer its headers, and logs it."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        ancestors = " ".join(service.settings.allow_frames) or "'none'"
        self._headers = {"Content-Security-Policy": PAGE_POLICY.format(ancestors=ancestors), **HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        begun_s = time.perf_counter()
        status = 0
        scope = place_below(scope, self._service.settings.root_path)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        app: ASGIApp = self._app
        try:
            self._check(scope)
        except RefusedError as refusal:
            app = refuse(refusal, self._service.metrics)
        else:
            if scope["path"] == scope["root_path"]:
                # The page's links are relative to its address.
                app = RedirectResponse(f"{scope['root_path']}/")
        await app(scope, receive, send_with_headers)
        if self._service.settings.access_log:
            _log.info(describe_request(scope, status, time.perf_counter() - begun_s))

    def _check(self, scope: Scope) -> None:
        """Refuse what may not pass; the token comes last, so that guesses are counted, too."""
        headers, service = Headers(scope=scope), self._service
        path = scope["path"].removeprefix(scope["root_path"])
        service.hosts.check(headers.get("host", ""))
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return
        check_site(headers, service.settings.allow_hosts)
        client = find_client(scope)
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
                "This server does not answer to that name: use the address that it printed when it started, or start "
                "it with --allow-host and the name.",
            )


def place_below(scope: Scope, root_path: str) -> Scope:
    """The same request with its path below the root path, which a proxy may have taken away before it passed it on."""
    path = scope["path"].removeprefix(root_path) if f"{scope['path']}/".startswith(f"{root_path}/") else scope["path"]
    return {**scope, "root_path": root_path, "path": root_path + path}


def check_site(headers: Mapping[str, str], allow_hosts: Collection[str] = ()) -> None:
    """Refuse what the page of another site sends.

    Args:
        headers: Of the request.
        allow_hosts: Names that are ours whatever the Host header says.

    Raises:
        RefusedError: 403.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    host = None if origin is None else _find_host(origin)
    ours = {headers.get("host", "").lower(), *(name.lower() for name in allow_hosts)}
    # `same-site` is another port or another name below the same one: not us.
    if (origin is not None and host not in ours) or site not in {"same-origin", "none"}:
        name = host if host and _PLAIN_HOST.fullmatch(host) else "and the name in the browser's address bar"
        raise RefusedError(
            403,
            "site",
            "Pages of other sites may not use this server. If this is its own page behind a proxy, start the server "
            f"with --allow-host {name}.",
        )


def describe_request(scope: Scope, status: int, seconds: float) -> str:
    """A line of the access log: no query and no header, so no secret; whatever the path holds, one line."""
    client = scope["client"][0] if scope.get("client") else "-"
    return f"{quote(client, safe=':')} {scope['method']} {quote(scope['path'])} {status} {1000 * seconds:.1f} ms"


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
