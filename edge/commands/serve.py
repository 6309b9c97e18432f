"""`edge-mnist serve`: the page and the API, with or without a camera."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import click

from ..bundle.contract import Precision
from ..bundle.shipped import SHIPPED
from ..cameras.camera import CameraOptions
from ..cameras.factory import redact_source
from ..common.processes.signals import handling_ends
from ..common.terminal.verbosity import note
from ..reading.reader import Reader
from ..runtimes.registry import RUNTIMES
from ..web.settings import WebSettings
from .live_options import CameraChoice, camera_options
from .open_page import open_page
from .options import BUNDLE, GroupedCommand, option_group
from .web_options import web_options

# Seconds between checks whether to stop.
TICK_S = 0.1


_ADDRESS = (
    click.option("--host", default="127.0.0.1", show_default=True,
                 help="Name or address to listen on. One that other machines can reach, e.g. 0.0.0.0, requires a "
                 "token."),
    click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
                 help="Port to listen on; 0 chooses a free one."),
    click.option("--open", "opens_page", is_flag=True, help="Open the page in the browser."),
    click.option("--fetch-runtime", "fetches_runtime", is_flag=True,
                 help="First fetch onnxruntime-web with npm, 33 MB, and check its hash, so that the page runs the "
                 "model itself. It is kept in the cache: once is enough."),
)  # fmt: skip
_MODELS = (
    click.option("--model", "models", type=BUNDLE, multiple=True, default=(SHIPPED,), show_default="the shipped one",
                 help="Bundle: the folder that export wrote, or the name of a shipped one. Several allowed."),
    click.option("--runtime", "runtimes", type=click.Choice(list(RUNTIMES)), multiple=True,
                 help="Inference runtime to offer. Several allowed.  [default: all that are installed]"),
    click.option("--precision", "precisions", type=click.Choice(get_args(Precision)), multiple=True,
                 help="Precision of the model files. Several allowed.  [default: int8 and float32, where files "
                 "exist]"),
    click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True,
                 help="Threads for each inference."),
)  # fmt: skip


@click.command(cls=GroupedCommand)
@option_group("Web page", *_ADDRESS)
@option_group("Models", *_MODELS)
@web_options
@camera_options
def serve(  # noqa: PLR0913 - an argument for each group of options
    *,
    host: str,
    port: int,
    models: tuple[Path, ...],
    runtimes: tuple[str, ...],
    precisions: tuple[str, ...],
    threads: int,
    opens_page: bool,
    fetches_runtime: bool,
    web_settings: WebSettings,
    camera: CameraChoice,
) -> None:
    """Serve a web page to draw digits, read photos and watch a camera, and its HTTP API.

    Only this machine can reach it, unless --host is given; then every client needs the token. Requests that choose no
    model, runtime or precision use the first of each. Ctrl-C stops the server.

    \b
    Examples:
      # Draw a digit.
      edge-mnist serve --open
      # The model runs in the page: drawings do not leave the browser.
      edge-mnist serve --open --fetch-runtime
      # Watch a camera from a phone; the printed address contains the token.
      edge-mnist serve --camera auto --host 0.0.0.0
      # Behind nginx as https://home.example/digits/, on the same machine.
      edge-mnist serve --allow-host home.example --root-path /digits \\
        --proxy 127.0.0.1
      # Read a picture from another program.
      curl --data-binary @page.png -H 'Content-Type: image/png' \\
        http://127.0.0.1:8000/v1/read
    """
    if not camera.source and camera.options != CameraOptions():
        raise click.UsageError("Camera options need --camera.")
    if fetches_runtime:
        _fetch_runtime()
    settings = replace(
        web_settings,
        models=models,
        runtimes=runtimes,
        precisions=cast("tuple[Precision, ...]", precisions),
        threads=threads,
    )
    _serve(host, port, settings, camera, opens_page)


def _fetch_runtime() -> None:
    from ..web.browser_runtime import ensure_runtime  # noqa: PLC0415 - as below

    note(ensure_runtime())


def _serve(host: str, port: int, settings: WebSettings, camera: CameraChoice, opens_page: bool) -> None:
    """Serve until a signal comes."""
    # Here, so that --help needs no package of the extra.
    from ..web.camera import CameraThread  # noqa: PLC0415
    from ..web.live_feed import LiveFeed  # noqa: PLC0415
    from ..web.server import start_server  # noqa: PLC0415

    with ExitStack() as stack:
        is_stopped = stack.enter_context(_stopping_on_signals())
        feed = LiveFeed(redact_source(camera.source)) if camera.source else None
        server = start_server(feed, host, port, settings)
        stack.callback(server.close)
        while not (server.is_ready() or is_stopped()):
            time.sleep(TICK_S)
        if is_stopped():
            return
        thread = None
        if feed:
            loop_settings = camera.settings(wait_for_camera=True)
            thread = CameraThread(camera.source, camera.options, loop_settings, _load_reader(settings), feed)
        if thread:
            stack.callback(thread.close)
        if opens_page:
            stack.enter_context(open_page(server.url))
        while not is_stopped():
            if thread:
                thread.check()
            time.sleep(TICK_S)


def _watch_nothing_unless_asked(command: click.Command) -> None:
    """Make the camera optional: `live` uses a default camera, but the page also works without one."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name == "source":
            option.default, option.show_default = None, "none"


_watch_nothing_unless_asked(serve)


def _load_reader(settings: WebSettings) -> Reader:
    """Load a reader for the live loop, of the default model, runtime and precision."""
    runtime = settings.runtimes[0] if settings.runtimes else None
    precision = settings.precisions[0] if settings.precisions else "int8"
    return Reader(settings.models[0], runtime, precision, settings.threads)


@contextmanager
def _stopping_on_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that reports whether a signal to end came within the block; the signals do nothing else."""
    seen: list[int] = []
    with handling_ends(lambda number, _: seen.append(number)):
        yield lambda: bool(seen)
