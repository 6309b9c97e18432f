"""The token that everybody but this machine's own users must know."""

import hmac
import os
import re
import secrets
from pathlib import Path

from ..credentials import read_first_line
from ..errors import EdgeMnistError
from .refusals import WebError

TOKEN_VARIABLE = "EDGE_MNIST_TOKEN"  # noqa: S105 - the name of the variable
# What fits into a header and into the fragment of a URL as it is, and cannot be guessed.
_USABLE = re.compile(r"[A-Za-z0-9._~+/=-]{16,200}", re.ASCII)


def make_token() -> str:
    """A new one of 256 bits."""
    return secrets.token_urlsafe(32)


def find_token(file: Path | None) -> str | None:
    """The token in a file's first line, else that of the environment; None if there is neither.

    It is no option of the command, for everybody on the machine sees those.

    Raises:
        WebError: The file cannot be read, or the token is too short or has other characters than a token may have.
    """
    if file is None:
        token, origin = os.environ.get(TOKEN_VARIABLE), f"${TOKEN_VARIABLE}"
    else:
        try:
            token, origin = read_first_line(file).strip(), str(file)
        except EdgeMnistError as error:
            raise WebError(f"The token: {error}") from error
    if token is not None and not _USABLE.fullmatch(token):
        raise WebError(
            f"{origin}: expected a token of 16 to 200 letters, digits or any of . _ ~ + / = -, "
            f"got {len(token)} characters. Make one: openssl rand -hex 32"
        )
    return token


def matches(authorization: str, token: str) -> bool:
    """Whether a request's Authorization header bears the token; takes as long when it is nearly right."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
