"""Metrics for Prometheus: counted as requests arrive, or looked up when they are read."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..live.events import Sighting
from .live_feed import LiveFeed

# Seconds. A stage takes from tens of microseconds to a second for a large photograph on a small machine.
STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The server's own metrics registry."""

    def __init__(self, feed: LiveFeed | None, count_waiting: Callable[[], int], count_watchers: Callable[[], int]):
        self._registry = CollectorRegistry()
        self._readings = Counter(
            "edge_mnist_readings", "Pictures and frames that were read.", ["origin"], registry=self._registry
        )
        self._refused = Counter(
            "edge_mnist_refused_requests", "Requests that were refused.", ["reason"], registry=self._registry
        )
        self._stages = Histogram(
            "edge_mnist_stage_seconds",
            "Time in each stage; of live frames, only those sent to the page.",
            ["origin", "stage"],
            buckets=STAGE_BUCKETS,
            registry=self._registry,
        )
        self._read_before = 0
        self._registry.register(_Gauges(feed, count_waiting, count_watchers))
        ProcessCollector(registry=self._registry)
        if feed is not None:
            feed.add_listener(self.count_sighting)

    def count_refusal(self, reason: str) -> None:
        """Count a refused request."""
        self._refused.labels(reason).inc()

    def count_reading(self, timing_ms: dict[str, float]) -> None:
        """Count a picture that was uploaded and read."""
        self._readings.labels("upload").inc()
        self._time("upload", timing_ms)

    def count_sighting(self, sighting: Sighting) -> None:
        """Count a live frame that was read, and those between it and the last one that was counted."""
        # When the loop restarts, it counts from 0 again.
        before = self._read_before if sighting.index >= self._read_before else 0
        self._readings.labels("live").inc(sighting.index + 1 - before)
        self._read_before = sighting.index + 1
        self._time("live", sighting.timing_ms)

    def write(self) -> bytes:
        """Write all metrics in Prometheus's format."""
        return generate_latest(self._registry)

    def _time(self, origin: str, timing_ms: dict[str, float]) -> None:
        for stage, ms in timing_ms.items():
            self._stages.labels(origin, stage).observe(ms / 1000)


class _Gauges:
    """Current values, looked up when they are read."""

    def __init__(self, feed: LiveFeed | None, count_waiting: Callable[[], int], count_watchers: Callable[[], int]):
        self._feed = feed
        self._count_waiting = count_waiting
        self._count_watchers = count_watchers

    def collect(self) -> Iterable[Metric]:
        """Collect the metrics; see prometheus_client's `Collector`."""
        yield _gauge("edge_mnist_waiting_pictures", "Pictures that arrive, wait or are read.", self._count_waiting())
        yield _gauge("edge_mnist_watchers", "Clients of the live view.", self._count_watchers())
        if self._feed is not None:
            yield from _describe_camera(self._feed)


def _describe_camera(feed: LiveFeed) -> Iterable[Metric]:
    state = GaugeMetricFamily("edge_mnist_camera_state", "1 for the camera's current state.", labels=["state"])
    for name in ("starting", "open", "lost", "ended"):
        state.add_metric([name], float(feed.state == name))
    yield state
    if feed.sighting is None or not isinstance(feed.sighting.event, Sighting):
        return
    rates = feed.sighting.event.rates
    yield _gauge("edge_mnist_camera_fps", "Frames per second that the camera delivered.", rates.camera_fps)
    yield _gauge("edge_mnist_read_fps", "Frames per second that were read.", rates.read_fps)
    yield CounterMetricFamily(
        "edge_mnist_skipped_frames", "Frames replaced by newer ones before they were read.", rates.skipped
    )
    yield CounterMetricFamily("edge_mnist_damaged_frames", "Frames left out because data were lost.", rates.damaged)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value)
