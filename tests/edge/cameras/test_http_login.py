"""Cameras that want a login: Digest and Basic as they are offered, no password in the open where it need not be."""

import hashlib
import re
import secrets
import socket
from collections.abc import Callable

import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.http_stream import MOST_REDIRECTS
from edge_mnist.edge.cameras.mjpeg import MjpegCamera
from edge_mnist.edge.common.network import authentication
from edge_mnist.edge.common.network.authentication import Challenge, answer, read_challenges
from tests.builders.jpegs import make_part, make_picture
from tests.stand_ins.scripted_server import serve

USER, PASSWORD = "jörg", "Geheim:#/?ü"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n" + make_part(make_picture(50))
QUOTED = f"{USER}:Geheim%3A%23%2F%3Fü"


def _read_fields(request: str) -> dict[str, str]:
    """Of a Digest header; independent of what writes it."""
    header = next((line for line in request.split("\r\n") if line.startswith("Authorization: Digest ")), "")
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', header)}


def _is_right(fields: dict[str, str], nonce: str, realm: str = "IP Camera") -> bool:
    """Whether a Digest header proves that the password is known. Source: RFC 7616, 3.4.1."""
    algorithm = fields.get("algorithm", "MD5")
    digest: Callable[[str], str] = lambda text: hashlib.new(  # noqa: E731 - as in the RFC
        {"MD5": "md5", "SHA-256": "sha256"}[algorithm.removesuffix("-sess")], text.encode()
    ).hexdigest()
    ha1, ha2 = digest(f"{USER}:{realm}:{PASSWORD}"), digest(f"GET:{fields.get('uri')}")
    if algorithm.endswith("-sess"):
        ha1 = digest(f"{ha1}:{nonce}:{fields['cnonce']}")
    middle = f"{nonce}:{fields['nc']}:{fields['cnonce']}:auth" if fields.get("qop") == "auth" else nonce
    return (fields.get("nonce"), fields.get("response")) == (nonce, digest(f"{ha1}:{middle}:{ha2}"))


def _demand(*challenges: str) -> bytes:
    lines = "".join(f"WWW-Authenticate: {challenge}\r\n" for challenge in challenges)
    return f"HTTP/1.1 401 Unauthorized\r\n{lines}Content-Length: 0\r\n\r\n".encode()


def _log_in(*challenges: str, target: str = "/s?a=b", login: str = QUOTED) -> list[str]:
    """The requests that a camera gets that gives its stream to those who know the password."""
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        fields = _read_fields(request)
        nonce = fields.get("nonce", "")
        knows = (nonce == "n1" and _is_right(fields, nonce)) or "Authorization: Basic" in request
        connection.sendall(STREAM if knows else _demand(*challenges))

    with serve(script) as address:
        MjpegCamera(f"http://{login}@{address}{target}", CameraOptions()).close()
    return requests


DIGESTS = {
    "as Hikvision asks": 'Digest qop="auth", realm="IP Camera", nonce="n1", algorithm=MD5',
    "without an algorithm": 'Digest realm="IP Camera",nonce="n1",qop="auth"',
    "SHA-256": 'Digest realm="IP Camera", nonce="n1", qop="auth", algorithm=SHA-256, opaque="x"',
    "auth-int offered, too": 'Digest realm="IP Camera", nonce="n1", qop="auth-int, auth"',
    "of 1999, without qop": 'Digest realm="IP Camera", nonce="n1"',
    "a session": 'Digest realm="IP Camera", nonce="n1", qop="auth", algorithm=MD5-sess',
    "in lower case": 'digest REALM="IP Camera", NONCE="n1", QOP="auth"',
}


@pytest.mark.parametrize("challenge", DIGESTS.values(), ids=DIGESTS)
def test_digest_is_answered_without_the_password(challenge: str) -> None:
    requests = _log_in(challenge)

    assert len(requests) == 2
    assert "Authorization" not in requests[0]
    assert _read_fields(requests[1])["uri"] == "/s?a=b"


BOTH = {
    "two headers": ('Basic realm="IP Camera"', DIGESTS["as Hikvision asks"]),
    "one header": (f'Basic realm="a, b=c", {DIGESTS["as Hikvision asks"]}',),
    "Digest first": (DIGESTS["SHA-256"], "Basic"),
}


@pytest.mark.parametrize("challenges", BOTH.values(), ids=BOTH)
def test_of_two_ways_the_one_that_keeps_the_password_is_taken(challenges: tuple[str, ...]) -> None:
    assert "Basic" not in "".join(_log_in(*challenges))


def test_of_two_hashes_the_better_one_is_taken() -> None:
    requests = _log_in(DIGESTS["as Hikvision asks"], DIGESTS["SHA-256"])

    assert _read_fields(requests[1])["algorithm"] == "SHA-256"


