"""The server at its limit of open files: a line in the log, the others are served, and it recovers by itself."""

import errno
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.stand_ins.web_server import PATIENCE_S, serving, serving_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
# Connections that it still has room for.
ROOM = 8


def count_ticks(pid: int) -> int:
    """Hundredths of a second of processor time."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))


def test_without_room_for_connections_it_logs_a_line_and_recovers() -> None:
    with serving_process() as (process, server):
        # Threads and modules of a first answer are there.
        httpx.get(f"{server.url}v1/model").raise_for_status()
        most = count_descriptors(server.pid) + ROOM
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6 * ROOM)]
        wait_for(lambda: count_descriptors(server.pid) == most)
        before = count_ticks(server.pid)
        time.sleep(3)
        spent = count_ticks(server.pid) - before
        request = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        connections[0].settimeout(PATIENCE_S)
        connections[0].sendall(request)
        answer = connections[0].recv(20)
        for connection in connections:
            connection.close()
        recovered = httpx.get(f"{server.url}healthz", timeout=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.stderr.read()

    assert answer.startswith(b"HTTP/1.1 200")
    assert recovered.status_code == 200
    assert "Traceback" not in log
    assert log.count("No more connections can be accepted now (Too many open files)") == 1
    assert spent < 100


def test_a_file_that_cannot_be_opened_is_a_busy_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    with serving() as (server, client):
        monkeypatch.setattr(server.service.metrics, "write", fail)
        answer = client.get("/metrics")

    assert answer.status_code == 503
    assert answer.json() == {"error": "The server has reached its limit of open files. Try again in a second."}


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def wait_for(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)
