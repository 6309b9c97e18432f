"""The server behind a proxy: under another name, below a path, for many clients, within another page's frame."""

import re
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.settings import WebLimits
from tests.builders.sightings import make_change
from tests.conftest import REPOSITORY, edge_mnist
from tests.stand_ins.nginx import running_nginx
from tests.stand_ins.web_server import PNG, TOKEN, draw_digits, serving

from .test_web_limits import wait_until

DOCUMENTED = re.search(
    r"```nginx\n(.*?)```", (REPOSITORY / "docs" / "reference" / "http-api.md").read_text(), re.DOTALL
)
# Without a slash at the end nginx passes the path on as it is; with one it takes away what the location names.
BLOCKS = {
    "the default Host": "location / {{ proxy_pass http://127.0.0.1:{port}; }}",
    "below a path that is taken away": "location /digits/ {{ proxy_pass http://127.0.0.1:{port}/; }}",
    "below a path that is passed on": "location /digits {{ proxy_pass http://127.0.0.1:{port}; }}",
}


@pytest.mark.parametrize("name", BLOCKS)
def test_everything_that_the_page_asks_for_comes_through_nginx(tmp_path: Path, name: str) -> None:
    port = find_free_port()
    root_path = "/digits" if "path" in name else ""
    with (
        serving(allow_hosts=(f"127.0.0.1:{port}",), root_path=root_path) as (server, _),
        running_nginx(tmp_path / "nginx", port, BLOCKS[name].format(port=server.port)) as url,
        httpx.Client(base_url=f"{url}{root_path}/") as client,
    ):
        page = client.get("").text
        links = re.findall(r'(?:src|href)="(?!#)([^"]+)"', page)
        statuses = {link: client.get(link).status_code for link in links}
        # As the page's own script does.
        headers = {**PNG, "Origin": url, "Sec-Fetch-Site": "same-origin"}
        answer = client.post("v1/read", content=draw_digits(), headers=headers)

    # There is no report here, and the answer says so.
    assert statuses == {**dict.fromkeys(links, 200), "v1/report": 404}
    assert {"static/main.js", "static/style.css", "static/icon.svg"} <= set(links)
    assert answer.json()["rows"] == ["274"]


def test_the_documented_block_works_and_counts_clients_one_by_one(tmp_path: Path) -> None:
    assert DOCUMENTED is not None
    port = find_free_port()
    settings = {"allow_hosts": (f"127.0.0.1:{port}",), "root_path": "/digits", "proxies": ("127.0.0.1",)}
    with serving(LiveFeed("auto"), limits=WebLimits(requests_per_s=0.01, burst=2), **settings) as (server, _):
        block = DOCUMENTED[1].replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        with running_nginx(tmp_path / "nginx", port, block) as url:
            statuses = {address: [ask(f"{url}/digits/v1/model", address) for _ in range(3)]
                        for address in ("127.0.0.2", "127.0.0.3")}  # fmt: skip
            redirected = httpx.get(f"{url}/digits")
            server.service.feed.take(make_change())
            with httpx.stream("GET", f"{url}/digits/v1/live") as stream:
                event = next(line for line in stream.iter_lines() if line.startswith("data: "))

    assert statuses == {"127.0.0.2": [200, 200, 429], "127.0.0.3": [200, 200, 429]}
    assert (redirected.status_code, urlsplit(redirected.headers["Location"]).path) in {
        (301, "/digits/"),
        (307, "/digits/"),
    }
    assert '"state":"open"' in event, "nginx held it back"


