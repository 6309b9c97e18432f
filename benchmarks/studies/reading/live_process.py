"""`edge-mnist live` in its own process, and clients that watch its page."""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from ....edge.common.processes.child import limit_command
from ...errors import BenchmarkError

# Far more than any measurement takes: a process that hangs is ended.
TIMEOUT_S = 600.0
COMMAND = (sys.executable, "-P", "-c", "from edge_mnist.cli import main; main()", "live")


class LiveProcess:
    """The command with these arguments, started with the block and ended with it."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def __enter__(self) -> Self:
        """Start it."""
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            limit_command([*COMMAND, *self._arguments]), stdout=subprocess.PIPE, stderr=self._said, encoding="utf-8"
        )
        self._timer = threading.Timer(TIMEOUT_S, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it has not ended."""
        self._timer.cancel()
        self._process.terminate()
        self._process.communicate()
        self._said.close()

    def read_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the JSON documents that it writes, one per line, until its end.

        Raises:
            BenchmarkError: The command failed.
        """
        for line in self._process.stdout or ():
            yield json.loads(line)
        if self._process.wait() != 0:
            said = self._read_said().removeprefix("Error: ")
            raise BenchmarkError(f"`edge-mnist live` ended with code {self._process.returncode}: {said}")

    def read_url(self) -> str:
        """Read the address of its page, which it prints before it reads the first frame.

        Raises:
            BenchmarkError: It printed no address.
        """
        match = re.search(r"Serving on (http://\S+)", self._read_said())
        if match is None:
            raise BenchmarkError("`edge-mnist live --web` did not print its address.")
        return match[1]

    def _read_said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()


class _Client:
    """A thread that receives until the server disconnects; `count` is the number of things received."""

    def __init__(self, url: str) -> None:
        self.count = 0
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        # The end of the live view is the end of the connection.
        with suppress(OSError, http.client.HTTPException):
            self._watch()
        self._connection.close()

    def _watch(self) -> None:
        raise NotImplementedError


class Follower(_Client):
    """A client that takes every event."""

    def _watch(self) -> None:
        self._connection.request("GET", "/v1/live")
        response = self._connection.getresponse()
        while line := response.readline():
            self.count += line.startswith(b"data:")


class PictureTaker(_Client):
    """A client that takes the newest picture repeatedly."""

    def _watch(self) -> None:
        path = "/v1/live/frame.jpg"
        while True:
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            response.read()
            if response.status != http.client.OK:
                # The server may refuse too many requests at once; the client tries again.
                time.sleep(0.05)
                continue
            self.count += 1
            path = f"/v1/live/frame.jpg?after={response.headers['X-Frame-Index']}"
