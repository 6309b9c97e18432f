"""Documents as JSON, whatever they name: names of files may hold any bytes, JSON may not."""

import json
from typing import Any

import msgspec


def encode_json(document: Any) -> bytes:
    """A document as JSON in UTF-8, with what is none in names replaced."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        text = json.dumps(document, ensure_ascii=False)
        return text.encode(errors="surrogateescape").decode(errors="replace").encode()
