"""The live feed: the newest results of the live loop, for all clients of the web server.

The loop's side is a sink. The clients' side is asyncio. There are no queues: a slow client gets the newest event and
misses those between. The JPEG, which is costly, is made once for all clients, and only if a client waits for it.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..common.opencv import cv
from ..live.documents import describe_event, format_time
from ..live.events import CameraChange, Event, Sighting
from ..live.sink_thread import Backlog
from .errors import encode_json

JPEG_QUALITY = 80
# A client that got a picture asks for the next one within tens of milliseconds: until then it still counts.
LINGER_S = 0.25
# A camera at exactly the encoded rate delivers some frames a little early: they count as in time.
EARLY = 0.2


@dataclass(frozen=True)
class FeedPicture:
    """A live picture.

    Attributes:
        index: Index of its sighting.
        captured_at: Time of capture, seconds since 1970.
        captured_s: Time of capture by the monotonic clock, which is never adjusted.
        jpeg: Bytes of the JPEG file.
    """

    index: int
    captured_at: float
    captured_s: float
    jpeg: bytes


class FeedEvent:
    """An event of the feed, and its text, which is made once and only if a client reads it."""

    def __init__(self, version: int, event: Event) -> None:
        self.version = version
        self.event = event

    @cached_property
    def text(self) -> bytes:
        """The event as one JSON document, see `live/documents.py`."""
        return encode_json(describe_event(self.event))


class LiveFeed:
    """A feed of the newest sighting, change of the camera, and picture.

    Attributes:
        sighting: The newest sighting.
        change: The newest change of the camera.
        picture: The newest picture that a client waited for.
        source: The camera's name without secrets.
        is_over: Whether the server stops.
    """

    name = "web page"
    backlog: Backlog = "newest"

    def __init__(self, source: str, pictures_per_s: float = 30.0) -> None:
        """Make an empty feed.

        Args:
            source: The camera's name without secrets.
            pictures_per_s: Most pictures per second to request from the loop and encode.
        """
        self.source = source
        self.sighting: FeedEvent | None = None
        self.change: FeedEvent | None = None
        self.picture: FeedPicture | None = None
        self.is_over = False
        self._captured_s = -math.inf
        self._version = 0
        self._picture_interval_s = (1 - EARLY) / pictures_per_s
        self._pictured_s = -math.inf
        self._picture_watchers = 0
        self._watched_s = -math.inf
        self._lock = threading.Lock()
        self._waiting: set[_Waiter] = set()
        self._listeners: list[Callable[[Sighting], None]] = []

    # The loop's side.

    def wants_picture(self) -> bool:
        """Whether a client waits and a picture is due, see `Sink`."""
        return self._is_watched and time.monotonic() - self._pictured_s >= self._picture_interval_s

    def take(self, event: Event) -> None:
        """Add an event, see `Sink`."""
        picture = self._encode(event) if isinstance(event, Sighting) else None
        with self._lock:
            self._version += 1
            note = FeedEvent(self._version, event)
            if isinstance(event, CameraChange):
                self.change = note
            else:
                self.sighting, self._captured_s = note, _find_capture(event)
            self.picture = picture or self.picture
        if isinstance(event, Sighting):
            for listener in self._listeners:
                listener(event)
        self._wake()

    def close(self) -> None:
        """Keep the last results, see `Sink`: a file that ended can still be looked at."""

    def end_waits(self) -> None:
        """End all waiting, because the server stops. Safe in any thread."""
        self.is_over = True
        self._wake()

    def add_listener(self, listener: Callable[[Sighting], None]) -> None:
        """Add a function to call with each sighting, on the sink's thread."""
        self._listeners.append(listener)

    def _encode(self, sighting: Sighting) -> FeedPicture | None:
        if sighting.picture is None or not self._is_watched:
            return None
        self._pictured_s = time.monotonic()
        pixels = cv.cvtColor(sighting.picture, cv.COLOR_RGB2BGR)
        _, content = cv.imencode(".jpg", pixels, (cv.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        return FeedPicture(sighting.index, sighting.captured_at, _find_capture(sighting), content.tobytes())

    @property
    def _is_watched(self) -> bool:
        return self._picture_watchers > 0 or time.monotonic() - self._watched_s < LINGER_S

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            waiter.wake()

    # The clients' side, on any event loop.

    @property
    def state(self) -> str:
        """State of the camera: open, lost, ended, or `starting` before it was opened."""
        return self.change.event.state if self.change and isinstance(self.change.event, CameraChange) else "starting"

    def describe_state(self) -> dict[str, Any]:
        """Describe the current state as one JSON document: the keep-alive event of `/v1/live`."""
        newest = self.sighting.event if self.sighting else None
        seen = isinstance(newest, Sighting)
        return {
            "event": "alive",
            "source": self.source,
            "state": self.state,
            "captured_at": format_time(newest.captured_at) if seen else None,
            "age_s": round(time.monotonic() - self._captured_s, 3) if seen else None,
        }

    def events_after(self, version: int) -> list[FeedEvent]:
        """Return the newest event of each kind that is newer than this version, in order of arrival."""
        with self._lock:
            notes = [note for note in (self.change, self.sighting) if note is not None and note.version > version]
        return sorted(notes, key=lambda note: note.version)

    async def wait_for_events(self, version: int, timeout_s: float) -> list[FeedEvent]:
        """Wait for events after this version; return none when the time or the server is over."""
        await self._wait_until(lambda: bool(self.events_after(version)), timeout_s)
        return self.events_after(version)

    async def wait_for_picture(self, after: int | None, timeout_s: float) -> FeedPicture | None:
        """Wait for a picture other than that of frame `after`; None when time, camera or server are over first.

        Not only a later one: when the loop restarts, it counts from 0 again.
        """

        def find() -> FeedPicture | None:
            return self.picture if self.picture and self.picture.index != after else None

        # A picture that was not requested is old by now: without `after`, too, the next one is meant.
        if after is None:
            after = self.picture.index if self.picture else None
        with self._watching_pictures():
            await self._wait_until(lambda: find() is not None or self.state in {"lost", "ended"}, timeout_s)
        return find()

    @contextmanager
    def _watching_pictures(self) -> Iterator[None]:
        with self._lock:
            self._picture_watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._picture_watchers -= 1
                self._watched_s = time.monotonic()

    async def _wait_until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        waiter = _Waiter()
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_over:
                    waiter = _Waiter()
                    # Register first, then check: an event in between wakes the waiter.
                    with self._lock:
                        self._waiting.add(waiter)
                    if self.is_over or holds():
                        return
                    await waiter.woken.wait()
        except TimeoutError:
            return
        finally:
            with self._lock:
                self._waiting.discard(waiter)


def _find_capture(sighting: Sighting) -> float:
    """Return when the frame was taken by the monotonic clock, for an event that has just arrived."""
    return time.monotonic() - sighting.latency_ms / 1000


class _Waiter:
    """A client that waits on an event loop, woken from another thread."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        # A loop that is closed by now has no more clients waiting.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.woken.set)
