"""How many a second, over the last seconds."""

import time
from collections import deque

WINDOW_S = 3.0
# Counts are noted this often at most, so that what is kept stays small however fast they grow.
NOTED_EVERY_S = 0.1


class Rate:
    """Of a count that grows."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()

    def per_second(self, count: int) -> float:
        """Over the last seconds, or since the last call if that is longer ago; 0 at the first call."""
        now = time.monotonic()
        noted = self._noted
        while len(noted) > 1 and noted[1][0] < now - WINDOW_S:
            noted.popleft()
        if not noted:
            noted.append((now, count))
            return 0.0
        then, before = noted[0]
        if now - noted[-1][0] >= NOTED_EVERY_S:
            noted.append((now, count))
        return (count - before) / (now - then) if now > then else 0.0
