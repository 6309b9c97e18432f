"""`edge-mnist live`: read the digits that a camera sees, until stopped."""

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..cameras.factory import check_source, open_camera, redact_source
from ..common.errors import EdgeMnistError
from ..common.processes.ending import end_now
from ..common.processes.signals import handling_ends
from ..common.terminal.verbosity import set_verbosity
from ..live.events import Event
from ..live.loop import LiveLoop
from ..live.sink_thread import Backlog, SinkError
from ..web.settings import WebSettings
from .live_options import CameraChoice, ModelChoice, camera_options, model_options
from .options import FiniteRange, GroupedCommand, option_group
from .sink_options import SinkSettings, make_sinks, sink_options
from .web_options import web_options

if TYPE_CHECKING:
    from ..web.live_feed import LiveFeed

LOCAL = "127.0.0.1"


class AddressType(click.ParamType):
    """`8000` on this machine alone, or `0.0.0.0:8000`, `[::1]:8000`."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Parse it into host and port, or fail as misuse."""
        host, colon, port = str(value).rpartition(":")
        if (colon and not host) or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
            self.fail(f"{value!r} is neither a port nor host and port, e.g. 8000 or 0.0.0.0:8000.", param, ctx)
        return host.strip("[]") or LOCAL, int(port)


class WebSink:
    """A sink that shows the newest event on the page. Closing it closes the server, in parallel with other sinks."""

    backlog: Backlog = "newest"

    def __init__(self, feed: "LiveFeed", close_server: Callable[[], None]) -> None:
        self.name = feed.name
        self._feed = feed
        self._close_server = close_server

    def wants_picture(self) -> bool:
        """Whether a client watches."""
        return self._feed.wants_picture()

    def take(self, event: Event) -> None:
        """Show the event."""
        self._feed.take(event)

    def close(self) -> None:
        """Close all connections."""
        self._feed.close()
        self._close_server()


def start_live_page(source: str, address: tuple[str, int], model: ModelChoice, settings: WebSettings) -> WebSink:
    """Serve the page from now on, with the model that the loop uses.

    Raises:
        EdgeMnistError: The packages for it are missing, or the address is not available.
    """
    try:
        from ..web.live_feed import LiveFeed  # noqa: PLC0415 - they need packages of an extra
        from ..web.server import start_server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("edge_mnist"):
            raise
        raise EdgeMnistError(f"--web needs the package {error.name}: pip install 'edge-mnist[web]'") from error
    settings = replace(
        settings,
        models=(model.bundle,),
        runtimes=(model.runtime,) if model.runtime else (),
        precisions=(model.precision,),
        threads=model.threads,
    )
    feed = LiveFeed(source)
    server = start_server(feed, *address, settings)
    return WebSink(feed, server.close)


# After a signal. The loop ends sooner; other work, such as readings for the page, is not waited for.
ENDS_WITHIN_S = 1.0


_WEB = click.option("--web", type=AddressType(), metavar="[HOST:]PORT",
                    help="Also serve the web page at this address. A HOST that other machines can reach requires a "
                    "token.")  # fmt: skip


@click.command(cls=GroupedCommand)
@camera_options
@click.option(
    "--wait", "wait_for_camera", is_flag=True, help="If there is no camera at the start, wait until there is one."
)
@model_options
@sink_options
@option_group("Web page", _WEB)
@web_options
@click.option("--frames", type=click.IntRange(min=1), help="Number of frames to read before stopping.")
@click.option("--seconds", type=FiniteRange(min=0, min_open=True), help="Time to read before stopping, seconds.")
@click.option("-v", "--verbose", is_flag=True, help="Log events to standard error, and the speed at the end.")
def live(  # noqa: PLR0913 - an argument for each group of options
    *,
    camera: CameraChoice,
    wait_for_camera: bool,
    model: ModelChoice,
    sink_settings: SinkSettings,
    web: tuple[str, int] | None,
    web_settings: WebSettings,
    frames: int | None,
    seconds: float | None,
    verbose: bool,
) -> None:
    """Read digits from a camera, track them over frames, and announce stable readings.

    The newest frame is always read, so announcements are never old. A camera that hangs or is unplugged is opened
    again until it works. Ctrl-C stops the command; so does the end of a video. Announcements go to the terminal and
    to any number of other outputs at once.

    \b
    Examples:
      # This machine's camera, as a table in the terminal.
      edge-mnist live
      # A webcam, with its picture in a window.
      edge-mnist live --camera /dev/video2 --show
      # A video, one line of JSON per announcement.
      edge-mnist live --camera meter.mp4 --json
      # To files: JSON lines, and a picture of each change.
      edge-mnist live --jsonl meter.jsonl --stills changes
      # A service that may start before its camera.
      edge-mnist live --mqtt mqtt://broker/meter --wait
    """
    if verbose:
        set_verbosity("verbose")
    if not web and web_settings != WebSettings():
        raise click.UsageError("Web page options need --web.")
    check_source(camera.source)
    settings = camera.settings(wait_for_camera=wait_for_camera, frames=frames, seconds=seconds)
    source = redact_source(camera.source)
    reader = model.load()
    stopper = LoopStopper()
    with handling_ends(stopper.stop_by_signal), ExitStack() as stack:
        stack.callback(stopper.close)
        pages = [start_live_page(source, web, model, web_settings)] if web else []
        for page in pages:
            stack.callback(page.close)
        sinks = [*make_sinks(sink_settings, on_close=stopper.stop), *pages]
        stopper.run(LiveLoop(partial(open_camera, camera.source, camera.options), source, reader, sinks, settings))


class LoopStopper:
    """Stop a live loop, even if it has not started yet."""

    def __init__(self) -> None:
        self._asked = False
        self._signal: int | None = None
        self._loop: LiveLoop | None = None
        self._deadline = threading.Timer(ENDS_WITHIN_S, end_now, [0])
        self._deadline.daemon = True

    def close(self) -> None:
        """Cancel the deadline, because the command has ended by itself: a program that called it continues."""
        self._deadline.cancel()

    def stop(self) -> None:
        """Stop the loop. Safe in any thread."""
        self._asked = True
        if self._loop:
            self._loop.stop()

    def stop_by_signal(self, number: int, _: FrameType | None) -> None:
        """Stop within a second, whatever the process is doing."""
        if self._signal is None:
            self._deadline.start()
        self._signal = number
        self._asked = True
        if self._loop:
            self._loop.interrupt()

    def run(self, loop: LiveLoop) -> None:
        """Run the loop until it ends or is stopped; an earlier stop counts, too."""
        self._loop = loop
        if self._asked:
            loop.stop()
        try:
            loop.run()
        except SinkError:
            # A terminal that has gone takes no more lines.
            if self._signal != signal.SIGHUP:
                raise
