"""Every limit of the web server, and what happens to whoever exceeds it."""

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from io import BytesIO

import pytest
from PIL import Image

from edge_mnist.edge.web.errors import RequestRefusedError
from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.protection.limits import RateLimiter, Slots, name_client
from edge_mnist.edge.web.readers import ReaderPool
from edge_mnist.edge.web.settings import WebLimits
from tests.builders.sightings import make_sighting
from tests.long.web_load import run_load
from tests.stand_ins.web_server import PATIENCE_S, PNG, TOKEN, draw_digits, serving

HEAD = "POST /v1/read HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: image/png\r\n"


def test_every_limit_is_tested_here() -> None:
    tested = {"upload_bytes", "megapixels", "held_bytes", "body_s", "header_s", "stall_s", "requests_per_s", "burst",
              "frames_per_s", "addresses", "watchers", "connections", "readers", "waiting"}  # fmt: skip
    # These are the pace of what is sent, not what somebody could exceed; tests/edge/web/test_web_api.py has them.
    paces = {"poll_s", "ping_s", "events_per_s"}

    assert {field.name for field in fields(WebLimits)} == tested | paces


@pytest.mark.parametrize("says_so", [True, False], ids=["with its length", "in chunks"])
def test_more_bytes_than_allowed_are_refused(says_so: bool) -> None:
    picture = draw_digits()
    body = picture if says_so else iter([picture[:1000], picture[1000:]])

    with serving(limits=WebLimits(upload_bytes=len(picture) - 1)) as (_, client):
        answer = client.post("/v1/read", content=body, headers=PNG)
        small = client.post("/v1/read", content=draw_digits("1", size=(90, 90)), headers=PNG)

    assert answer.status_code == 413
    assert "MB: send a smaller one" in answer.json()["error"]
    assert small.status_code == 200


def test_a_body_that_never_ends_is_not_received() -> None:
    with serving(limits=WebLimits(upload_bytes=100_000)) as (server, client):
        with open_socket(server.port) as connection:
            connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".format(port=server.port).encode())
            for _ in range(3):
                connection.sendall(b"c350\r\n" + 50_000 * b"x" + b"\r\n")
            assert read_status(connection) == 413
        assert 'edge_mnist_refused_requests_total{reason="bytes"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_more_pixels_than_allowed_are_refused_before_any_is_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    monkeypatch.setattr("edge_mnist.edge.web.readers.read_gray", lambda *args: decoded.append(args))

    with serving(limits=WebLimits(megapixels=1.0)) as (_, client):
        answer = client.post("/v1/read", content=make_blank(1001, 1000, kind), headers=PNG)

    assert answer.status_code == 413
    assert "more than 1 megapixels: scale it down" in answer.json()["error"]
    assert decoded == []


def test_a_bomb_is_refused_by_its_header() -> None:
    with serving() as (_, client):
        answer = client.post("/v1/read", content=make_blank(15_000, 14_000, "PNG"), headers=PNG)

    assert answer.status_code == 413


