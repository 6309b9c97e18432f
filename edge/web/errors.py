"""Errors of the web server: each has an HTTP status, a metrics label and a message.

Nothing here needs the packages of the extra `web`: options and help load without them.
"""

import json
from typing import Any

import msgspec

from ..common.errors import EdgeMnistError


class RequestRefusedError(EdgeMnistError):
    """One request is refused.

    Attributes:
        status: HTTP status of the response.
        reason: Label under which the metrics count it.
        headers: Headers of the response.
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
    """Encode a document as JSON in UTF-8; invalid characters in names are replaced."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        text = json.dumps(document, ensure_ascii=False)
        return text.encode(errors="surrogateescape").decode(errors="replace").encode()
