"""The parts that all routes share: the server's readers, live feed, limits and counts."""

from typing import TYPE_CHECKING

from .live_feed import LiveFeed
from .metrics import Metrics
from .protection.limits import RateLimiter, Slots, Uploads
from .readers import ReaderPool
from .settings import WebSettings

if TYPE_CHECKING:
    from .protection.security import Hosts


class WebService:
    """The parts of a running server.

    Attributes:
        settings: Settings of the server.
        token: Token that clients must send; None if none is required.
        hosts: Names of this server.
        feed: Feed of the live loop; None without a camera.
    """

    def __init__(self, settings: WebSettings, pool: ReaderPool, hosts: "Hosts", feed: LiveFeed | None) -> None:
        limits = settings.limits
        self.settings = settings
        self.limits = limits
        self.token = settings.token
        self.hosts = hosts
        self.pool = pool
        self.feed = feed
        self.uploads = Uploads(limits)
        self.watchers = Slots(limits.watchers, "watchers", "Too many clients are watching: try again later.")
        self.request_rate = RateLimiter(limits.requests_per_s, limits.burst, limits.addresses)
        frame_burst = max(limits.burst, round(limits.frames_per_s))
        frame_rate = limits.frames_per_s if limits.requests_per_s else 0
        self.frame_rate = RateLimiter(frame_rate, frame_burst, limits.addresses)
        self.metrics = Metrics(feed, lambda: pool.places.used, lambda: self.watchers.used)
        self.loading = pool.start_loading()

    def describe_model_state(self) -> str:
        """Describe the default reader: `loading`, `loaded`, or why it cannot be loaded."""
        if not self.loading.done():
            return "loading"
        error = self.loading.exception()
        return str(error) if error else "loaded"
