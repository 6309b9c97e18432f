"""HTTP authentication: the header that answers a server's challenge, as Digest (RFC 7616, 2617) or Basic (RFC 7617)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Best first.
_HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
_WORD = r"[\w!#$%&'*+.^`|~-]+"
# A parameter, or the name of the scheme that the following parameters belong to.
_PART = re.compile(rf'({_WORD})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)|({_WORD})', re.ASCII)


@dataclass(frozen=True)
class Challenge:
    """One authentication method that a server offers; names of the scheme and the parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def is_stale(self) -> bool:
        """Whether the password was right and only the server's nonce expired."""
        return self.parameters.get("stale", "").lower() == "true"


def read_challenges(headers: Sequence[str]) -> list[Challenge]:
    """Read all methods that the WWW-Authenticate headers of a response offer, several in one header or one in each."""
    found: list[tuple[str, dict[str, str]]] = []
    # A header that is continued on the next line is one line.
    for name, value, scheme in _PART.findall(re.sub(r"[\0-\x1f\x7f]+", " ", ", ".join(headers))):
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
            found[-1][1][name.lower()] = text
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def answer(challenges: Sequence[Challenge], user: str, password: str, target: str) -> str | None:
    """Make the Authorization header of a GET request by the best supported method; None if none is supported.

    Args:
        challenges: Methods that the server offers. If it offers none, Basic is tried.
        user: User name, not encoded.
        password: Password, not encoded.
        target: Path and query, exactly as they are requested.
    """
    # http.client encodes headers as Latin-1: so the bytes of UTF-8 pass through it and the hashes unchanged.
    user, password = (text.encode().decode("latin-1") for text in (user, password))
    digests = [challenge.parameters for challenge in challenges if challenge.scheme == "digest"]
    for name in _HASHES:
        for parameters in digests:
            if header := _answer_digest(name, parameters, (user, password), target):
                return header
    if challenges and all(challenge.scheme != "basic" for challenge in challenges):
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()


def _answer_digest(name: str, asked: Mapping[str, str], login: tuple[str, str], target: str) -> str | None:
    """Answer one challenge if it asks for this hash and for no protection of the body."""
    algorithm = asked.get("algorithm", "MD5").upper()
    offers = [offer.strip().lower() for offer in asked.get("qop", "").split(",") if offer.strip()]
    if algorithm.removesuffix("-SESS") != name or (offers and "auth" not in offers):
        return None

    def digest(*parts: str) -> str:
        return _HASHES[name](":".join(parts).encode("latin-1")).hexdigest()

    (user, password), realm, nonce = login, asked.get("realm", ""), asked.get("nonce", "")
    # A nonce is used for one request; the next request asks for a new one.
    count, own_nonce = "00000001", secrets.token_hex(16)
    secret = digest(user, realm, password)
    if algorithm.endswith("-SESS"):
        secret = digest(secret, nonce, own_nonce)
    protection = (nonce, count, own_nonce, "auth") if offers else (nonce,)
    response = digest(secret, *protection, digest("GET", target))
    quoted = {"username": user, "realm": realm, "nonce": nonce, "uri": target, "response": response}
    quoted |= {"cnonce": own_nonce} | {key: asked[key] for key in ("opaque",) if key in asked}
    plain = {"algorithm": asked.get("algorithm", "")} | ({"qop": "auth", "nc": count} if offers else {})
    fields = [f'{key}="{_escape(value)}"' for key, value in quoted.items()]
    fields += [f"{key}={value}" for key, value in plain.items() if value]
    return "Digest " + ", ".join(fields)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
