"""The web page beside a live loop: `edge-mnist live --web`."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..errors import EdgeMnistError
from ..sinks.sink import Backlog
from ..web.settings import WebSettings
from .events import Event
from .options import ModelChoice

if TYPE_CHECKING:
    from ..web.board import LiveBoard

LOCAL = "127.0.0.1"


class PageError(EdgeMnistError):
    """The page cannot be served; the message says why and what to do."""


class AddressType(click.ParamType):
    """`8000` on this machine alone, or `0.0.0.0:8000`, `[::1]:8000`."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Parse it into host and port, or fail as misuse."""
        host, colon, port = str(value).rpartition(":")
        if (colon and not host) or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
            self.fail(f"{value!r} is no port, nor host and port, e.g. 8000 or 0.0.0.0:8000.", param, ctx)
        return host.strip("[]") or LOCAL, int(port)


class PageSink:
    """Shows the newest event. The server closes with it, and so while other sinks do."""

    backlog: Backlog = "newest"

    def __init__(self, board: "LiveBoard", close_server: Callable[[], None]) -> None:
        self.name = board.name
        self._board = board
        self._close_server = close_server

    def wants_picture(self) -> bool:
        """Whether somebody watches."""
        return self._board.wants_picture()

    def take(self, event: Event) -> None:
        """Show it."""
        self._board.take(event)

    def close(self) -> None:
        """Hang up on everybody."""
        self._board.close()
        self._close_server()


def serve_page(source: str, address: tuple[str, int], model: ModelChoice, settings: WebSettings) -> PageSink:
    """Serve the page from now on, with the model that the loop uses.

    Raises:
        PageError: The packages for it are missing.
        WebError: The address cannot be had.
    """
    try:
        from ..web.board import LiveBoard  # noqa: PLC0415 - they need packages of an extra
        from ..web.server import start_server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("edge_mnist"):
            raise
        raise PageError(f"--web needs the package {error.name}: pip install 'edge-mnist[web]'") from error
    settings = replace(
        settings,
        models=(model.bundle,),
        runtimes=(model.runtime,) if model.runtime else (),
        precisions=(model.precision,),
        threads=model.threads,
    )
    board = LiveBoard(source)
    server = start_server(board, *address, settings)
    return PageSink(board, server.close)
