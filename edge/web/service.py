"""What all routes share: one server's readers, board, limits and counts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import SHIPPED
from ..card import Precision
from .board import LiveBoard
from .limits import RateLimiter, Slots, WebLimits
from .metrics import Metrics
from .readers import ReaderPool
from .uploads import Uploads

if TYPE_CHECKING:
    from .security import Hosts


@dataclass(frozen=True)
class WebSettings:
    """How to serve.

    Attributes:
        models: Folders of bundles; the first is the one that reads when nobody chooses.
        runtimes: Their names, None for all that are installed.
        precisions: None for int8 and float32, as far as there are files.
        threads: Of each inference.
        token: Without which nothing is read; None makes one where other machines can reach the server.
        allow_hosts: Further names by which the server may be addressed, e.g. those of a proxy, with or without port.
        report: A page to show under /v1/report.
        access_log: Whether each request is logged (logger `edge_mnist.web.access`).
        limits: What is too much.
    """

    models: tuple[Path, ...] = (SHIPPED,)
    runtimes: tuple[str, ...] = ()
    precisions: tuple[Precision, ...] = ()
    threads: int = 1
    token: str | None = field(default=None, repr=False)
    allow_hosts: tuple[str, ...] = ()
    report: Path | None = None
    access_log: bool = False
    limits: WebLimits = field(default_factory=WebLimits)


class Service:
    """A running server's parts.

    Attributes:
        token: What clients must bear, None if nothing.
        hosts: The names of this server.
        board: Of the live loop, None without a camera.
    """

    def __init__(self, settings: WebSettings, pool: ReaderPool, hosts: "Hosts", board: LiveBoard | None) -> None:
        limits = settings.limits
        self.limits = limits
        self.token = settings.token
        self.report = settings.report
        self.access_log = settings.access_log
        self.hosts = hosts
        self.pool = pool
        self.board = board
        self.uploads = Uploads(limits)
        self.watchers = Slots(limits.watchers, "watchers", "Too many clients watch already: try again later.")
        self.request_rate = RateLimiter(limits.requests_per_s, limits.burst, limits.addresses)
        frame_burst = max(limits.burst, round(limits.frames_per_s))
        frame_rate = limits.frames_per_s if limits.requests_per_s else 0
        self.frame_rate = RateLimiter(frame_rate, frame_burst, limits.addresses)
        self.metrics = Metrics(board, lambda: pool.waiting, lambda: self.watchers.used)
        self.loading = pool.start_loading()

    def describe_model_state(self) -> str:
        """Of what reads when nobody chooses: `loading`, `loaded`, or why it cannot be."""
        if not self.loading.done():
            return "loading"
        error = self.loading.exception()
        return str(error) if error else "loaded"
