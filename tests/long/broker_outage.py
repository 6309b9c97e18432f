"""What an outage of the broker costs: `python -m tests.long.broker_outage --seconds 20`.

One process reads a page of digits over and over, as the live loop does, and announces something new twenty times a
second. Mosquitto is killed, is away for the time given, and comes back. A subscriber says what arrived.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.live.sink_thread import SinkThread
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.sinks.mqtt import MqttSink
from edge_mnist.edge.sinks.mqtt_address import TlsFiles, parse_broker
from tests.builders.sightings import make_sighting
from tests.stand_ins.broker import Mosquitto, Subscriber

NEWS_PER_SECOND = 20.0
TOPIC = "hall/meter"
# The sink tries to connect again after 16 s at the latest.
CATCH_UP_S = 40.0


@dataclass(frozen=True)
class Pace:
    """How fast it went: what the machine is busy with otherwise changes the first, but not the second.

    Attributes:
        read_fps: Frames read per second.
        cpu_ms: Processor time of all threads, the subscriber's too, for each frame.
    """

    read_fps: float
    cpu_ms: float


@dataclass(frozen=True)
class Outage:
    """What came of it.

    Attributes:
        published: Announcements that the loop made.
        lost: Of these, those that never arrived.
        reordered: Those that arrived, for the first time, after a later one.
        duplicates: Messages that arrived again.
        caught_up_s: Seconds from the broker's return until what was announced before had arrived.
        paces: Before, during and after the outage.
        slowest_put_ms: The longest time that the loop spent on handing over an event.
    """

    published: int
    lost: int
    reordered: int
    duplicates: int
    caught_up_s: float
    paces: tuple[Pace, Pace, Pace]
    slowest_put_ms: float


class _Loop:
    """Reads and hands over, and counts."""

    def __init__(self, outlet: SinkThread) -> None:
        self._outlet = outlet
        self._reader = Reader()
        self._page = draw_page(("1247", "89"), seed=1)
        self.frames = self.news = 0
        self.slowest_put_ms = 0.0
        self._due_s = time.monotonic()

    def run(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> Pace:
        """Read for so long, or until that is over."""
        begin_s, begin_cpu_s, begin_frames = time.monotonic(), time.process_time(), self.frames
        while (now_s := time.monotonic()) < begin_s + seconds and not is_over():
            reading = self._reader.read(self._page)
            is_new = now_s >= self._due_s
            if is_new:
                self.news += 1
                self._due_s = max(self._due_s + 1 / NEWS_PER_SECOND, now_s - 1)
            clock = time.perf_counter()
            self._outlet.put(replace(make_sighting(self.frames, is_new=is_new), reading=reading))
            self.slowest_put_ms = max(self.slowest_put_ms, 1000 * (time.perf_counter() - clock))
            self.frames += 1
        frames = self.frames - begin_frames
        return Pace(frames / (time.monotonic() - begin_s), 1000 * (time.process_time() - begin_cpu_s) / max(1, frames))


def run_outage(folder: Path, outage_s: float, around_s: float = 5.0) -> Outage:
    """Read during an outage, for so long before it and so long after all is well again; `folder` is the broker's."""
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    subscriber = Subscriber(mosquitto.port)
    outlet = SinkThread(MqttSink(parse_broker(f"mqtt://127.0.0.1:{mosquitto.port}/{TOPIC}", TlsFiles(), None)))
    loop = _Loop(outlet)
    try:
        before = loop.run(around_s)
        # While messages are on their way, not between two frames.
        killer = threading.Timer(0.05, mosquitto.kill)
        killer.start()
        during = loop.run(outage_s)
        killer.join()
        mosquitto.start()
        news, back_s = loop.news, time.monotonic()
        loop.run(CATCH_UP_S, lambda: _count_arrived(subscriber) >= news)
        caught_up_s = time.monotonic() - back_s
        after = loop.run(around_s)
        # What has not come by then is lost. On a busy machine, closing first would give up waiting messages.
        loop_end_s = time.monotonic()
        while _count_arrived(subscriber) < loop.news and time.monotonic() < loop_end_s + CATCH_UP_S:
            time.sleep(0.05)
        outlet.close(10)
    finally:
        subscriber.close()
        mosquitto.kill()
    sequences = _sequences(subscriber)
    first_times = list(dict.fromkeys(sequences))
    return Outage(
        published=loop.news,
        lost=loop.news - len(first_times),
        reordered=sum(later < earlier for earlier, later in pairwise(first_times)),
        duplicates=len(sequences) - len(first_times),
        caught_up_s=caught_up_s,
        paces=(before, during, after),
        slowest_put_ms=loop.slowest_put_ms,
    )


def _sequences(subscriber: Subscriber) -> list[int]:
    """Of all readings, in the order in which they came, but for what a subscriber that is back is shown again."""
    return [
        json.loads(payload)["sequence"]
        for topic, payload, retained in subscriber.messages
        if topic == f"{TOPIC}/reading" and not retained
    ]


def _count_arrived(subscriber: Subscriber) -> int:
    # Parsing them all for each frame would be what takes the time.
    return sum(topic == f"{TOPIC}/reading" and not retained for topic, _, retained in list(subscriber.messages))


def main() -> None:
    """Run it once and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="Of the outage. (default: %(default)s)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        outage = run_outage(Path(folder), seconds)
    lines = (
        f"outage of {seconds:g} s: {outage.published} announcements published",
        f"lost {outage.lost}, reordered {outage.reordered}, duplicates {outage.duplicates}",
        f"all that waited had arrived {outage.caught_up_s:.1f} s after the broker was back",
        *(
            f"{when}: {pace.read_fps:.0f} frames read per second, {pace.cpu_ms:.2f} ms of processor time each"
            for when, pace in zip(("before", "during", "after"), outage.paces, strict=True)
        ),
        f"slowest put: {outage.slowest_put_ms:.2f} ms",
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
