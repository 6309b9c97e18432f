"""What the server says no to: a status, a word for the metrics, and a sentence for people.

Nothing here needs the packages of the extra `web`: options and help load without them.
"""

import json
from typing import Any

import msgspec

from ..common.errors import EdgeMnistError


class WebError(EdgeMnistError):
    """The server cannot be set up; the message says why and what to do."""


class RequestRefusedError(EdgeMnistError):
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


def encode_json(document: Any) -> bytes:
    """A document as JSON in UTF-8, with what is none in names replaced."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        text = json.dumps(document, ensure_ascii=False)
        return text.encode(errors="surrogateescape").decode(errors="replace").encode()
