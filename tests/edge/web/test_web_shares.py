"""No client of the web server takes what others need: connections, places, memory, and the readers' time."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from edge_mnist.edge.web.errors import RequestRefusedError
from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.protection.limits import Slots, may_take
from edge_mnist.edge.web.readers import ReaderPool, Workers
from edge_mnist.edge.web.settings import WebLimits
from tests.conftest import python_process
from tests.stand_ins.web_server import PATIENCE_S, PNG, draw_digits, serving

from .test_web_limits import HEAD, is_hung_up, make_blank, read_status, wait_until

# One machine has all of these addresses.
GREEDY, OTHER, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["nothing", "half a header"])
@pytest.mark.parametrize("address", [GREEDY, OTHER], ids=["the same address", "another address"])
def test_idle_connections_of_one_address_lock_nobody_out(address: str, sent: bytes) -> None:
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(limits=WebLimits(connections=16)))
        idle = [stack.enter_context(connect(server.port, GREEDY)) for _ in range(40)]
        for connection in idle[-8:]:
            connection.sendall(sent)

        statuses = [ask(server.port, address) for _ in range(10)]

        assert statuses == 10 * [200]
        assert is_hung_up(idle[0]), "the oldest made room"


def test_a_request_that_is_served_makes_room_for_nobody() -> None:
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(LiveFeed("auto"), limits=WebLimits(connections=4, watchers=32)))
        watching = [stack.enter_context(connect(server.port, GREEDY)) for _ in range(2)]
        for connection in watching:
            connection.sendall(f"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        wait_until(lambda: server.service.watchers.used == 2)

        assert ask(server.port, GREEDY) == 503
        assert ask(server.port, OTHER) == 200
        assert server.service.watchers.used == 2


def test_connections_of_many_addresses_make_room_too() -> None:
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(limits=WebLimits(connections=8)))
        for i in range(20):
            stack.enter_context(connect(server.port, f"127.0.1.{i + 1}"))

        assert ask(server.port, OTHER) == 200
        wait_until(lambda: len(server._server.server_state.connections) <= 8)


@pytest.mark.parametrize("path", ["/v1/live", "/v1/live/frame.jpg"])
def test_watchers_of_one_address_leave_places_for_others(path: str) -> None:
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(LiveFeed("auto"), limits=WebLimits(watchers=8)))
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        for _ in range(8):
            stack.enter_context(connect(server.port, GREEDY)).sendall(request)
        wait_until(lambda: server.service.watchers.used == 4)
        for address in (OTHER, THIRD):
            stack.enter_context(connect(server.port, address)).sendall(request)

        wait_until(lambda: server.service.watchers.used == 6)


def test_slow_bodies_of_one_address_leave_places_for_others() -> None:
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(limits=WebLimits(requests_per_s=0, readers=1, waiting=7)))
        head = f"{HEAD}Content-Length: 5000\r\n\r\n1".format(port=server.port).encode()
        slow = [stack.enter_context(connect(server.port, GREEDY)) for _ in range(8)]
        for connection in slow:
            connection.sendall(head)
        wait_until(lambda: server.service.pool.places.used == 4)

        answer = post(server.port, OTHER, draw_digits())

        assert answer.json()["rows"] == ["274"]


def test_bytes_of_one_address_leave_room_for_others() -> None:
    picture = draw_digits()
    with ExitStack() as stack:
        server, _ = stack.enter_context(serving(limits=WebLimits(requests_per_s=0, held_bytes=4 * len(picture))))
        head = f"{HEAD}Content-Length: {10 * len(picture)}\r\n\r\n".format(port=server.port).encode()
        slow = stack.enter_context(connect(server.port, GREEDY))
        slow.sendall(head + picture + picture[1:])
        wait_until(lambda: server.service.uploads._held_bytes.used == 2 * len(picture) - 1)

        assert post(server.port, GREEDY, picture).status_code == 503
        assert post(server.port, OTHER, picture).status_code == 200


def test_pictures_of_many_clients_are_read_in_turn() -> None:
    read: list[str] = []
    go = threading.Event()
    workers = Workers(1)
    first = workers.submit("greedy", lambda: go.wait(PATIENCE_S))
    wait_until(first.running)

    jobs = [workers.submit("greedy", lambda i=i: read.append(f"greedy {i}")) for i in range(5)]
    jobs += [workers.submit(name, lambda name=name: read.append(name)) for name in ("one", "two")]
    go.set()
    for job in (first, *jobs):
        job.result(PATIENCE_S)
    workers.close()

    assert read == ["greedy 0", "one", "two", *(f"greedy {i}" for i in range(1, 5))]


@pytest.mark.parametrize(
    ("most", "others", "own"), [(1, 0, 1), (4, 0, 2), (4, 2, 1), (4, 3, 1), (256, 0, 128), (256, 128, 64)]
)
def test_a_client_may_take_half_of_what_others_leave(most: int, others: int, own: int) -> None:
    assert may_take(most, others, own)
    assert not may_take(most, others, own + 1)


def test_all_places_can_be_taken_and_none_twice() -> None:
    slots = Slots(8, "busy", "Busy.")
    for client in range(100):
        try:
            slots.take(str(client % 8), 1)
        except RequestRefusedError:
            continue

    assert slots.used == 8


def test_large_pictures_are_read_one_at_a_time_and_small_ones_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    go, at_work = threading.Event(), []
    monkeypatch.setattr(
        "edge_mnist.edge.web.readers.read_gray", lambda *_: at_work.append(1) or go.wait(PATIENCE_S) or 1
    )
    limits = WebLimits(requests_per_s=0, megapixels=1.0, readers=3)
    with serving(limits=limits) as (server, _):
        pool = server.service.pool
        large, small = make_blank(1000, 900, "PNG"), make_blank(100, 100, "PNG")
        jobs = [pool._workers.submit(name, lambda picture=picture: pool._read(picture, pool.choices[0], 0.0))
                for name, picture in (("a", large), ("b", large), ("c", small))]  # fmt: skip

        wait_until(lambda: len(at_work) == 2)

        assert pool._room._used == 910_000
        go.set()
        for job in jobs:
            assert isinstance(job.exception(PATIENCE_S), Exception), "the stand-in gives no picture"
        assert (len(at_work), pool._room._used) == (3, 0)


def test_readings_are_refused_at_once_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    go, answers = threading.Event(), []
    monkeypatch.setattr(ReaderPool, "_read", lambda *_: go.wait(PATIENCE_S))
    with serving(limits=WebLimits(requests_per_s=0, readers=1)) as (server, client):

        def read() -> None:
            answers.append(client.post("/v1/read", content=draw_digits(), headers=PNG))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.service.pool.places.used == 3)

        server.close()
        for thread in threads:
            thread.join(PATIENCE_S)

        assert not go.is_set()
        assert [(answer.status_code, "stopping" in answer.json()["error"]) for answer in answers] == 3 * [(503, True)]
        go.set()


def test_what_comes_after_the_end_is_refused_and_what_was_cancelled_is_not_run() -> None:
    workers, go, ran = Workers(1), threading.Event(), []
    first = workers.submit("a", lambda: go.wait(PATIENCE_S))
    cancelled: Future[None] = workers.submit("a", lambda: ran.append("cancelled"))
    cancelled.cancel()
    go.set()
    assert first.result(PATIENCE_S)

    workers.close()

    assert isinstance(workers.submit("a", lambda: ran.append("late")).exception(), RequestRefusedError)
    assert ran == []


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("3", 3), ("'no'", 1)])
def test_a_process_ends_while_a_thread_is_inside_native_code_and_nothing_is_lost(code: str, status: int) -> None:
    # Without the interpreter's lock, as a decoder works; joining or waiting for it would take a minute.
    script = (
        "import sys, threading, ctypes\n"
        "from edge_mnist.edge.common.processes.ending import end_process, start_abandonable\n"
        "start_abandonable(threading.Thread(target=lambda: ctypes.CDLL(None).sleep(60), daemon=True))\n"
        f"print('said', end='')\ntry: sys.exit({code})\nexcept SystemExit as ending: end_process(ending.code); raise"
    )

    done = python_process(script)

    assert (done.returncode, done.stdout, done.stderr) == (status, "said", "no\n" if status == 1 else "")


@contextmanager
def connect(port: int, address: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(address, 0)) as connection:
        yield connection


def ask(port: int, address: str) -> int:
    """The status of a small answer."""
    with connect(port, address) as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        return read_status(connection)


def post(port: int, address: str, picture: bytes) -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=PATIENCE_S) as client:
        return client.post(f"http://127.0.0.1:{port}/v1/read", content=picture, headers=PNG)
