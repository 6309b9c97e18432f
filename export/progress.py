"""What a long export is doing: a bar for people at a terminal, a line a step for logs."""

import sys
from types import TracebackType

from ..edge.output import echo
from ..edge.progress_bar import ProgressBar


class Progress:
    """Counts the steps of an export on standard error."""

    def __init__(self, steps: int) -> None:
        self._bar = ProgressBar(total=steps, unit="step", bar_format="{l_bar}{bar}| {elapsed}")
        self._started = False

    def step(self, text: str) -> None:
        """Say what begins now; the step before it is done."""
        if not sys.stderr.isatty():
            echo(f"{text} …", err=True)
        self._bar.update(int(self._started))
        # Draws in any case, the update only when the last drawing is a while ago.
        self._bar.set_description(text)
        self._started = True

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
