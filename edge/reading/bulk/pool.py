"""Read on all cores: processes with a reader each, results in the order of the inputs, memory bounded.

Only a few chunks of inputs are with the processes at any time, and none is listed before it is needed. A picture that
ends its process, for example because memory runs out, is found by reading the lost inputs alone, and fails by itself.
"""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Generic, Protocol, TypeVar

from ...common.errors import EdgeMnistError
from ...media.lazy_sources import NamedInput
from ..reader import Reader
from .worker import ReaderSettings, read_chunk, start_worker

# Pixels of the pictures that are sent to a process at once: some tens of milliseconds of work.
CHUNK_PIXELS = 4_000_000
MOST_IN_CHUNK = 64
# Chunks with the processes for each of them: one is read, the others wait.
CHUNKS_PER_JOB = 4
# If as many inputs in a row each end their process, the fault is not theirs.
MOST_LOST = 5
LOST = "the process that read it ended unexpectedly. It may need more memory than there is, or crash a decoder."


class CountsPixels(Protocol):
    """The result of one input."""

    @property
    def pixels(self) -> int:
        """Pixels that were read."""
        ...


Result = TypeVar("Result", bound=CountsPixels)
Chunk = list[NamedInput]


class ChunkSizer:
    """The number of inputs to send at once, by the pixels of those that were read."""

    def __init__(self) -> None:
        self._inputs = self._pixels = 0

    def add(self, results: Iterable[CountsPixels]) -> None:
        """Count results."""
        for result in results:
            self._inputs += 1
            self._pixels += result.pixels

    @property
    def size(self) -> int:
        """Inputs that have about CHUNK_PIXELS; 1 before anything is known."""
        if not self._inputs:
            return 1
        return max(1, min(MOST_IN_CHUNK, CHUNK_PIXELS * self._inputs // max(1, self._pixels)))


class WorkerPool(Generic[Result]):
    """Processes that read inputs with one function."""

    def __init__(
        self,
        jobs: int,
        settings: ReaderSettings,
        read: Callable[[Reader, NamedInput], Result],
        fail: Callable[[NamedInput, str], Result],
    ) -> None:
        """Start as many processes as jobs, when the first input comes.

        Args:
            jobs: Number of processes, 1 or more.
            settings: How each process loads its reader.
            read: Function of a module that reads an input.
            fail: Function that makes the result of an input whose process ended, from the reason.
        """
        self._jobs = jobs
        self._settings = settings
        self._read = read
        self._fail = fail
        self._sizer = ChunkSizer()
        self._lost_in_a_row = 0
        self._executor = self._start()

    def read(self, inputs: Iterable[NamedInput]) -> Iterator[tuple[NamedInput, Result]]:
        """Yield each input with its result, in order.

        Raises:
            EdgeMnistError: The processes end whatever they read.
        """
        left = iter(inputs)
        sent: deque[tuple[Chunk, Future[list[Result]]]] = deque()
        while True:
            while len(sent) < CHUNKS_PER_JOB * self._jobs and (chunk := list(itertools.islice(left, self._sizer.size))):
                sent.append((chunk, self._send(chunk)))
            if not sent:
                return
            chunk, future = sent.popleft()
            try:
                results = future.result()
            except BrokenProcessPool:
                # The executor settles all of them now: some were read before, the others are lost.
                lost = [waiting.exception() is not None for _, waiting in sent]
                self._restart()
                results = [self._read_alone(item) for item in chunk]
                sent = deque(
                    (other, self._send(other) if is_lost else waiting)
                    for (other, waiting), is_lost in zip(sent, lost, strict=True)
                )
            self._sizer.add(results)
            yield from zip(chunk, results, strict=True)

    def close(self) -> None:
        """End the processes at once."""
        processes = list((self._executor._processes or {}).values())  # the public way is new in Python 3.14
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with contextlib.suppress(ValueError):
                process.kill()
        for process in processes:
            with contextlib.suppress(ValueError):
                process.join()

    def _restart(self) -> None:
        self.close()
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._jobs, get_context("spawn"), initializer=start_worker, initargs=(os.getpid(), self._settings)
        )

    def _send(self, chunk: Chunk) -> "Future[list[Result]]":
        try:
            return self._executor.submit(read_chunk, self._read, chunk)
        except BrokenProcessPool as error:
            failed: Future[list[Result]] = Future()
            failed.set_exception(error)
            return failed

    def _read_alone(self, item: NamedInput) -> Result:
        """Read one input while no other is being read."""
        try:
            (result,) = self._executor.submit(read_chunk, self._read, [item]).result()
        except BrokenProcessPool as error:
            self._lost_in_a_row += 1
            if self._lost_in_a_row == MOST_LOST:
                raise EdgeMnistError(
                    f"{MOST_LOST} processes in a row ended unexpectedly. Free memory, or start fewer: --jobs 1."
                ) from error
            self._restart()
            return self._fail(item, LOST)
        self._lost_in_a_row = 0
        return result
