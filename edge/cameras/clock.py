"""When a frame was taken, and when the next one of a file is due."""

import time

# A camera's time stamp that is older than this is of another clock.
OLDEST_FRAME_S = 10.0


def trust_or_now(captured_s: float) -> float:
    """A time stamp of `time.monotonic()`, or now where it cannot be one: in the future, or long ago."""
    now = time.monotonic()
    return captured_s if 0 <= now - captured_s <= OLDEST_FRAME_S else now


class Pace:
    """Keeps frames apart: each is due one period after the one before was; what a long pause missed is not made up."""

    def __init__(self, fps: float) -> None:
        """At most so many frames per second; 0 is as many as there are."""
        self._period_s = 1 / fps if fps else 0.0
        self._due_s: float | None = None

    def wait(self) -> None:
        """Sleep until the next frame is due; the first one is at once."""
        now = time.monotonic()
        due_s = now if self._due_s is None else self._due_s
        if due_s > now:
            time.sleep(due_s - now)
        # A frame that is late by less than a period leaves the next one its time, so that the rate holds on average.
        self._due_s = max(due_s + self._period_s, now)
