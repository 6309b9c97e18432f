"""Deliver events to a sink: a thread of the sink's own, and a bounded queue before it.

The loop adds an event and continues, even if the sink is slow, hangs, or fails.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from ..common.errors import EdgeMnistError, format_error
from .events import CameraChange, Event, Sighting

# What happens to events that arrive faster than a sink takes them: only the newest waits, or as many as there is room
# for, the oldest lost first.
Backlog = Literal["newest", "all"]


class SinkError(EdgeMnistError):
    """A sink cannot be set up; the message says why and what to do."""


class Sink(Protocol):
    """A receiver of events, on its own thread, so that a slow one delays nothing.

    Attributes:
        name: Name for people, e.g. `mqtt://broker/digits`.
        backlog: What happens to events that it is too slow for.
    """

    name: str
    backlog: Backlog

    def wants_picture(self) -> bool:
        """Whether the next frame should come with its picture. Called for every frame, on the loop's thread: fast."""
        ...

    def take(self, event: Event) -> None:
        """Process one event, on the sink's own thread, in order."""
        ...

    def close(self) -> None:
        """Finish, on the sink's own thread, after the last event."""
        ...


# Repeated failures of a sink, e.g. on a disk that is full now and then, are not reported more often.
REPORT_AGAIN_S = 60.0
# Share of the closing time for events that still wait. The rest is the sink's own, e.g. to end a file.
FLUSH_SHARE = 0.5

_logger = logging.getLogger(__name__)


class SinkThread:
    """A thread that runs a sink.

    A sink whose backlog is `newest` finds at most two events waiting: the newest change of the camera and the newest
    sighting. `is_new` of a sighting then means that the announcement changed since the last one that the sink took. A
    sighting with a picture is only replaced by a newer one with a picture, or with a new announcement.

    A sink whose backlog is `all` gets every event without its picture, as long as no more than `capacity` wait. Then
    the oldest sighting without a new announcement is lost first, and if there is none, the oldest event.

    After an OSError, e.g. because the disk is full, the sink tries again with the next event. Any other exception ends
    the sink. Both are logged once.

    Attributes:
        dropped: Events lost because too many waited or there was no time left to flush them; 0 for `newest`.
        broken: Why the sink does not work; None as long as it does.
        failures: Number of failures; each time an event was lost, or the end of a file.
    """

    def __init__(self, sink: Sink, capacity: int = 1000) -> None:
        """Start the sink's thread.

        Args:
            sink: Sink that only this thread uses from now on, except for `wants_picture`.
            capacity: Events that may wait, for backlog `all`; 1 or more.
        """
        self.sink = sink
        self.broken: str | None = None
        self.failures = 0
        self._backlog: _Backlog = _NewestQueue() if sink.backlog == "newest" else _BoundedQueue(capacity)
        self._changed = threading.Condition()
        self._gave_up = False
        # Set by `start_closing`: the time.monotonic() after which waiting events are no longer taken.
        self._flush_until: float | None = None
        self._reported_s = -REPORT_AGAIN_S
        # A sink that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    @property
    def gave_up(self) -> bool:
        """Whether the sink failed for good."""
        return self._gave_up

    @property
    def dropped(self) -> int:
        """Number of lost events, see the class."""
        return self._backlog.dropped

    def wants_picture(self) -> bool:
        """Whether the sink needs a picture and none waits for it yet, so that a sink that hangs costs nothing."""
        return not self._gave_up and not self._backlog.has_picture and self.sink.wants_picture()

    def put(self, event: Event) -> None:
        """Add an event. Never waits for the sink; ignored if the sink has ended."""
        with self._changed:
            if not self._gave_up and self._flush_until is None:
                self._backlog.put(event)
                self._changed.notify()

    def start_closing(self, timeout_s: float) -> None:
        """Make the sink take waiting events, for half of this time, and close, without waiting for it. Call it once."""
        with self._changed:
            if self._flush_until is None:
                self._flush_until = time.monotonic() + FLUSH_SHARE * timeout_s
                self._changed.notify()

    def close(self, timeout_s: float = 1.0) -> bool:
        """Close the sink after taking as many waiting events as time allows.

        Returns:
            Whether it closed within the time. If not, its thread runs on until it does or the process ends.
        """
        self.start_closing(timeout_s)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._gave_up and (event := self._next()) is not None:
            self._deal_with(event)
        try:
            self.sink.close()
        except Exception as error:
            self._fail(error)

    def _next(self) -> Event | None:
        """Wait for an event; return None when it is time to close."""
        with self._changed:
            self._changed.wait_for(lambda: self._backlog or self._flush_until is not None)
            if self._flush_until is not None and time.monotonic() > self._flush_until:
                self._backlog.drop_all()
            return self._backlog.pop() if self._backlog else None

    def _deal_with(self, event: Event) -> None:
        try:
            self.sink.take(event)
        except OSError as error:
            self.failures += 1
            self._report(f"{self.sink.name}: {error.strerror or error}. It tries again at the next event.")
        except Exception as error:
            self._fail(error)
        else:
            if self.broken is not None:
                _logger.info("%s: works again.", self.sink.name)
                self.broken = None

    def _report(self, text: str) -> None:
        """Log a failure that may pass, unless one was logged recently."""
        if self.broken is None and time.monotonic() - self._reported_s >= REPORT_AGAIN_S:
            _logger.warning(text)
            self._reported_s = time.monotonic()
        self.broken = text

    def _fail(self, error: Exception) -> None:
        """Give up the sink. An unexpected error, a bug of ours, is logged with its traceback."""
        self.failures += 1
        expected = isinstance(error, (EdgeMnistError, OSError))
        text = str(error) if expected else f"{self.sink.name}: {format_error(error)}"
        # Closing it may fail for the same reason.
        if not (self._gave_up and text == self.broken):
            _logger.error("%s This output stops.", text, exc_info=None if expected else error)
        self.broken = text
        with self._changed:
            self._gave_up = True
            self._backlog.drop_all()


