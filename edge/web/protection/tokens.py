"""The server's token: find the user's, make one, and compare what a request sends."""

import hmac
import os
import re
import secrets
from pathlib import Path

from ...common.errors import EdgeMnistError
from ...common.network.credentials import read_first_line

TOKEN_VARIABLE = "EDGE_MNIST_TOKEN"  # noqa: S105 - the name of the variable
# Characters that need no escape in a header and in the fragment of a URL, and a length that cannot be guessed.
_USABLE = re.compile(r"[A-Za-z0-9._~+/=-]{16,200}", re.ASCII)


def make_token() -> str:
    """Make a new token of 256 bits."""
    return secrets.token_urlsafe(32)


def find_token(file: Path | None) -> str | None:
    """Find the token in a file's first line, else in the environment; None if there is neither.

    It is not an option of the command, because all users of the machine can see those.

    Raises:
        EdgeMnistError: The file cannot be read, or the token is too short or has characters that are not allowed.
    """
    if file is None:
        token, origin = os.environ.get(TOKEN_VARIABLE), f"${TOKEN_VARIABLE}"
    else:
        try:
            token, origin = read_first_line(file).strip(), str(file)
        except EdgeMnistError as error:
            raise EdgeMnistError(f"The token: {error}") from error
    if token is not None and not _USABLE.fullmatch(token):
        raise EdgeMnistError(
            f"{origin}: expected a token of 16 to 200 letters, digits or any of . _ ~ + / = -, "
            f"got {len(token)} characters. Make one: openssl rand -hex 32"
        )
    return token


def matches(authorization: str, token: str) -> bool:
    """Whether a request's Authorization header holds the token; takes equally long for any wrong token."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
