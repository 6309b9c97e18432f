"""Pictures of a camera that came damaged: they are left out and counted, and that is logged rarely.

A camera with a bad cable damages one in three, thirty a second: a line for each would fill a disk.
"""

import logging

log = logging.getLogger(__name__)


class DamageCounter:
    """How many pictures of one camera were left out.

    Attributes:
        count: So far.
    """

    def __init__(self, shown: str) -> None:
        """Count for the camera of this name; names with passwords are masked by the caller."""
        self.count = 0
        self._shown = shown
        self._next = 1

    def add(self, reason: str = "") -> None:
        """Count one; the first is logged, the tenth, the hundredth and so on."""
        self.count += 1
        if self.count < self._next:
            return
        self._next *= 10
        because = f" ({reason})" if reason else ""
        what = "a damaged picture was" if self.count == 1 else f"{self.count:,} damaged pictures so far were"
        log.warning("%s: %s left out%s.", self._shown, what, because)
