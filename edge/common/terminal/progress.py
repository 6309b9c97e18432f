"""Progress on standard error: a bar for people at a terminal, a line every few seconds for pipes and logs."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from .output import stream_beneath
from .text import one_line
from .verbosity import is_quiet

Item = TypeVar("Item")
# Between two lines in a pipe or log; work that takes less time prints none.
LINE_EVERY_S = 5.0
DRAW_EVERY_S = 0.1


class ProgressBar(tqdm, Generic[Item]):
    """A bar that shows control characters in names as escapes, and disappears when the work is done.

    Where standard error is not a terminal, a line is printed every `LINE_EVERY_S` seconds instead.
    """

    def __init__(
        self,
        items: Iterable[Item] | None = None,
        label: str = "",
        *,
        total: int | None = None,
        unit: str = "it",
        unit_scale: bool = False,
        bar_format: str | None = None,
        is_hidden: bool = False,
    ) -> None:
        """Show the bar, unless the command is quiet.

        Args:
            items: Items to iterate over; without them, `update` reports the progress.
            label: Text before the bar.
            total: Number of steps.
            unit: Name of one step.
            unit_scale: Whether numbers are shown with k, M and so on.
            bar_format: Format of the bar, see tqdm.
            is_hidden: Whether the bar is not shown at all.
        """
        stream = stream_beneath(sys.stderr)
        self._is_plain = stream is None or not stream.isatty()
        self._printed_s = time.monotonic()
        super().__init__(
            items,
            label,
            total,
            unit=unit,
            unit_scale=unit_scale,
            bar_format=bar_format,
            leave=False,
            mininterval=min(DRAW_EVERY_S, LINE_EVERY_S),
            disable=is_hidden or is_quiet() or stream is None,
            file=stream,
        )

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items; tqdm has no type for them."""
        return super().__iter__()

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draw the bar, or print a line if it is time for one."""
        if not self._is_plain:
            return super().display(msg, pos)
        now_s = time.monotonic()
        if msg is None and now_s - self._printed_s >= LINE_EVERY_S:
            self._printed_s = now_s
            self.fp.write(f"{one_line(self._describe())}\n")
            self.fp.flush()
        return None

    def clear(self, nolock: bool = False) -> None:
        """Remove the bar; lines stay."""
        if not self._is_plain:
            super().clear(nolock)

    def _describe(self) -> str:
        """Describe the progress without a bar: `epoch 3/12: 40 %, 0:08 passed, 0:12 left`."""
        facts = self.format_dict
        done, total, passed_s, label = facts["n"], facts["total"], facts["elapsed"], facts["prefix"].rstrip(": ")
        head = f"{label}: " if label else ""
        if not total:
            return f"{head}{self.format_sizeof(done)}{facts['unit']}, {self.format_interval(passed_s)} passed"
        left = f", {self.format_interval(passed_s * (total - done) / done)} left" if done else ""
        return f"{head}{100 * done / total:.0f} %, {self.format_interval(passed_s)} passed{left}"

    def __str__(self) -> str:
        """Return the drawn text, without the cursor movements around it."""
        return one_line(super().__str__())


@contextmanager
def above_bars() -> Iterator[None]:
    """Print within the block: bars are removed first and drawn again below."""
    with ProgressBar.external_write_mode(file=stream_beneath(sys.stderr)):
        yield