def close_sinks(outlets: Sequence[SinkThread], timeout_s: float = 1.0) -> list[SinkThread]:
    """Close all sinks at the same time.

    Returns:
        The sinks that did not close within the time.
    """
    end_s = time.monotonic() + timeout_s
    for outlet in outlets:
        outlet.start_closing(timeout_s)
    return [outlet for outlet in outlets if not outlet.close(max(0.0, end_s - time.monotonic()))]


class _Backlog(Protocol):
    """Events that wait for a sink; guarded by the sink thread's lock."""

    dropped: int

    @property
    def has_picture(self) -> bool: ...
    def __len__(self) -> int: ...
    def put(self, event: Event) -> None: ...
    def pop(self) -> Event: ...
    def drop_all(self) -> None: ...


class _NewestQueue:
    """The newest change of the camera and the newest sighting, in order of arrival."""

    dropped = 0

    def __init__(self) -> None:
        # By type; a dictionary keeps the order in which keys were added.
        self._waiting: dict[type[Event], Event] = {}

    @property
    def has_picture(self) -> bool:
        sighting = self._waiting.get(Sighting)
        return isinstance(sighting, Sighting) and sighting.picture is not None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event) -> None:
        older = self._waiting.get(type(event))
        if isinstance(event, Sighting) and isinstance(older, Sighting) and not event.is_new:
            # While a picture waits, no other is requested: the frames that follow come without.
            if older.picture is not None and event.picture is None:
                return
            if older.is_new:
                event = replace(event, is_new=True)
        self._waiting.pop(type(event), None)
        self._waiting[type(event)] = event

    def pop(self) -> Event:
        return self._waiting.pop(next(iter(self._waiting)))

    def drop_all(self) -> None:
        self._waiting.clear()


class _BoundedQueue:
    """Every event up to a capacity."""

    has_picture = False  # pictures are removed

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity of 1 or more, got {capacity}.")
        self.dropped = 0
        self._capacity = capacity
        self._count = 0
        # Each with its place in the order; separate, because sightings without a new announcement are lost first.
        self._news: deque[tuple[int, Event]] = deque()
        self._others: deque[tuple[int, Event]] = deque()

    def __len__(self) -> int:
        return len(self._news) + len(self._others)

    def put(self, event: Event) -> None:
        is_news = isinstance(event, CameraChange) or event.is_new
        # A thousand pictures that wait for a slow disk would be a gigabyte.
        if isinstance(event, Sighting) and event.picture is not None:
            event = replace(event, picture=None)
        self._count += 1
        (self._news if is_news else self._others).append((self._count, event))
        if len(self) > self._capacity:
            (self._others or self._news).popleft()
            self.dropped += 1

    def pop(self) -> Event:
        older = min((waiting for waiting in (self._news, self._others) if waiting), key=lambda waiting: waiting[0][0])
        return older.popleft()[1]

    def drop_all(self) -> None:
        self.dropped += len(self)
        self._news.clear()
        self._others.clear()