@pytest.mark.parametrize(
    "challenges",
    [
        ('Digest realm="r", nonce="n", algorithm=SHA-512-256', "Basic"),
        ('Digest realm="r", nonce="n", qop="auth-int"', "Basic"),
        ('Negotiate abc==, Basic realm="r"',),
        (),
    ],
    ids=["an unknown hash", "what is sent is to be protected", "other ways", "no way is named"],
)
def test_basic_is_taken_where_nothing_better_is_known(challenges: tuple[str, ...]) -> None:
    requests = _log_in(*challenges)

    assert len(requests) == 2
    assert "Authorization: Basic" in requests[1]


def test_a_number_that_is_too_old_is_no_wrong_password() -> None:
    nonces = iter(["n1", "n2", "n3"])
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        fields = _read_fields(request)
        right = _is_right(fields, "n2")
        stale = ", stale=TRUE" if fields else ""
        connection.sendall(STREAM if right else _demand(f'Digest realm="IP Camera", nonce="{next(nonces)}"{stale}'))

    with serve(script) as address:
        MjpegCamera(f"http://{QUOTED}@{address}/", CameraOptions()).close()

    assert len(requests) == 3


@pytest.mark.parametrize("stale", ["", ", stale=false", ", stale=true"])
@pytest.mark.parametrize("kind", ["Digest", "Basic"])
def test_a_wrong_password_is_called_so_and_not_sent_for_ever(kind: str, stale: str) -> None:
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        connection.sendall(_demand(f'{kind} realm="IP Camera", nonce="n1"{stale}'))

    with (
        serve(script) as address,
        pytest.raises(CameraUnsupportedError, match="rejects the user or the password") as caught,
    ):
        MjpegCamera(f"http://{USER}:Geheim@{address}/", CameraOptions())

    # Cameras lock an account out after a few wrong ones.
    assert len(requests) == (3 if "true" in stale else 2)
    assert "Geheim" not in str(caught.value)
    assert USER not in str(caught.value)


def test_who_gives_no_password_is_asked_for_one() -> None:
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(_demand("Basic"))

    with (
        serve(script) as address,
        pytest.raises(CameraUnsupportedError, match=r"requires a user and a password.*USER@HOST"),
    ):
        MjpegCamera(f"http://{address}/", CameraOptions())


def test_a_way_that_is_unknown_is_named_and_no_password_sent() -> None:
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        connection.sendall(_demand('Bearer realm="x"', 'Digest nonce="n", algorithm=SHA-512-256\x1b[31m'))

    with (
        serve(script) as address,
        pytest.raises(CameraUnsupportedError, match=r"a login by '.*Bearer, Digest") as caught,
    ):
        MjpegCamera(f"http://{QUOTED}@{address}/", CameraOptions())

    assert len(requests) == 1
    assert str(caught.value).isprintable()


def test_where_a_redirect_leads_the_login_is_made_for_that_path() -> None:
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        fields = _read_fields(request)
        if request.startswith("GET /old"):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://evil:word@%b/new\r\n\r\n" % address.encode())
        else:
            right = fields.get("uri") == "/new" and _is_right(fields, "n1")
            connection.sendall(STREAM if right else _demand(DIGESTS["without an algorithm"]))

    with serve(script) as address:
        MjpegCamera(f"http://{QUOTED}@{address}/old", CameraOptions()).close()

    assert len(requests) == 3
    assert "evil" not in "".join(requests)


def test_redirects_and_demands_in_turns_end() -> None:
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        away = b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"
        connection.sendall(away if "Authorization" in request else _demand("Basic"))

    with serve(script) as address, pytest.raises(CameraUnsupportedError, match="redirects more than"):
        MjpegCamera(f"http://{QUOTED}@{address}/", CameraOptions())

    assert len(requests) == 2 * (MOST_REDIRECTS + 1)


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="a\r\n b", nonce="n"',
        'Digest realm="\\"\\\\", nonce="' + "n" * 30_000 + '"',
        "Digest " + '"' * 9_999,
        "Digest " + "a=" * 9_999,
        ",,,= = =",
        "Digest realm=\x00\x7f",
    ],
    ids=["two lines", "long", "quotes", "no values", "nothing", "control characters"],
)
def test_odd_demands_are_a_sentence(challenge: str) -> None:
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(_demand(challenge))

    with (
        serve(script) as address,
        pytest.raises(CameraError, match=r"rejects the user or the password|a login by") as caught,
    ):
        MjpegCamera(f"http://{QUOTED}@{address}/", CameraOptions())

    assert "Geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_the_standard_comes_out(algorithm: str, response: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7616, 3.9.1."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    challenge = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )

    header = answer(read_challenges([challenge]), "Mufasa", "Circle of Life", "/dir/index.html")

    assert header is not None
    assert f'response="{response}"' in header
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in header


def test_each_answer_has_a_number_of_its_own() -> None:
    challenges = [Challenge("digest", {"realm": "r", "nonce": "n", "qop": "auth"})]

    assert len({authentication.answer(challenges, "u", "p", "/") for _ in range(9)}) == 9
