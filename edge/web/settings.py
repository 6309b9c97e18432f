"""Settings of the web server. They load without the packages of the extra `web`."""

from dataclasses import dataclass, field
from pathlib import Path

from ..bundle.card import Precision
from ..bundle.shipped import SHIPPED
from .protection.limits import WebLimits


@dataclass(frozen=True)
class WebSettings:
    """How to serve.

    Attributes:
        models: Folders of bundles; the first is the default for requests that choose none.
        runtimes: Names of the runtimes; empty for all installed ones.
        precisions: Precisions to offer; empty for int8 and float32, as far as there are files.
        threads: Threads that a runtime may use for one inference.
        token: Token that clients must send; None generates one if other machines can reach the server.
        allow_hosts: More names by which the server may be addressed, e.g. those of a proxy, with or without port.
        allow_frames: Origins whose pages may show this page in a frame.
        proxies: Addresses or networks of proxies whose X-Forwarded-For names the client.
        root_path: Path below which a proxy offers the server, e.g. /digits; empty for none.
        report: Page to show under /v1/report.
        access_log: Whether each request is logged (logger `edge_mnist.web.access`).
        limits: Limits on clients and requests.
    """

    models: tuple[Path, ...] = (SHIPPED,)
    runtimes: tuple[str, ...] = ()
    precisions: tuple[Precision, ...] = ()
    threads: int = 1
    token: str | None = field(default=None, repr=False)
    allow_hosts: tuple[str, ...] = ()
    allow_frames: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    root_path: str = ""
    report: Path | None = None
    access_log: bool = False
    limits: WebLimits = field(default_factory=WebLimits)
