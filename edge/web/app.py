"""The web application: routes, their errors in one form, and the gate before them."""

from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from .files import add_file_routes
from .health import add_health_routes
from .limits import EXHAUSTED
from .reading import add_reading_routes
from .refusals import RefusedError
from .responses import answer_error, refuse
from .security import Gate
from .service import Service
from .watching import add_watching_routes


def create_app(service: Service) -> ASGIApp:
    """Everything that the server answers.

    Args:
        service: What the routes share; whoever made it closes its readers.
    """
    # Without pages that load scripts from elsewhere.
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
    add_file_routes(app, service)
    _answer_errors(app, service)
    if service.token is not None:
        _demand_token(app.openapi())
    return Gate(app, service)


def _refuse_unknown(request: Request) -> None:
    """Refuse misspelt parameters: the answer would be one to another question."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    if not known.issuperset(given) or len(given) > len(set(given)):
        names = ", ".join(sorted(known)) or "none"
        raise RefusedError(400, "query", f"Unknown or repeated parameters: this takes {names}, each once.")


def _demand_token(description: dict[str, Any]) -> None:
    """Say in the OpenAPI description what the gate does."""
    description["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    description["security"] = [{"token": []}]
    description["paths"]["/healthz"]["get"]["security"] = []


def _answer_errors(app: FastAPI, service: Service) -> None:
    """Give every error the one form."""

    @app.exception_handler(RefusedError)
    async def _(_request: Request, error: RefusedError) -> Response:
        return refuse(error, service.metrics)

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> Response:
        service.metrics.count_refusal("query")
        first = error.errors()[0]
        return answer_error(400, f"{first['loc'][-1]}: {first['msg']}.")

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> Response:
        service.metrics.count_refusal("path")
        words = {404: "There is nothing here", 405: "This cannot be done here"}
        message = words.get(error.status_code, HTTPStatus(error.status_code).phrase)
        return answer_error(error.status_code, f"{message}.", dict(error.headers or {}))

    @app.exception_handler(OSError)
    async def _(_request: Request, error: OSError) -> Response:
        if error.errno not in EXHAUSTED:
            raise error
        service.metrics.count_refusal("files")
        return answer_error(503, "The server has as many files open as it may. Try again in a second.")

    @app.exception_handler(ClientDisconnect)
    async def _(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody will read it, but whoever sends nothing is taken for broken.
        return Response(status_code=400)

    @app.exception_handler(Exception)
    async def _(_request: Request, _error: Exception) -> Response:
        # It is raised on after this, so that it is logged.
        return answer_error(500, "Something went wrong in the server, and was logged there.")
