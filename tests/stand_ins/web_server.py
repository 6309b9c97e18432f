"""The web server for tests: in this process on a thread, or as users start it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import httpx
from PIL import Image, ImageDraw, ImageFont

from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.server import WebServer, start_server
from edge_mnist.edge.web.settings import WebLimits, WebSettings

# No wait of these tests is longer.
PATIENCE_S = 20.0
TOKEN = "t0ken-of-this-very-test"  # noqa: S105 - of no other use
PNG = {"Content-Type": "image/png"}


@contextmanager
def serving(
    feed: LiveFeed | None = None, host: str = "127.0.0.1", limits: WebLimits | None = None, **settings: object
) -> Iterator[tuple[WebServer, httpx.Client]]:
    """A server with its model loaded, and a client of it that bears no token."""
    all_settings = WebSettings(limits=limits or WebLimits(requests_per_s=0), **settings)  # pyright: ignore[reportArgumentType]
    server = start_server(feed, host, 0, all_settings)
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE_S) as client:
            yield server, client
    finally:
        server.close()


@dataclass
class Process:
    """A server that was started from the command line."""

    pid: int
    url: str
    said: str

    @property
    def port(self) -> int:
        return int(httpx.URL(self.url).port or 80)

    @property
    def token(self) -> str:
        return httpx.URL(self.url).fragment.removeprefix("token=")


@contextmanager
def serving_process(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Process]]:
    """`edge-mnist serve`, once it says where it serves; ended with the block."""
    code = "from edge_mnist.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", *arguments],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        while not (match := re.search(r"Serving on (http://\S+)", said)):
            line = process.stderr.readline()
            assert line, f"it ended: {said}"
            said += line
        url = match[1]
        wait_for_answer(url)
        yield process, Process(process.pid, url, said)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


def wait_for_answer(url: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            httpx.get(httpx.URL(url).copy_with(path="/healthz", fragment=None)).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("it does not answer")


def draw_digits(text: str = "274", kind: str = "PNG", size: tuple[int, int] = (320, 120)) -> bytes:
    """A picture file with digits in ink on paper."""
    image = Image.new("L", size, 235)
    font = ImageFont.load_default(size=0.6 * size[1])
    ImageDraw.Draw(image).text((0.1 * size[0], 0.1 * size[1]), text, fill=30, font=font, spacing=8)
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()
