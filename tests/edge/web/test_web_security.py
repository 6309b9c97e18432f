"""Who may ask the web server, and what it says of itself to whom."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.web import server as server_module
from edge_mnist.edge.web.errors import RequestRefusedError
from edge_mnist.edge.web.protection import tokens
from edge_mnist.edge.web.readers import ReaderPool
from edge_mnist.edge.web.server import WebServer, open_listener
from tests.stand_ins.web_server import PNG, TOKEN, draw_digits, serving, serving_process

# Every address that this machine has.
EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is what is tested
BEARING = {"Authorization": f"Bearer {TOKEN}"}
GUARDED = ["/v1/model", "/v1/live", "/v1/live/frame.jpg", "/v1/report", "/model/int8.onnx", "/metrics", "/readyz",
           "/openapi.json", "/nonesuch", "/v1/read"]  # fmt: skip
OPEN = ["/", "/static/main.js", "/healthz"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[WebServer, httpx.Client]]:
    """A server that demands a token; its client does not bear it."""
    with serving(token=TOKEN) as both:
        yield both


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[WebServer, httpx.Client]]:
    """A server for this machine alone."""
    with serving() as both:
        yield both


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"},
     {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Cookie": f"token={TOKEN}"}],
    ids=["none", "wrong", "no scheme", "other scheme", "longer", "shorter", "cookie"],
)  # fmt: skip
def test_nothing_is_told_without_the_token(
    guarded: tuple[WebServer, httpx.Client], path: str, headers: dict[str, str]
) -> None:
    _, client = guarded

    answer = client.get(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization"])
def test_a_token_in_the_query_is_none(guarded: tuple[WebServer, httpx.Client], name: str) -> None:
    _, client = guarded

    assert client.get("/v1/model", params={name: TOKEN}).status_code == 401


@pytest.mark.parametrize("path", OPEN)
def test_the_page_its_files_and_the_sign_of_life_are_open(guarded: tuple[WebServer, httpx.Client], path: str) -> None:
    _, client = guarded

    assert client.get(path).status_code == 200


def test_who_bears_the_token_is_served(guarded: tuple[WebServer, httpx.Client]) -> None:
    _, client = guarded

    assert client.get("/v1/model", headers=BEARING).status_code == 200
    assert client.post("/v1/read", content=draw_digits(), headers={**BEARING, **PNG}).json()["rows"] == ["274"]


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or True)

    assert tokens.matches("Bearer almost", TOKEN)

    assert compared == [(b"almost", TOKEN.encode())]


def test_a_header_that_is_not_text_is_no_token(guarded: tuple[WebServer, httpx.Client]) -> None:
    _, client = guarded

    assert client.get("/v1/model", headers={"Authorization": b"Bearer \xff\xfe"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost",
                                  "192.0.2.7:{port}", "127.0.0.1:1", "", "localhost:{port}:1"])  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/v1/model"])
def test_other_names_for_this_machine_are_refused(own: tuple[WebServer, httpx.Client], host: str, path: str) -> None:
    server, client = own

    answer = client.get(path, headers={"Host": host.format(port=server.port)})

    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}", "[::1]:{port}"])
def test_its_own_names_are_accepted(own: tuple[WebServer, httpx.Client], host: str) -> None:
    server, client = own

    assert client.get("/v1/model", headers={"Host": host.format(port=server.port)}).status_code == 200


def test_further_names_can_be_allowed() -> None:
    with serving(allow_hosts=("digits.example", "proxy.example:443")) as (server, client):
        hosts = [f"digits.example:{server.port}", "proxy.example:443", "digits.example:1", "proxy.example:444"]

        assert [client.get("/", headers={"Host": host}).status_code for host in hosts] == [200, 200, 421, 421]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": ""},
     {"Origin": "http://["}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=["origin", "null", "port", "empty", "malformed", "cross-site", "same-site"],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/read"), ("GET", "/v1/model"), ("GET", "/metrics")])
def test_pages_of_other_sites_are_refused(
    own: tuple[WebServer, httpx.Client], headers: dict[str, str], method: str, path: str
) -> None:
    _, client = own

    answer = client.request(method, path, content=draw_digits(), headers={**PNG, **headers})

    assert answer.status_code == 403


def test_our_own_page_is_not(own: tuple[WebServer, httpx.Client]) -> None:
    server, client = own
    headers = {**PNG, "Origin": f"http://127.0.0.1:{server.port}", "Sec-Fetch-Site": "same-origin"}

    assert client.post("/v1/read", content=draw_digits(), headers=headers).status_code == 200


def test_a_link_from_another_site_to_the_page_works(own: tuple[WebServer, httpx.Client]) -> None:
    _, client = own

    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_what_other_sites_can_send_unasked_is_no_picture(
    own: tuple[WebServer, httpx.Client], content_type: str
) -> None:
    _, client = own

    answer = client.post("/v1/read", content=draw_digits(), headers={"Content-Type": content_type})

    assert answer.status_code == 415
    assert "Content-Type" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/v1/model", "/nonesuch", "/v1/live", "/healthz"])
def test_every_answer_has_strict_headers(own: tuple[WebServer, httpx.Client], path: str) -> None:
    _, client = own

    headers = client.get(path).headers

    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        "worker-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' blob: data:",
        "style-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "Server" not in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cache-Control"] == ("no-cache" if path in {"/", "/static/main.js"} else "no-store")


def test_nothing_can_be_written(own: tuple[WebServer, httpx.Client]) -> None:
    _, client = own
    paths = client.get("/openapi.json").json()["paths"]

    assert {method for path in paths.values() for method in path} == {"get", "post"}
    reading = ["/v1/read", "/v2/models/{name}/infer"]
    assert [path for path, methods in paths.items() if "post" in methods] == reading
    for method in ("PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE"):
        for path in ("/", "/static/main.js", "/v1/model", "/model/int8.onnx"):
            assert client.request(method, path).status_code == 405


def test_the_access_log_has_neither_query_nor_token_and_one_line_for_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "edge_mnist.web.access")

    with serving(token=TOKEN, access_log=True) as (_, client):
        client.get("/", params={"token": TOKEN}, headers=BEARING)
        client.get("/%0a127.0.0.1%20GET%20/faked")

    lines = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"127\.0\.0\.1 GET / 200 \d+\.\d ms", lines[0])
    assert re.fullmatch(r"127\.0\.0\.1 GET /%0A127\.0\.0\.1%20GET%20/faked 401 \d+\.\d ms", lines[1])


def test_a_mistake_of_ours_is_logged_and_told_without_details(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ReaderPool, "_read", lambda *_: 1 // 0)

    with serving() as (_, client):
        answer = client.post("/v1/read", content=draw_digits(), headers=PNG)

    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert "ZeroDivision" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_by_default_nothing_listens_beyond_this_machine() -> None:
    with serving_process() as (_, process):
        assert list_listening(process.pid) == [("127.0.0.1", process.port)]
        assert process.token == ""


def test_where_others_can_reach_it_a_token_is_made_and_printed_once() -> None:
    with serving_process("--host", EVERYWHERE) as (_, process):
        assert [port for _, port in list_listening(process.pid)] == [process.port]
        assert len(process.token) >= 43
        assert process.said.count(process.token) == 1
        url = f"http://127.0.0.1:{process.port}/v1/model"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {process.token}"}).status_code == 200
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        assert process.token not in command


def test_two_starts_make_two_tokens() -> None:
    assert tokens.make_token() != tokens.make_token()


def test_a_token_that_is_given_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(token=TOKEN) as (server, _):
        assert capsys.readouterr().err == f"Serving on {server.url} (with the token from its settings)\n"
        assert TOKEN not in server.url


def test_a_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    assert tokens.find_token(None) is None
    monkeypatch.setenv("EDGE_MNIST_TOKEN", "the-token-of-the-environment")

    assert tokens.find_token(None) == "the-token-of-the-environment"
    assert tokens.find_token(file) == TOKEN


@pytest.mark.parametrize("token", ["short", "with some spaces in it", "ümläute-sind-nicht-erlaubt", ""])
def test_a_token_that_cannot_be_used_is_refused(token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")

    with pytest.raises(EdgeMnistError, match="16 to 200"):
        tokens.find_token(file)


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeMnistError, match=r"nowhere: cannot be read \(No such file"):
        tokens.find_token(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        (EVERYWHERE, False),
        ("::", False),
        ("::ffff:127.0.0.1", True),
        ("::ffff:0.0.0.0", False),
    ],
)
def test_only_loopback_addresses_are_this_machines_own(host: str, own: bool) -> None:
    with open_listener(host, 0) as listener:
        assert server_module.is_own(listener) is own


def test_with_any_address_names_must_still_be_known_but_addresses_need_not() -> None:
    with open_listener(EVERYWHERE, 0) as listener:
        port = listener.getsockname()[1]
        hosts = server_module.name_hosts(listener, EVERYWHERE, ())

        hosts.check(f"192.0.2.7:{port}")
        hosts.check(f"[2001:db8::7]:{port}")
        hosts.check(f"{socket.gethostname()}.local:{port}")
        for host in (f"evil.example:{port}", "192.0.2.7:1"):
            with pytest.raises(RequestRefusedError):
                hosts.check(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", EVERYWHERE])
def test_the_address_that_is_printed_is_accepted(host: str) -> None:
    with open_listener(host, 0) as listener:
        printed = urlsplit(server_module.describe_url(listener)).netloc

        server_module.name_hosts(listener, host, ()).check(printed)


def test_a_name_that_stands_for_a_loopback_address_is_accepted_and_no_other_is() -> None:
    # As Debian has it in /etc/hosts: 127.0.1.1 is the machine's own name.
    with open_listener("127.0.1.1", 0) as listener:
        port = listener.getsockname()[1]
        hosts = server_module.name_hosts(listener, "Pi-of-this-test", ())

        hosts.check(f"pi-of-this-test:{port}")
        hosts.check(f"127.0.1.1:{port}")
        for host in (f"evil.example:{port}", f"127.0.1.2:{port}", "127.0.1.1:1"):
            with pytest.raises(RequestRefusedError):
                hosts.check(host)


def list_listening(pid: int) -> list[tuple[str, int]]:
    """Addresses and ports on which a process listens, from what the kernel says of its sockets."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # The connection that asked whether it serves may end while this looks.
        with suppress(FileNotFoundError):
            inodes.update(re.findall(r"^socket:\[(\d+)\]$", str(path.readlink())))
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            # 0A is LISTEN; the inode is the tenth column.
            if state == "0A" and rest[5] in inodes:
                address, port = local.split(":")
                words = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
                found.append((socket.inet_ntop(family, words), int(port, 16)))
    return found


def test_the_openapi_description_names_no_other_server(own: tuple[WebServer, httpx.Client]) -> None:
    _, client = own

    assert "http" not in json.dumps(client.get("/openapi.json").json())