@pytest.mark.parametrize("content", [b"", b"no picture", draw_digits()[:200]], ids=["empty", "other", "cut off"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with serving() as (_, client):
        answer = client.post("/v1/read", content=content, headers=PNG)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("The picture: ")


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    with serving(limits=WebLimits(body_s=0.3)) as (server, _), open_socket(server.port) as connection:
        connection.sendall(f"{HEAD}Content-Length: 100\r\n\r\n12345".format(port=server.port).encode())
        begun_s = time.monotonic()

        status = read_status(connection)

        assert (status, time.monotonic() - begun_s >= 0.2) == (408, True)


def test_slow_bytes_do_not_make_the_time_longer() -> None:
    with serving(limits=WebLimits(body_s=0.5)) as (server, _), open_socket(server.port) as connection:
        connection.sendall(f"{HEAD}Content-Length: 100\r\n\r\n".format(port=server.port).encode())
        answered = threading.Event()

        def trickle() -> None:
            while not answered.wait(0.05):
                with suppress(OSError):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        status = read_status(connection)
        answered.set()
        thread.join(PATIENCE_S)

        assert status == 408


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: "], ids=["nothing", "half a header"])
def test_who_sends_no_request_is_hung_up_on(sent: bytes) -> None:
    with serving(limits=WebLimits(header_s=0.3)) as (server, _), open_socket(server.port) as connection:
        connection.sendall(sent)

        assert is_hung_up(connection)


def test_a_second_request_has_its_own_time() -> None:
    with serving(limits=WebLimits(header_s=0.4)) as (server, _), open_socket(server.port) as connection:
        request = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        for _ in range(3):
            connection.sendall(request)
            assert read_status(connection) == 200
            time.sleep(0.2)
        connection.sendall(request[:20])

        assert is_hung_up(connection)


def test_who_takes_nothing_is_hung_up_on() -> None:
    feed = LiveFeed("auto")
    many = make_sighting(0, tuple(20 * "1234567890" for _ in range(20)))

    limits = WebLimits(stall_s=0.3, events_per_s=1e6)
    with serving(feed, limits=limits) as (server, _), open_socket(server.port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        end_s = time.monotonic() + PATIENCE_S
        wait_until(lambda: server.service.watchers.used == 1)
        while server.service.watchers.used and time.monotonic() < end_s:
            feed.take(many)
            time.sleep(0.005)

        assert server.service.watchers.used == 0


def test_too_many_requests_are_told_when_to_come_back() -> None:
    with serving(limits=WebLimits(requests_per_s=0.5, burst=3)) as (_, client):
        answers = [client.get("/v1/model") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["Retry-After"] == "2"
    assert "slow down" in answers[-1].json()["error"]


def test_guesses_of_the_token_are_counted_and_the_page_is_not() -> None:
    with serving(limits=WebLimits(requests_per_s=0.01, burst=3), token=TOKEN) as (_, client):
        assert [client.get("/").status_code for _ in range(10)] == 10 * [200]
        guesses = [client.get("/v1/model", headers={"Authorization": f"Bearer {i}"}).status_code for i in range(5)]

    assert guesses == [401, 401, 401, 429, 429]


def test_who_watches_does_not_spend_what_is_for_reading() -> None:
    with serving(limits=WebLimits(requests_per_s=0.01, burst=2, frames_per_s=5)) as (_, client):
        frames = [client.get("/v1/live/frame.jpg").status_code for _ in range(8)]
        reading = client.post("/v1/read", content=draw_digits(), headers=PNG).status_code

    assert (frames[:5], frames[-1], reading) == (5 * [404], 429, 200)


def test_a_bucket_fills_again_and_others_have_their_own() -> None:
    now = [0.0]
    limiter = RateLimiter(2.0, 2, 100, clock=lambda: now[0])
    limiter.check("a")
    limiter.check("a")

    with pytest.raises(RequestRefusedError):
        limiter.check("a")
    limiter.check("b")
    now[0] = 0.5
    limiter.check("a")
    with pytest.raises(RequestRefusedError):
        limiter.check("a")


def test_the_clients_that_are_remembered_are_bounded() -> None:
    limiter = RateLimiter(1.0, 1, 100)

    for i in range(1000):
        limiter.check(f"client {i}")

    assert len(limiter) == 100


@pytest.mark.parametrize(
    ("address", "client"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
     ("fe80::1%eth0", "fe80::/64"), ("unix socket", "unix socket")],
)  # fmt: skip
def test_a_household_is_one_client(address: str, client: str) -> None:
    assert name_client(address) == client


@pytest.mark.parametrize("path", ["/v1/live", "/v1/live/frame.jpg"])
def test_too_many_watchers_are_refused_and_places_come_back(path: str) -> None:
    with ExitStack() as stack:
        server, client = stack.enter_context(serving(LiveFeed("auto"), limits=WebLimits(watchers=4)))
        streams = [stack.enter_context(watching(server.port, path)) for _ in range(2)]
        wait_until(lambda: server.service.watchers.used == 2)

        refused = client.get("/v1/live")
        others = client.get("/v1/model").status_code

        assert (refused.status_code, refused.headers["Retry-After"], others) == (503, "1", 200)
        if path == "/v1/live":
            streams[0].close()
            wait_until(lambda: server.service.watchers.used == 1)
            with client.stream("GET", "/v1/live") as stream:
                assert stream.status_code == 200


def test_pictures_wait_in_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    go, most, at_once = threading.Event(), [0], [0]
    read = ReaderPool._read

    def read_when_told(*args):
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        go.wait(PATIENCE_S)
        at_once[0] -= 1
        return read(*args)

    monkeypatch.setattr(ReaderPool, "_read", read_when_told)
    limits = WebLimits(requests_per_s=0, readers=2, waiting=8)
    with serving(limits=limits) as (server, client):
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(client.post("/v1/read", content=draw_digits(), headers=PNG).status_code)

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.service.pool.places.used == 5)
        refused = client.post("/v1/read", content=draw_digits(), headers=PNG)
        go.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        again = client.post("/v1/read", content=draw_digits(), headers=PNG)

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert (statuses, again.status_code) == (5 * [200], 200)
    assert most == [2]


def test_bytes_that_are_held_are_bounded_and_come_back() -> None:
    picture = draw_digits()
    limits = WebLimits(held_bytes=2 * len(picture) + 500, body_s=5)
    with serving(limits=limits) as (server, client):
        with open_socket(server.port) as connection:
            head = f"{HEAD}Content-Length: 5000\r\n\r\n".format(port=server.port).encode()
            connection.sendall(head + 1000 * b"x")
            wait_until(lambda: server.service.uploads._held_bytes.used == 1000)
            refused = client.post("/v1/read", content=picture, headers=PNG)
        wait_until(lambda: server.service.uploads._held_bytes.used == 0)
        again = client.post("/v1/read", content=picture, headers=PNG)

    assert (refused.status_code, again.status_code) == (503, 200)


def test_places_are_given_back_whatever_happens() -> None:
    slots = Slots(4, "busy", "Busy.")

    with pytest.raises(ZeroDivisionError), slots.hold("a", 2):
        raise ZeroDivisionError
    with slots.hold("a", 2), pytest.raises(RequestRefusedError), slots.hold("a"):
        pytest.fail("there was no place")

    assert slots.used == 0


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as (server, client):
        with open_socket(server.port) as connection:
            connection.sendall(f"{HEAD}Content-Length: 5000\r\n\r\n123".format(port=server.port).encode())
            wait_until(lambda: server.service.uploads._held_bytes.used == 3)
        wait_until(lambda: server.service.uploads._held_bytes.used == 0)

        assert client.get("/healthz").status_code == 200
    assert caplog.records == []


def test_fifty_clients_at_once_get_their_answers() -> None:
    load = run_load(50, 1.0)

    assert load.errors == []
    assert len(load.latencies_ms) >= 50
    assert load.most_waiting <= 50


def test_the_board_gives_up_nobody_and_nothing_when_a_waiter_leaves() -> None:
    feed = LiveFeed("auto")

    async def leave() -> None:
        await feed.wait_for_events(0, 0.01)
        task = asyncio.create_task(feed.wait_for_picture(None, 10))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(leave())
    feed.take(make_sighting())

    assert (len(feed._waiting), feed._picture_watchers) == (0, 0)


def make_blank(width: int, height: int, kind: str) -> bytes:
    file = BytesIO()
    Image.new("1", (width, height)).save(file, kind)
    return file.getvalue()


@contextmanager
def open_socket(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        yield connection


@contextmanager
def watching(port: int, path: str) -> Iterator[socket.socket]:
    with open_socket(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        yield connection


def read_status(connection: socket.socket) -> int:
    """Of the next answer, which is read to its end."""
    with http.client.HTTPResponse(connection) as answer:
        answer.begin()
        answer.read()
        return answer.status


def is_hung_up(connection: socket.socket) -> bool:
    """Whether the other side ends the connection, in whatever manner, without an answer."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def wait_until(holds) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.005)
