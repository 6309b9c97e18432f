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
        # Of the frame before: when it was due, and when it was there.
        self._due_s = self._there_s = float("-inf")

    def wait(self, period_s: float | None = None) -> None:
        """Sleep until the next frame is due; the first one is at once.

        Args:
            period_s: Between the frame before and this one, where frames have times of their own.
        """
        now = time.monotonic()
        # A frame that is late by less than a period leaves the next one its time, so that the rate holds on average.
        due_s = max(self._due_s + (self._period_s if period_s is None else period_s), self._there_s)
        if due_s > now:
            time.sleep(due_s - now)
        self._due_s, self._there_s = (due_s, now) if due_s > float("-inf") else (now, now)
