"""`edge-mnist serve`: the page and the API, with or without a camera."""

import logging
import signal
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast, get_args

import click

from ..bundle import SHIPPED
from ..cameras.camera import CameraOptions
from ..cameras.choose import show_source
from ..card import Precision
from ..classifiers import RUNTIMES
from ..live.options import CameraChoice, camera_options
from ..options import BUNDLE, FiniteRange
from ..output import LineFormatter
from ..reader import Reader
from .board import LiveBoard
from .camera import CameraThread
from .limits import WebLimits
from .server import start_server
from .service import WebSettings
from .tokens import find_token

# How often it is looked whether to stop.
TICK_S = 0.1


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True,
                 help="Name or address to listen on. Any that others can reach, e.g. 0.0.0.0, demands a token."),
    click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."),
    click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE",
                 help="Its first line is the token.  [default: $EDGE_MNIST_TOKEN, else one is made and printed]"),
    click.option("--allow-host", "allow_hosts", multiple=True, metavar="NAME[:PORT]",
                 help="A further name by which clients may call this server, e.g. that of a proxy. Several allowed."),
    click.option("--rate", type=FiniteRange(min=0), default=WebLimits.requests_per_s, show_default=True,
                 help="Requests per second that one client address may send; 0 for any number."),
    click.option("--model", "models", type=BUNDLE, multiple=True, default=(SHIPPED,), show_default="the shipped one",
                 help="Bundle: the folder that export wrote, or a shipped one's name. Several allowed."),
    click.option("--runtime", "runtimes", type=click.Choice(list(RUNTIMES)), multiple=True,
                 help="What may compute. Several allowed.  [default: all that are installed]"),
    click.option("--precision", "precisions", type=click.Choice(get_args(Precision)), multiple=True,
                 help="Of the model files. Several allowed.  [default: int8 and float32, as far as there are files]"),
    click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="For each inference."),
    click.option("--report", type=_FILE, metavar="FILE", help="A benchmark report (HTML) for the page to show."),
    click.option("--access-log", is_flag=True, help="A line for each request on standard error."),
    click.option("--open", "open_page", is_flag=True, help="Open the page in the browser."),
)  # fmt: skip


def _serving_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_serving_options
@camera_options
def serve(  # noqa: PLR0913, PLR0917 - an argument for each option
    host: str,
    port: int,
    token_file: Path | None,
    allow_hosts: tuple[str, ...],
    models: tuple[Path, ...],
    runtimes: tuple[str, ...],
    precisions: tuple[str, ...],
    threads: int,
    rate: float,
    camera: CameraChoice,
    report: Path | None,
    access_log: bool,
    open_page: bool,
) -> None:
    """Serve a page to draw digits on, read photos with and watch a camera, and the HTTP API behind it.

    Only this machine can reach it, unless --host says otherwise; then everybody needs the token. The first model,
    runtime and precision read where nobody chooses others. Ctrl-C stops it.

    \b
    Examples:
      # Draw a digit.
      edge-mnist serve --open
      # Watch a camera from a phone; the printed address has the token.
      edge-mnist serve --camera auto --host 0.0.0.0
      # Read a picture from another program.
      curl --data-binary @page.png -H 'Content-Type: image/png' \\
        http://127.0.0.1:8000/v1/read
    """
    if not camera.source and camera.options != CameraOptions():
        raise click.UsageError("Options of a camera need --camera.")
    settings = WebSettings(
        models=models,
        runtimes=runtimes,
        precisions=cast("tuple[Precision, ...]", precisions),
        threads=threads,
        token=find_token(token_file),
        allow_hosts=allow_hosts,
        report=report,
        access_log=access_log,
        limits=WebLimits(requests_per_s=rate),
    )
    if access_log:
        _log_requests()
    with ExitStack() as stack:
        is_stopped = stack.enter_context(_stopping_on_signals())
        board = LiveBoard(show_source(camera.source)) if camera.source else None
        server = start_server(board, host, port, settings)
        stack.callback(server.close)
        server.wait_until_ready()
        thread = CameraThread(camera, _load_reader(settings), board) if board else None
        if thread:
            stack.callback(thread.close)
        if open_page:
            webbrowser.open(server.url)
        while not is_stopped():
            if thread:
                thread.check()
            time.sleep(TICK_S)


def _watch_nothing_unless_asked(command: click.Command) -> None:
    """`live` has a camera even when none is named; the page is of use without."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name == "source":
            option.default, option.show_default = None, "none"


_watch_nothing_unless_asked(serve)


def _load_reader(settings: WebSettings) -> Reader:
    """The live loop's own, of what reads when nobody chooses."""
    runtime = settings.runtimes[0] if settings.runtimes else None
    precision = settings.precisions[0] if settings.precisions else "int8"
    return Reader(settings.models[0], runtime, precision, settings.threads)


def _log_requests() -> None:
    logger = logging.getLogger("edge_mnist.web.access")
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


@contextmanager
def _stopping_on_signals() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C and what systemd sends change what the function says, and nothing else."""
    seen: list[int] = []
    before = {number: signal.signal(number, lambda *_: seen.append(1)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
