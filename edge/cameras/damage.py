"""Count damaged pictures of a camera, which are left out, and log them rarely.

A camera with a bad cable may damage one picture in three, thirty a second: a line for each would fill a disk.
"""

import logging

log = logging.getLogger(__name__)


class DamageCounter:
    """A counter of the pictures of one camera that were left out.

    Attributes:
        count: Number so far.
    """

    def __init__(self, shown: str) -> None:
        """Count for the camera of this name; the caller masks passwords in names."""
        self.count = 0
        self._shown = shown
        self._next = 1

    def add(self, reason: str = "") -> None:
        """Count one picture; the first is logged, the tenth, the hundredth and so on."""
        self.count += 1
        if self.count < self._next:
            return
        self._next *= 10
        because = f" ({reason})" if reason else ""
        what = "a damaged picture was" if self.count == 1 else f"{self.count:,} damaged pictures so far were"
        log.warning("%s: %s left out%s.", self._shown, what, because)
