"""What the server says no to, and how: a status, a word for the metrics, and a sentence for people."""

from typing import Any

from starlette.responses import Response

from ..errors import EdgeMnistError
from .encoding import encode_json


class WebError(EdgeMnistError):
    """The server cannot be set up; the message says why and what to do."""


class RefusedError(EdgeMnistError):
    """One request is refused.

    Attributes:
        status: Of HTTP.
        reason: What the metrics count it as.
        headers: To send with the answer.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)


def answer_json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document as JSON."""
    return Response(encode_json(document), status, headers, media_type="application/json")


def answer_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The one form of every refusal: `{"error": "one sentence"}`."""
    return answer_json({"error": message}, status, headers)
