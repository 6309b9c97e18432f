"""Access control before every route.

Pages of other sites run in the same browser as ours, so an address that only this machine reaches is no protection by
itself. Requests must name this server as their host (against DNS rebinding), must not come from another site's page
(`Origin`, `Sec-Fetch-Site`), and, if other machines can reach it, must send the token. Public paths are listed; the
rest is not public. A proxy may have replaced the Host by its own, so an `Origin` that was allowed by name is ours, too.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.types import Scope

from ..errors import RequestRefusedError

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
                "This server does not accept that host name: use the address that it printed when it started, or "
                "start it with --allow-host NAME.",
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
