"""Progress bars on standard error, for people who wait at a terminal."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from tqdm import tqdm

from .output import stream_beneath
from .text import one_line

Item = TypeVar("Item")


class ProgressBar(tqdm, Generic[Item]):
    """A bar that shows control characters in names as escapes, and disappears when the work is done."""

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
        """Show the bar, unless standard error is not a terminal.

        Args:
            items: Items to iterate over; without them, `update` reports the progress.
            label: Text before the bar.
            total: Number of steps.
            unit: Name of one step.
            unit_scale: Whether numbers are shown with k, M and so on.
            bar_format: Format of the bar, see tqdm.
            is_hidden: Whether the bar is not shown at all.
        """
        super().__init__(
            items,
            label,
            total,
            unit=unit,
            unit_scale=unit_scale,
            bar_format=bar_format,
            leave=False,
            disable=is_hidden or None,
            file=stream_beneath(sys.stderr),
        )

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items; tqdm has no type for them."""
        return super().__iter__()

    def __str__(self) -> str:
        """Return the drawn text, without the cursor movements around it."""
        return one_line(super().__str__())


@contextmanager
def above_bars() -> Iterator[None]:
    """Print within the block: bars are removed first and drawn again below."""
    with ProgressBar.external_write_mode(file=stream_beneath(sys.stderr)):
        yield
