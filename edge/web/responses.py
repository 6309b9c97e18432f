"""Answers as JSON, and the one form of every refusal."""

from typing import Any

from starlette.responses import Response

from .encoding import encode_json
from .metrics import Metrics
from .refusals import RefusedError


def answer_json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document as JSON."""
    return Response(encode_json(document), status, headers, media_type="application/json")


def answer_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The one form of every refusal: `{"error": "one sentence"}`."""
    return answer_json({"error": message}, status, headers)


def refuse(refusal: RefusedError, metrics: Metrics) -> Response:
    """Answer a refused request, and count it."""
    metrics.count_refusal(refusal.reason)
    return answer_error(refusal.status, str(refusal), refusal.headers)
