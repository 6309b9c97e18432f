"""The web application: routes, their errors in one form, and access control before them."""

import logging
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RequestRefusedError
from .protection.limits import EXHAUSTED, find_client
from .protection.security import check_site, place_below
from .protection.tokens import matches
from .responses import error_response, refuse
from .routes.files import add_file_routes
from .routes.health import add_health_routes
from .routes.inference import add_inference_routes
from .routes.live import add_watching_routes
from .routes.reading import add_reading_routes
from .service import WebService

# The page must load before a token can be typed into it, and its files are as public as this package.
OPEN_PATHS = frozenset(("", "/", "/healthz"))


OPEN_FOLDERS = ("/static/", "/runtime/")


# One each 30 ms: clients that watch are limited separately from clients that upload.
FRAME_PATH = "/v1/live/frame.jpg"


PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self'; frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
)


# Sent with each response that does not set them itself, together with the policy.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # The page may use the visitor's camera, once the visitor allows it.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


_log = logging.getLogger("edge_mnist.web.access")


class GateMiddleware:
    """Middleware that checks each request, then passes it on; it adds headers to each response, and logs it."""

    def __init__(self, app: ASGIApp, service: WebService) -> None:
        self._app = app
        self._service = service
        ancestors = " ".join(service.settings.allow_frames) or "'none'"
        self._headers = {"Content-Security-Policy": PAGE_POLICY.format(ancestors=ancestors), **HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process a request, see ASGI."""
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
        except RequestRefusedError as refusal:
            app = refuse(refusal, self._service.metrics)
        else:
            if scope["path"] == scope["root_path"]:
                # The page's links are relative to its address.
                app = RedirectResponse(f"{scope['root_path']}/")
        await app(scope, receive, send_with_headers)
        if self._service.settings.access_log:
            _log.info(describe_request(scope, status, time.perf_counter() - begun_s))

    def _check(self, scope: Scope) -> None:
        """Refuse requests that are not allowed; the token comes last, so that guesses are counted, too."""
        headers, service = Headers(scope=scope), self._service
        path = scope["path"].removeprefix(scope["root_path"])
        service.hosts.check(headers.get("host", ""))
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return
        check_site(headers, service.settings.allow_hosts)
        client = find_client(scope)
        (service.frame_rate if path == FRAME_PATH else service.request_rate).check(client)
        if service.token is not None and not matches(headers.get("authorization", ""), service.token):
            raise RequestRefusedError(
                401,
                "token",
                "This needs the token that the server printed when it started: Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def describe_request(scope: Scope, status: int, seconds: float) -> str:
    """Format a line of the access log: no query and no header, so no secret; always one line, whatever the path."""
    client = scope["client"][0] if scope.get("client") else "-"
    return f"{quote(client, safe=':')} {scope['method']} {quote(scope['path'])} {status} {1000 * seconds:.1f} ms"


def create_app(service: WebService) -> ASGIApp:
    """Make the application with all routes.

    Args:
        service: Parts that the routes share; its maker closes its readers.
    """
    # Without documentation pages, which load scripts from elsewhere.
    app = FastAPI(
        title="edge-mnist",
        version="1",
        docs_url=None,
        redoc_url=None,
        # Their address would be that of the proxy's own request.
        redirect_slashes=False,
        dependencies=[Depends(_refuse_unknown)],
    )
    add_reading_routes(app, service)
    add_watching_routes(app, service)
    add_health_routes(app, service)
    add_inference_routes(app, service)
    add_file_routes(app, service)
    _answer_errors(app, service)
    if service.token is not None:
        _demand_token(app.openapi())
    return GateMiddleware(app, service)


def _refuse_unknown(request: Request) -> None:
    """Refuse misspelt parameters: the response would answer another question."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    if not known.issuperset(given) or len(given) > len(set(given)):
        names = ", ".join(sorted(known)) or "none"
        raise RequestRefusedError(400, "query", f"Unknown or repeated parameters: expected {names}, each at most once.")


def _demand_token(description: dict[str, Any]) -> None:
    """Describe access control in the OpenAPI description."""
    description["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    description["security"] = [{"token": []}]
    description["paths"]["/healthz"]["get"]["security"] = []


def _answer_errors(app: FastAPI, service: WebService) -> None:
    """Return every error in the one form."""

    @app.exception_handler(RequestRefusedError)
    async def _(_request: Request, error: RequestRefusedError) -> Response:
        return refuse(error, service.metrics)

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> Response:
        service.metrics.count_refusal("query")
        first = error.errors()[0]
        return error_response(400, f"{first['loc'][-1]}: {first['msg']}.")

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> Response:
        service.metrics.count_refusal("path")
        words = {404: "There is nothing at this address", 405: "This method is not allowed here"}
        message = words.get(error.status_code, HTTPStatus(error.status_code).phrase)
        return error_response(error.status_code, f"{message}.", dict(error.headers or {}))

    @app.exception_handler(OSError)
    async def _(_request: Request, error: OSError) -> Response:
        if error.errno not in EXHAUSTED:
            raise error
        service.metrics.count_refusal("files")
        return error_response(503, "The server has reached its limit of open files. Try again in a second.")

    @app.exception_handler(ClientDisconnect)
    async def _(_request: Request, _error: ClientDisconnect) -> Response:
        # Nothing will read it, but a server without a response would be taken for broken.
        return Response(status_code=400)

    @app.exception_handler(Exception)
    async def _(_request: Request, _error: Exception) -> Response:
        # It is raised again after this, so that it is logged.
        return error_response(500, "The server failed; its log has the cause.")
