"""The server's readers: a few threads, each with its own, and a short queue before them.

A request may choose among models, runtimes and precisions. Combinations that are never requested are not loaded, to
save memory on small machines.
"""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..bundle.contract import Precision
from ..bundle.folder import Bundle, open_bundle
from ..common.errors import EdgeMnistError
from ..common.processes.ending import start_abandonable
from ..media.pictures import PictureError, read_gray
from ..reading.reader import Reader, Reading
from ..runtimes.registry import RUNTIMES, choose_runtime
from .errors import RequestRefusedError
from .protection.limits import Slots, count_pixels
from .settings import WebLimits

Result = TypeVar("Result")


class Workers:
    """Daemon threads that run jobs, one of each waiting client in turn."""

    def __init__(self, threads: int) -> None:
        self._changed = threading.Condition()
        # By client; the next to be served is first.
        self._waiting: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._running: set[Future[Any]] = set()
        self._closed = False
        for _ in range(threads):
            start_abandonable(threading.Thread(target=self._work, name="web reader", daemon=True))

    def submit(self, client: str, job: Callable[[], Result]) -> Future[Result]:
        """Run a job when it is this client's turn; the result raises the job's error, or `RequestRefusedError`."""
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(_stopping())
            else:
                self._waiting.setdefault(client, deque()).append((future, job))
                self._changed.notify()
        return future

    def close(self) -> None:
        """Refuse waiting and running jobs at once; a running job continues, and its result is dropped."""
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
        """Return the next job; None at the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return None
                client, jobs = self._waiting.popitem(last=False)
                future, job = jobs.popleft()
                if jobs:
                    self._waiting[client] = jobs
                # A client that left has cancelled its job.
                if future.set_running_or_notify_cancel():
                    self._running.add(future)
                    return future, job


def _settle(settle: Callable[[Any], None], outcome: object) -> None:
    """Settle a future, unless it was settled or cancelled before."""
    with suppress(InvalidStateError):
        settle(outcome)


def _stopping() -> RequestRefusedError:
    return RequestRefusedError(503, "stopping", "The server is stopping: try again when it is back.", retry_after_s=1)


OFFERED: tuple[Precision, ...] = ("int8", "float32")
NOT_LOADED, PASSED = "not loaded", "passed"


@dataclass(frozen=True)
class ReaderChoice:
    """A way to read: a model's name, a runtime, and the precision of its file."""

    model: str
    runtime: str
    precision: Precision


@dataclass(frozen=True)
class PictureReading:
    """The reading of a picture.

    Attributes:
        choice: Model, runtime and precision that read it.
        reading: Digits of the picture.
        frame_size: Width and height in pixels, upright.
        timing_ms: Milliseconds per stage: wait (for a reader), decode, and the stages of `Reading`.
    """

    choice: ReaderChoice
    reading: Reading
    frame_size: tuple[int, int]
    timing_ms: dict[str, float]


