"""Answers as JSON, and the one form of every refusal."""

from typing import Any

from starlette.responses import Response

from .errors import RequestRefusedError, encode_json
from .metrics import Metrics


def json_response(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document as JSON."""
    return Response(encode_json(document), status, headers, media_type="application/json")


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The one form of every refusal: `{"error": "one sentence"}`."""
    return json_response({"error": message}, status, headers)


def refuse(refusal: RequestRefusedError, metrics: Metrics) -> Response:
    """Answer a refused request, and count it."""
    metrics.count_refusal(refusal.reason)
    return error_response(refusal.status, str(refusal), refusal.headers)