def test_an_unnamed_host_behind_a_proxy_is_refused_with_what_to_do(tmp_path: Path) -> None:
    port = find_free_port()
    with (
        serving() as (server, _),
        running_nginx(tmp_path / "nginx", port, BLOCKS["the default Host"].format(port=server.port)) as url,
    ):
        answer = httpx.post(f"{url}/v1/read", content=draw_digits(), headers={**PNG, "Origin": url})

    assert answer.status_code == 403
    assert f"--allow-host 127.0.0.1:{port}" in answer.json()["error"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example\x1b[31m", "http://" + "a" * 300, "null"], ids=["escape", "long", "null"]
)
def test_what_a_stranger_calls_itself_is_not_repeated(origin: str) -> None:
    with serving() as (_, client):
        try:
            answer = client.get("/v1/model", headers={"Origin": origin})
        except httpx.HTTPError:
            return

    assert answer.status_code in {400, 403}
    assert "evil" not in answer.text
    assert "aaa" not in answer.text


def test_forwarded_addresses_of_others_than_named_proxies_are_not_believed() -> None:
    limits = WebLimits(requests_per_s=0.01, burst=2)
    with serving(limits=limits) as (_, client):
        unnamed = [ask_for(client, f"192.0.2.{i}") for i in range(3)]
    with serving(limits=limits, proxies=("10.0.0.0/8",)) as (_, client):
        another = [ask_for(client, f"192.0.2.{i}") for i in range(3)]
    with serving(limits=limits, proxies=("127.0.0.0/8",)) as (_, client):
        named = [ask_for(client, f"192.0.2.{i}") for i in range(3)]
        # What a client sends itself stands before what the proxy adds.
        forged = [ask_for(client, f"198.51.100.{i}, 192.0.2.0") for i in range(2)]

    assert unnamed == another == [200, 200, 429]
    assert (named, forged) == ([200, 200, 200], [200, 429])


def test_a_named_proxy_has_as_many_connections_as_it_needs() -> None:
    limits = WebLimits(connections=8)
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(limits=limits, proxies=("127.0.0.1",)))
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))

        wait_until(lambda: len(server._server.server_state.connections) == 8)


def test_an_access_log_names_the_client_behind_a_named_proxy_in_clean_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "edge_mnist.web.access")

    with serving(proxies=("127.0.0.1",), access_log=True) as (_, client):
        ask_for(client, "192.0.2.7")
        ask_for(client, b"\x9b31m forged line")

    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("192.0.2.7 GET /v1/model 200 ")
    assert second.isascii()
    assert second.isprintable()
    assert "forged%20line GET" in second


def test_the_root_path_stands_in_the_description_and_in_the_address_of_the_model() -> None:
    with serving(root_path="/digits") as (_, client):
        description = client.get("/digits/openapi.json").json()
        url = client.get("/digits/v1/model").json()["onnx_int8"]["url"]

        assert description["servers"] == [{"url": "/digits"}]
        assert client.get(url).status_code == 200
        assert client.get("/v1/model").status_code == 200
        assert client.get("/digitsx/v1/model").status_code == 404


@pytest.mark.parametrize("path", ["/digits/v1/model", "/v1/model", "/digits/digits/v1/model", "/digits//v1/model"])
def test_below_a_path_nothing_is_told_without_the_token(path: str) -> None:
    with serving(root_path="/digits", token=TOKEN) as (_, client):
        assert client.get(path).status_code == 401
        assert client.get("/digits/static/main.js").status_code == 200


def test_only_named_sites_may_show_the_page_in_a_frame() -> None:
    with serving(allow_frames=("https://home.example:8123", "http://pi")) as (_, client):
        policy = client.get("/").headers["Content-Security-Policy"]

    assert "frame-ancestors https://home.example:8123 http://pi;" in policy


@pytest.mark.parametrize(
    ("option", "value"),
    [("--allow-frame", "home.example"), ("--allow-frame", "https://a; script-src *"), ("--allow-frame", "*"),
     ("--proxy", "*"), ("--proxy", "home.example"), ("--root-path", "digits"), ("--root-path", "/a/../b c"),
     ("--allow-host", "https://home.example"), ("--allow-host", "")],
)  # fmt: skip
@pytest.mark.parametrize("command", [("serve",), ("live", "--web", "0")], ids=["serve", "live"])
def test_what_is_no_origin_address_path_or_host_is_misuse(command: tuple[str, ...], option: str, value: str) -> None:
    assert edge_mnist(*command, option, value).exit_code == 2


def test_live_serves_its_page_as_serve_does_and_refuses_options_of_a_page_without_one() -> None:
    helps = {command: edge_mnist(command, "--help").output for command in ("serve", "live")}
    options = ("--token-file", "--allow-host", "--proxy", "--root-path", "--allow-frame", "--rate", "--access-log")

    assert [option for option in options if any(option not in text for text in helps.values())] == []
    alone = edge_mnist("live", "--allow-host", "home.example")
    assert (alone.exit_code, "need --web" in alone.output) == (2, True)


def ask(url: str, address: str) -> int:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
        return client.get(url).status_code


def ask_for(client: httpx.Client, forwarded: str | bytes) -> int:
    return client.get("/v1/model", headers={"X-Forwarded-For": forwarded}).status_code


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