class ReaderPool:
    """A pool of readers on its own threads.

    Attributes:
        bundles: Bundles by the model's name.
        choices: All choices; the first is the default.
        golden: State of each choice: `passed`, `not loaded`, or why it was refused.
        places: Slots for pictures that arrive, wait or are read.
    """

    def __init__(
        self,
        models: Sequence[Path],
        runtimes: Sequence[str],
        precisions: Sequence[Precision],
        threads: int,
        limits: WebLimits,
    ) -> None:
        """Open the bundles; models load when they are used.

        Args:
            models: Folders of bundles, one or more.
            runtimes: Names of the runtimes; empty for all installed ones.
            precisions: Precisions to offer; empty for those of OFFERED that the bundles have.
            threads: Threads that a runtime may use for one inference.
            limits: Limits of the server.

        Raises:
            ModelCardError: A bundle is not valid, or has no requested file.
            RuntimeUnavailableError: A requested runtime is not installed, or none is.
            EdgeMnistError: Two models have the same name.
        """
        opened = [open_bundle(path) for path in models]
        self.bundles = {bundle.card.name: bundle for bundle in opened}
        if len(self.bundles) < len(opened):
            names = ", ".join(bundle.card.name for bundle in opened)
            raise EdgeMnistError(
                f"Models are chosen by name, but two of {names} have the same name: give only one of them."
            )
        self.choices = tuple(choice for bundle in opened for choice in _list_choices(bundle, runtimes, precisions))
        self.golden = dict.fromkeys(self.choices, NOT_LOADED)
        self._threads = threads
        self._megapixels = limits.megapixels
        self.places = Slots(limits.readers + limits.waiting, "busy", "Too many pictures are waiting: try again.")
        self._workers = Workers(limits.readers)
        self._room = _PixelBudget(round(1_000_000 * limits.megapixels))
        self._readers = threading.local()

    def start_loading(self) -> Future[Reader]:
        """Load the default reader; the result raises the errors of `Reader`."""
        return self._workers.submit("", partial(self._find_reader, self.choices[0]))

    def choose(self, model: str | None, runtime: str | None, precision: str | None) -> ReaderChoice:
        """Choose the first choice that matches the request.

        Raises:
            RefusedError: 400, there is none.
        """
        wanted = (self.choices[0].model if model is None else model, runtime, precision)
        for choice in self.choices:
            there = (choice.model, choice.runtime, choice.precision)
            if all(want in {None, have} for want, have in zip(wanted, there, strict=True)):
                return choice
        there = ", ".join(f"{choice.model} {choice.precision} on {choice.runtime}" for choice in self.choices)
        raise RequestRefusedError(
            400, "choice", f"There is no such model, runtime or precision here: choose one of {there}."
        )

    async def read(self, content: bytes, choice: ReaderChoice, client: str) -> PictureReading:
        """Decode and read a picture.

        Raises:
            RefusedError: 413 for too many pixels, 422 for anything but a picture, 503 if the choice cannot be loaded or
                the server stops.
        """
        job = self._workers.submit(client, partial(self._read, content, choice, time.perf_counter()))
        try:
            return await asyncio.wrap_future(job)
        except PictureError as error:
            raise RequestRefusedError(422, "picture", str(error)) from error

    async def use(self, work: Callable[[Reader], Result], choice: ReaderChoice, client: str) -> Result:
        """Run a function with a choice's reader when it is this client's turn.

        Raises:
            RefusedError: 503 if the choice cannot be loaded or the server stops; those of the function.
        """
        return await asyncio.wrap_future(self._workers.submit(client, lambda: work(self._load(choice))))

    def close(self) -> None:
        """Refuse all running and waiting jobs at once."""
        self._workers.close()

    def _read(self, content: bytes, choice: ReaderChoice, asked_s: float) -> PictureReading:
        pixels = count_pixels(content)
        if pixels > self._room.most:
            message = f"The picture has more than {self._megapixels:g} megapixels: scale it down."
            raise RequestRefusedError(413, "pixels", message)
        with self._room.hold(pixels):
            begun_s = time.perf_counter()
            gray = read_gray(content, "The picture")
            decoded_s = time.perf_counter()
            reading = self._load(choice).read(gray)
        height, width = gray.shape
        waited = {"wait": _milliseconds(begun_s - asked_s), "decode": _milliseconds(decoded_s - begun_s)}
        return PictureReading(choice, reading, (width, height), waited | reading.timing_ms)

    def _load(self, choice: ReaderChoice) -> Reader:
        """Find this thread's reader, or refuse the request with the reason why there is none."""
        try:
            return self._find_reader(choice)
        except EdgeMnistError as error:
            raise RequestRefusedError(503, "model", str(error)) from error

    def _find_reader(self, choice: ReaderChoice) -> Reader:
        """Return this thread's reader, because a reader is not shared between threads here."""
        readers: dict[ReaderChoice, Reader] = self._readers.__dict__.setdefault("by_choice", {})
        if choice not in readers:
            try:
                path = self.bundles[choice.model].path
                readers[choice] = Reader(path, choice.runtime, choice.precision, self._threads)
            except EdgeMnistError as error:
                self.golden[choice] = str(error)
                raise
            self.golden[choice] = PASSED
        return readers[choice]


class _PixelBudget:
    """A limit on pixels in memory at the same time; threads wait until there is room."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._used + pixels <= self.most)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()


def _list_choices(bundle: Bundle, runtimes: Sequence[str], precisions: Sequence[Precision]) -> list[ReaderChoice]:
    """List all choices of a bundle and this machine; requested names must be available."""
    names = [choose_runtime(name).name for name in runtimes] or [
        runtime.name for runtime in RUNTIMES.values() if runtime.installed
    ]
    if not names:
        choose_runtime(None)  # raises an error that says what to install
    there = {(file.format, file.precision) for file in bundle.files}
    pairs: list[tuple[str, Precision]] = [(name, precision) for precision in precisions or OFFERED for name in names]
    if not precisions:
        pairs = [pair for pair in pairs if (RUNTIMES[pair[0]].format, pair[1]) in there] or pairs[:1]
    for name, precision in pairs:
        bundle.file(RUNTIMES[name].format, precision)
    return [ReaderChoice(bundle.card.name, name, precision) for name, precision in pairs]


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)
