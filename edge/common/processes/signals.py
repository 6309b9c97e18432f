"""Signals that end a command, handled alike: files are finished and started processes are ended.

Ctrl-C, `kill` and service managers, and a terminal that closes: a closed window, a lost SSH session.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

WITHOUT_KEYBOARD = (signal.SIGTERM, signal.SIGHUP)
ENDS = (signal.SIGINT, *WITHOUT_KEYBOARD)


@contextmanager
def handling_ends(
    handler: Callable[[int, FrameType | None], object], numbers: tuple[signal.Signals, ...] = ENDS
) -> Iterator[None]:
    """Call this handler on the main thread for the signals that end a command, within the block.

    A program that calls us in another thread, or has its own handlers, handles them itself. An ignored signal stays
    ignored, as SIGHUP below `nohup`; but not SIGINT, which shells have ignored by all processes that they start in the
    background.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers} if is_main else {}
    unhandled = {signal.SIG_DFL, signal.default_int_handler}
    ours = {
        number: there
        for number, there in before.items()
        if there in unhandled or (number, there) == (signal.SIGINT, signal.SIG_IGN)
    }
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, there in ours.items():
            signal.signal(number, there)
