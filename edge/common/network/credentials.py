"""Users and passwords: in the address of a camera or a broker, from the environment or a file, and never shown.

Every user of a machine can see the command lines of its processes, so a password can be passed in two other ways.
Messages, events and reports show an address only as `Address.shown` or `mask_address` return it.
"""

import ipaddress
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from ..errors import EdgeMnistError
from ..files import open_file_or_pipe

# Everything before the last @ may be a user and a password.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(?:([^/?#]*)@)?([^/?#@]*)([^#]*)(#.*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:\[(?P<number>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d{1,5}))?")
# Cameras take passwords in queries, and some in paths such as /user=admin&password=1234.
_QUERY = re.compile(r"[?&;=]")
# Control characters, and bytes that are not UTF-8.
_UNUSABLE = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]")
# A longer first line is not a password.
MOST_PASSWORD_CHARACTERS = 1000


@dataclass(frozen=True)
class Address:
    """An address with optional user and password.

    Attributes:
        scheme: Scheme in lower case, e.g. `http`.
        user: User name; None if there is none.
        password: Password; None if there is none.
        host: Host name or number, in lower case and without brackets.
        port: Port; None for the scheme's own.
        target: Path and query, as they were written; empty or from the first / or ? on.
    """

    scheme: str
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    host: str
    port: int | None
    target: str = field(repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}"

    @property
    def shown(self) -> str:
        """The address for people: without user, password, and query."""
        return self.origin + _QUERY.split(self.target, maxsplit=1)[0]


def parse_address(text: str, schemes: Collection[str]) -> Address:
    """Parse an address. In user and password, %XX stands for a character, as in every address.

    Raises:
        EdgeMnistError: It has another scheme or no host, or may hold a password that cannot be separated from
            what follows. The message is the end of a sentence about the address.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or match[1].lower() not in schemes:
        raise EdgeMnistError(f"expected an address that begins with {' or '.join(f'{name}://' for name in schemes)}")
    scheme, user_info, place, target, fragment = match.groups()
    # Taken literally, http://admin:4711#5@camera/ is the host admin.
    if "@" in target + (fragment or ""):
        raise EdgeMnistError(
            "an @ follows a /, ? or #, so the end of the password is unclear. In a user or password write / as "
            "%2F, ? as %3F, # as %23, and in a path @ as %40"
        )
    host = _HOST.fullmatch(place)
    port = int(host["port"]) if host and host["port"] else None
    if host is None or not _is_host(host["name"], host["number"]) or (port is not None and not 0 < port < 65536):
        raise EdgeMnistError("expected a host name or IP address, optionally with a port, after the :// or the @")
    user, _, password = (user_info or "").partition(":")
    try:
        user, password = (unquote(part, errors="strict") for part in (user, password))
    except UnicodeDecodeError:
        raise EdgeMnistError("%XX in user and password must form valid UTF-8; write a literal % as %25") from None
    if _UNUSABLE.search(user + password):
        raise EdgeMnistError("there is a control character in the user or the password")
    return Address(
        scheme.lower(),
        user if user_info is not None else None,
        password if ":" in (user_info or "") else None,
        (host["name"] or host["number"]).lower(),
        port,
        target,
    )


def _is_host(name: str | None, number: str | None) -> bool:
    try:
        if number:
            return ipaddress.ip_address(number).version == 6
        # As the resolver does it; UnicodeError for an invalid name.
        return bool(name) and name.isprintable() and " " not in name and bool(name.encode("idna"))
    except ValueError:
        return False


def mask_address(text: str) -> str:
    """Mask everything in an address, valid or not, that may be a secret."""
    scheme = (re.match(r"\w+:/+", text) or [""])[0]
    user_info, at, place = text[len(scheme) :].rpartition("@")
    if not scheme and ":" not in user_info:
        return text
    shown = _QUERY.split(place, maxsplit=1)[0]
    return f"{scheme}{'...@' if at else ''}{shown}{'...' if shown != place else ''}"


def hide_credentials(message: str, arguments: Iterable[str]) -> str:
    """Hide the secrets of those addresses among a command's arguments that a message quotes."""
    for argument in arguments:
        value = argument.partition("=")[2] if argument.startswith("--") else argument
        if "://" in value:
            for quoted in (value, os.fspath(Path(value))):
                message = message.replace(quoted, mask_address(quoted))
    return message


def find_password(file: Path | None, variable: str) -> str | None:
    """Return the first line of a file, else the environment variable; None if there is neither.

    Raises:
        EdgeMnistError: The file cannot be read, or holds no password.
    """
    password = os.environ.get(variable) if file is None else read_first_line(file)
    if password == "" and file is None:
        return None
    if password is not None and (not 0 < len(password) <= MOST_PASSWORD_CHARACTERS or _UNUSABLE.search(password)):
        raise EdgeMnistError(
            f"{file or f'${variable}'}: expected a password of 1 to {MOST_PASSWORD_CHARACTERS} characters, in UTF-8 "
            "and without control characters."
        )
    return password


def read_first_line(file: Path) -> str:
    """Read the first line of a file or a pipe with a secret in it, as in `--camera-password-file <(pass show camera)`.

    Raises:
        EdgeMnistError: It cannot be read; the message holds nothing of its content.
    """
    try:
        with open_file_or_pipe(file) as stream:
            # A limited amount: at most four bytes per character.
            line = stream.readline(4 * (MOST_PASSWORD_CHARACTERS + 2))
        return line.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise EdgeMnistError(f"{file}: cannot be read ({reason}).") from None


def add_password(text: str, password: str) -> str:
    """Add this password to an address that has a user; every character of the password stands for itself.

    Raises:
        EdgeMnistError: The address has no user, or another password. See `parse_address`, too.
    """
    scheme, _, rest = text.partition("://")
    address = parse_address(text, [scheme.lower()])
    if not address.user:
        raise EdgeMnistError(f"there is a password, but no user. Write {scheme}://USER@HOST")
    if address.password:
        raise EdgeMnistError("it also contains a password. Remove one of the two")
    return f"{scheme}://{quote(address.user, safe='')}:{quote(password, safe='')}@{rest.rpartition('@')[2]}"
