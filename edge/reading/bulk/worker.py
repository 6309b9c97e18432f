"""One process of a large job: a reader on one thread, which reads what it is sent until its parent ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2

from ...bundle.contract import Precision
from ...common.processes.child_start import PR_SET_PDEATHSIG
from ...media.lazy_sources import NamedInput
from ..reader import Reader

Result = TypeVar("Result")


@dataclass(frozen=True)
class ReaderSettings:
    """How to load the reader, see `Reader`."""

    bundle: Path | str
    runtime: str | None = None
    precision: Precision = "int8"
    threads: int = 1
    explain: bool = False

    def load(self) -> Reader:
        """Load the reader; raises the errors of `Reader`."""
        return Reader(self.bundle, self.runtime, self.precision, self.threads, self.explain)


_loaded: list[Reader] = []


def start_worker(parent: int, settings: ReaderSettings) -> None:
    """Load the reader; end with the parent, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("its parent process has already ended")
    # All processors have a process of their own.
    cv2.setNumThreads(1)
    _loaded.append(settings.load())


def read_chunk(read: Callable[[Reader, NamedInput], Result], items: Sequence[NamedInput]) -> list[Result]:
    """Read inputs one after the other."""
    return [read(_loaded[0], item) for item in items]
