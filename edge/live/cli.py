"""`edge-mnist live`: read the digits that a camera sees, until stopped."""

import logging
import signal
import threading
from contextlib import ExitStack
from functools import partial
from types import FrameType

import click

from ..cameras.choose import check_source, open_camera, show_source
from ..ending import end_now
from ..options import FiniteRange
from ..output import LineFormatter
from ..sinks.options import SinkSettings, make_sinks, sink_options
from ..sinks.sink import SinkError
from ..stopping import handling_ends
from ..web.options import web_options
from ..web.settings import WebSettings
from .loop import LiveLoop
from .options import CameraChoice, ModelChoice, camera_options, model_options
from .page import AddressType, serve_page

# After a signal. The loop ends in less; what still computes then, as the readings of the page, is not waited for.
ENDS_WITHIN_S = 1.0


@click.command()
@camera_options
@click.option("--wait", "wait_for_camera", is_flag=True, help="Where there is no camera at first: try until there is.")
@model_options
@sink_options
@click.option("--web", type=AddressType(), metavar="[HOST:]PORT",
              help="Serve the page here, too. Any HOST that others can reach demands a token.")  # fmt: skip
@web_options
@click.option("--frames", type=click.IntRange(min=1), help="Stop after so many frames that were read.")
@click.option("--seconds", type=FiniteRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Tell on standard error what happens, and in the end how fast it was."
)
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
    """Read digits from a camera, follow them over frames, and announce what is stable.

    Always the newest frame is read, so that what is announced is never old. A camera that hangs or is unplugged is
    opened again until it answers. Ctrl-C stops; so does the end of a video. Announcements go to the terminal, and
    wherever else you say, to any number of places at once.

    \b
    Examples:
      # The camera of this machine, a table in the terminal.
      edge-mnist live
      # A webcam, and its picture in a window.
      edge-mnist live --camera /dev/video2 --show
      # What a video announces, a line of JSON each.
      edge-mnist live --camera meter.mp4 --json
      # Into files: lines, and a picture of each change.
      edge-mnist live --jsonl meter.jsonl --stills changes
      # A service that survives being started before its camera.
      edge-mnist live --mqtt mqtt://broker/meter --wait
    """
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(LineFormatter())
        logging.basicConfig(level=logging.INFO, handlers=[handler])
    if not web and web_settings != WebSettings():
        raise click.UsageError("Options of the page need --web.")
    check_source(camera.source)
    settings = camera.settings(wait_for_camera=wait_for_camera, frames=frames, seconds=seconds)
    source = show_source(camera.source)
    reader = model.load()
    stopper = _Stopper()
    with handling_ends(stopper.stop_by_signal), ExitStack() as stack:
        stack.callback(stopper.close)
        pages = [serve_page(source, web, model, web_settings)] if web else []
        for page in pages:
            stack.callback(page.close)
        sinks = [*make_sinks(sink_settings, on_close=stopper.stop), *pages]
        stopper.run(LiveLoop(partial(open_camera, camera.source, camera.options), source, reader, sinks, settings))


class _Stopper:
    """Stops a loop, also one that is yet to come: its page is served before it begins."""

    def __init__(self) -> None:
        self._asked = False
        self._signal: int | None = None
        self._loop: LiveLoop | None = None
        self._deadline = threading.Timer(ENDS_WITHIN_S, end_now, [0])
        self._deadline.daemon = True

    def close(self) -> None:
        """Cancel the deadline, as all has ended by itself: a program that called this command goes on."""
        self._deadline.cancel()

    def stop(self) -> None:
        """From any thread."""
        self._asked = True
        if self._loop:
            self._loop.stop()

    def stop_by_signal(self, number: int, _: FrameType | None) -> None:
        """Stop within a second, whatever is being done."""
        if self._signal is None:
            self._deadline.start()
        self._signal = number
        self._asked = True
        if self._loop:
            self._loop.interrupt()

    def run(self, loop: LiveLoop) -> None:
        self._loop = loop
        if self._asked:
            loop.stop()
        try:
            loop.run()
        except SinkError:
            # A terminal that has gone takes no more lines.
            if self._signal != signal.SIGHUP:
                raise
