"""Access control before every route.

Pages of other sites run in the same browser as ours, so an address that only this machine reaches is no protection by
itself. Requests must name this server as their host (against DNS rebinding), must not come from another site's page
(`Origin`, `Sec-Fetch-Site`), and, if other machines can reach it, must send the token. Public paths are listed; the
rest is not public. A proxy may have replaced the Host by its own, so an `Origin` that was allowed by name is ours, too.
"""

import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import Scope

from ...common.errors import EdgeMnistError
from ...common.network.credentials import read_first_line
from ..errors import RequestRefusedError, WebError

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
        WebError: The file cannot be read, or the token is too short or has characters that are not allowed.
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
    """Whether a request's Authorization header holds the token; takes equally long for any wrong token."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


# The part of an Origin that may be repeated in a message.
_PLAIN_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,100}")


class Hosts:
    """The names by which the server may be addressed."""

    def __init__(self, names: frozenset[str], further: frozenset[str], port: int, any_address: bool) -> None:
        """Accept these names.

        Args:
            names: Accepted with the server's port; lower case, IPv6 addresses in brackets.
            further: Accepted with the server's port, and just as they are.
            port: Port of the server; left out by clients if it is 80.
            any_address: Whether any IP address is accepted with the port, too: only names can be rebound.
        """
        self._names = names | further
        self._further = further
        self._port = str(port)
        self._any_address = any_address

    def check(self, host: str) -> None:
        """Check a Host header.

        Raises:
            RefusedError: 421, the name is not accepted.
        """
        host = host.lower()
        name, port = (host, "80") if host.endswith("]") or ":" not in host else host.rsplit(":", 1)
        is_ours = name in self._names or (self._any_address and _is_address(name))
        if not (is_ours and port == self._port) and host not in self._further:
            raise RequestRefusedError(
                421,
                "host",
                "This server does not answer to that name: use the address that it printed when it started, or start "
                "it with --allow-host and the name.",
            )


def place_below(scope: Scope, root_path: str) -> Scope:
    """Put a request's path below the root path, which a proxy may have removed before it forwarded the request."""
    path = scope["path"].removeprefix(root_path) if f"{scope['path']}/".startswith(f"{root_path}/") else scope["path"]
    return {**scope, "root_path": root_path, "path": root_path + path}


def check_site(headers: Mapping[str, str], allow_hosts: Collection[str] = ()) -> None:
    """Refuse requests from pages of other sites.

    Args:
        headers: Headers of the request.
        allow_hosts: Names that are ours, whatever the Host header says.

    Raises:
        RefusedError: 403, the request comes from another site.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    host = None if origin is None else _find_host(origin)
    ours = {headers.get("host", "").lower(), *(name.lower() for name in allow_hosts)}
    # `same-site` is another port or another name below the same one: not us.
    if (origin is not None and host not in ours) or site not in {"same-origin", "none"}:
        name = host if host and _PLAIN_HOST.fullmatch(host) else "and the name in the browser's address bar"
        raise RequestRefusedError(
            403,
            "site",
            "Pages of other sites may not use this server. If this is its own page behind a proxy, start the server "
            f"with --allow-host {name}.",
        )


def _find_host(origin: str) -> str | None:
    """Return the host with its port, in lower case; None if there is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
