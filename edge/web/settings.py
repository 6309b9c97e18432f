"""Settings of the web server. They load without the packages of the extra `web`."""

from dataclasses import dataclass, field
from pathlib import Path

from ..bundle.contract import Precision
from ..bundle.shipped import SHIPPED


@dataclass(frozen=True)
class WebLimits:
    """All limits; a client that exceeds one is refused, and others are still served.

    Of everything limited in total (held bytes, watchers, connections, pictures) one client address may take half
    of what the others leave: no address can take everything.

    Attributes:
        upload_bytes: Bytes of one picture as it is sent.
        megapixels: Megapixels of one picture, and of all that are decoded and read at the same time: a large one is
            read alone. A phone's 4032 x 3024 pixels are 12.2.
        held_bytes: Bytes of all pictures that are being received, wait or are read.
        body_s: Seconds in which a picture must have arrived.
        header_s: Seconds in which a request's header must have arrived.
        stall_s: Seconds for which a client may read nothing of its response.
        requests_per_s: Mean requests per second of one client address; 0 = no limit.
        burst: Requests of one address that may come at once.
        frames_per_s: Mean live pictures per second of one client address; they come at the camera's pace and cost
            little.
        addresses: Client addresses that are remembered for that.
        watchers: Clients that follow live events or wait for a live picture, together.
        connections: Connections open at the same time.
        readers: Pictures that are read at the same time.
        waiting: Pictures that arrive or wait to be read.
        poll_s: Seconds after which a client that waits for a live picture is answered that there is no newer one.
        ping_s: Seconds without an event after which a keep-alive is sent: the camera's state and the reading's age.
        events_per_s: Events per second sent to one client; newer ones replace older ones.
    """

    upload_bytes: int = 10_000_000
    megapixels: float = 13.0
    held_bytes: int = 40_000_000
    body_s: float = 10.0
    header_s: float = 10.0
    stall_s: float = 20.0
    requests_per_s: float = 20.0
    burst: int = 40
    frames_per_s: float = 60.0
    addresses: int = 4096
    watchers: int = 32
    connections: int = 256
    readers: int = 2
    waiting: int = 128
    poll_s: float = 10.0
    ping_s: float = 2.0
    events_per_s: float = 60.0


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
