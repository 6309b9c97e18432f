"""Start a process for a job, and make one sentence of whatever becomes of it.

A model that crashes natively, hangs or answers nonsense takes its own process along and nothing else.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.common.errors import EdgeMnistError
from ...edge.common.processes.child import Limits, StandardError, bounded, ended, explain_end
from ...edge.common.processes.child_start import EXIT_UNAVAILABLE
from ...edge.common.scratch import scratch_folder
from .job import JobFolder

# The slowest boards take half a minute to import TensorFlow. What a job asks to be timed without a pause comes on top.
SILENCE_S = 90.0
LOOK_S = 2.0
# Five times what TensorFlow takes with the largest model of the zoo.
MEMORY_BYTES = 4_000_000_000

Answer = TypeVar("Answer")


class WorkerError(EdgeMnistError):
    """A process did not answer; the message says why in a few words."""


@dataclass(frozen=True)
class Launcher:
    """How a worker is started.

    Attributes:
        python: The interpreter.
        module: What it runs.
        environment: What is added to ours.
        outlived: Whether it starts processes that nobody waits for, as a browser does: the system never counts their
            time as ours, and they look like other people's.
        memory_bytes: What it may take; 0 where the system cannot count it, as on a GPU and in a browser.
    """

    python: str = sys.executable
    module: str = "edge_mnist.benchmarks.measuring.worker"
    environment: Mapping[str, str] = field(default_factory=dict)
    outlived: bool = False
    memory_bytes: int = MEMORY_BYTES


def run_worker(
    launcher: Launcher, job: msgspec.Struct, answer: type[Answer], silence_s: float | None = None
) -> tuple[Answer, NDArray[np.float32] | None]:
    """Have a job done in a fresh process.

    Args:
        launcher: Starts `python -P -m MODULE FOLDER`, which reads the job from the folder's desk.
        job: As JSON.
        answer: What is to be made of the answer's JSON.
        silence_s: How long it may show no sign of life; None for `SILENCE_S`.

    Returns:
        The answer, and the logits, float32 [N, 10], if the worker left any.

    Raises:
        WorkerError: It could not start, crashed, hung, or gave no answer that can be read.
    """
    with scratch_folder() as folder:
        desk = JobFolder(folder)
        desk.job.write_bytes(msgspec.json.encode(job))
        _run(launcher, folder, desk, SILENCE_S if silence_s is None else silence_s)
        try:
            logits = np.load(desk.logits, allow_pickle=False) if desk.logits.exists() else None
            return msgspec.json.decode(desk.answer.read_bytes(), type=answer), logits
        except FileNotFoundError as error:
            raise WorkerError("ended without an answer") from error
        except Exception as error:
            # A file may have taken the process over: what it left is anybody's.
            raise WorkerError(f"gave an answer that cannot be read ({error})") from error


def _run(launcher: Launcher, folder: Path, desk: JobFolder, silence_s: float) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: a random.py in the current folder is not to be imported.
            bounded([launcher.python, "-P", "-m", launcher.module, str(folder)], Limits(launcher.memory_bytes)),
            env={**os.environ, **launcher.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"{sys.executable} cannot be started ({error.strerror})") from error
    with ended(process) as listener:
        _await(process, listener, desk, silence_s)
    if process.returncode == EXIT_UNAVAILABLE:
        raise WorkerError((listener.end().strip().splitlines() or ["no message"])[-1])
    if process.returncode:
        raise WorkerError(explain_end(process.returncode, listener.end()))


def _await(process: subprocess.Popen[bytes], listener: StandardError, desk: JobFolder, silence_s: float) -> None:
    """Wait for its end, which is the end of its standard error.

    To ask again and again whether it lives would disturb what it measures.
    """
    beat, alive = desk.last_sign_of_life_ns(), time.monotonic()
    while listener.is_alive():
        listener.join(min(LOOK_S, silence_s))
        if process.poll() is not None:
            # What it left behind may hold standard error open for ever.
            return
        if desk.last_sign_of_life_ns() != beat:
            beat, alive = desk.last_sign_of_life_ns(), time.monotonic()
        elif time.monotonic() - alive > silence_s:
            raise WorkerError(f"hangs: no sign of life for {silence_s:g} s")
    try:
        process.wait(silence_s)
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"hangs: no sign of life for {silence_s:g} s") from error
