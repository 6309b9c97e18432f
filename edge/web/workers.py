"""The threads that read: clients take turns, and nobody waits for a thread when the server stops.

`ThreadPoolExecutor` serves in order of arrival, so that one client's queue is everybody's, and the end of the process
waits for its threads: a picture can take seconds.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, TypeVar

from ..ending import start_abandonable
from .refusals import RefusedError

Result = TypeVar("Result")


class Workers:
    """Daemon threads that run jobs, one of each waiting client in turn."""

    def __init__(self, threads: int) -> None:
        self._changed = threading.Condition()
        # By client, the one whose turn it is first.
        self._waiting: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._running: set[Future[Any]] = set()
        self._closed = False
        for _ in range(threads):
            start_abandonable(threading.Thread(target=self._work, name="web reader", daemon=True))

    def submit(self, client: str, job: Callable[[], Result]) -> Future[Result]:
        """Run a job when it is this client's turn; the result raises what the job does, or `RefusedError`."""
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(_stopping())
            else:
                self._waiting.setdefault(client, deque()).append((future, job))
                self._changed.notify()
        return future

    def close(self) -> None:
        """Refuse what waits and what runs, at once; a job that runs goes on, and its result is dropped."""
        with self._changed:
            self._closed = True
            waiting = [future for jobs in self._waiting.values() for future, _ in jobs]
            self._waiting.clear()
            self._changed.notify_all()
            abandoned = [*self._running, *waiting]
        for future in abandoned:
            _settle(future.set_exception, _stopping())

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            future, job = taken
            try:
                result = job()
            except BaseException as error:
                _settle(future.set_exception, error)
            else:
                _settle(future.set_result, result)
            with self._changed:
                self._running.discard(future)

    def _take(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """The next job; None at the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return None
                client, jobs = self._waiting.popitem(last=False)
                future, job = jobs.popleft()
                if jobs:
                    self._waiting[client] = jobs
                # A client that left has cancelled.
                if future.set_running_or_notify_cancel():
                    self._running.add(future)
                    return future, job


def _settle(settle: Callable[[Any], None], outcome: object) -> None:
    """Settle a future, unless it was settled or cancelled before."""
    with suppress(InvalidStateError):
        settle(outcome)


def _stopping() -> RefusedError:
    return RefusedError(503, "stopping", "The server is stopping: try again when it is back.", retry_after_s=1)
