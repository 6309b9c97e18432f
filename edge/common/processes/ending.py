"""End the process while threads are still inside native code.

A picture is decoded, a camera's driver hangs: nothing waits for such a thread. Python's normal exit removes the
interpreter while the thread runs, and native code that then returns ends the process with a signal
(https://github.com/python/cpython/issues/87135). So if such a thread still runs, the process skips that part.
"""

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from weakref import WeakSet

from ..terminal.output import echo

ENDS_WITHIN_S = 1.0

_abandonable: WeakSet[threading.Thread] = WeakSet()


def start_abandonable(thread: threading.Thread) -> threading.Thread:
    """Start a daemon thread that may still be inside native code when the process ends."""
    _abandonable.add(thread)
    thread.start()
    return thread


def end_process(code: object) -> None:
    """End the process now if a thread still runs that Python could not end, or would wait for; otherwise return.

    Threads that are not daemons have `ENDS_WITHIN_S` seconds to end by themselves.

    Args:
        code: Exit code as of `SystemExit`: None, a number, or a message.
    """
    deadline = time.monotonic() + ENDS_WITHIN_S
    waited_for = [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    for thread in waited_for:
        thread.join(max(0, deadline - time.monotonic()))
    if not any(thread.is_alive() for thread in (*_abandonable, *waited_for)):
        return
    if not isinstance(code, int | None):
        echo(code, err=True)
        code = 1
    end_now(code or 0)


def end_now(code: int) -> None:
    """End the process without waiting for threads; printed and logged text is written first."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # A stream that was closed, or whose reader left, cannot be flushed.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
