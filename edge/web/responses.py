"""JSON responses, and the one form of every error."""

from typing import Any

from starlette.responses import Response

from .errors import RequestRefusedError, encode_json
from .metrics import Metrics


def json_response(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a JSON response."""
    return Response(encode_json(document), status, headers, media_type="application/json")


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Make an error response, which always has the form `{"error": "one sentence"}`."""
    return json_response({"error": message}, status, headers)


def refuse(refusal: RequestRefusedError, metrics: Metrics) -> Response:
    """Make the response to a refused request, and count it."""
    metrics.count_refusal(refusal.reason)
    return error_response(refusal.status, str(refusal), refusal.headers)
