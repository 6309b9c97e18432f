"""What the live loop knows of a sink."""

from typing import Literal, Protocol

from ..errors import EdgeMnistError
from ..live.events import Event

# What becomes of events that come faster than a sink takes them: only the newest waits, or as many as there is room
# for, the oldest lost first.
Backlog = Literal["newest", "all"]


class SinkError(EdgeMnistError):
    """A sink cannot be set up; the message says why and what to do."""


class Sink(Protocol):
    """Takes events on a thread of its own, so that a slow one keeps nobody waiting.

    Attributes:
        name: What people call it, e.g. `mqtt://broker/digits`.
        backlog: What becomes of events that it is too slow for.
    """

    name: str
    backlog: Backlog

    def wants_picture(self) -> bool:
        """Whether the next frame should come with its picture. Asked for every frame, on the loop's thread: quick."""
        ...

    def take(self, event: Event) -> None:
        """Deal with one event; on the sink's own thread, in order."""
        ...

    def close(self) -> None:
        """Finish: on the sink's own thread, after the last event."""
        ...
