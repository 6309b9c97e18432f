"""Start a process for a job, and describe any failure of it in one sentence.

A model that crashes natively, hangs or returns nonsense ends its own process and nothing else.
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

from ...edge.common.processes.child import Limits, StandardError, ended, explain_end, limit_command
from ...edge.common.processes.child_start import EXIT_UNAVAILABLE
from ...edge.common.scratch import scratch_folder
from ..errors import BenchmarkError
from .job import JobFolder

# The slowest boards take half a minute to import TensorFlow. Uninterrupted timing adds to this.
SILENCE_S = 90.0
POLL_S = 2.0
# Five times the memory that TensorFlow takes with the largest model of the zoo.
MEMORY_BYTES = 4_000_000_000

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Launcher:
    """The way to start a worker.

    Attributes:
        python: The Python interpreter.
        module: The module to run.
        environment: Variables that are added to the current environment.
        has_lasting_children: Whether the worker starts processes that it does not wait for, as a browser does. Their
            time is not attributed to us, so they look like other users' processes.
        memory_bytes: Memory limit; 0 if the system cannot count it, as on a GPU and in a browser.
    """

    python: str = sys.executable
    module: str = "edge_mnist.benchmarks.measuring.worker"
    environment: Mapping[str, str] = field(default_factory=dict)
    has_lasting_children: bool = False
    memory_bytes: int = MEMORY_BYTES


def run_worker(
    launcher: Launcher, job: msgspec.Struct, answer: type[Answer], silence_s: float | None = None
) -> tuple[Answer, NDArray[np.float32] | None]:
    """Run a job in a fresh process.

    Args:
        launcher: Starts `python -P -m MODULE FOLDER`, which reads the job from the folder.
        job: The job, written as JSON.
        answer: The type to decode the answer's JSON into.
        silence_s: Longest time in seconds without a sign of life; None for `SILENCE_S`.

    Returns:
        The answer, and the logits, float32 [N, 10], if the worker wrote any.

    Raises:
        BenchmarkError: The worker could not start, crashed, hung, or gave no readable answer.
    """
    with scratch_folder() as folder:
        job_folder = JobFolder(folder)
        job_folder.job.write_bytes(msgspec.json.encode(job))
        _run(launcher, folder, job_folder, SILENCE_S if silence_s is None else silence_s)
        try:
            logits = np.load(job_folder.logits, allow_pickle=False) if job_folder.logits.exists() else None
            return msgspec.json.decode(job_folder.answer.read_bytes(), type=answer), logits
        except FileNotFoundError as error:
            raise BenchmarkError("ended without an answer") from error
        except Exception as error:
            # A malicious file may have taken the process over, so its answer can be anything.
            raise BenchmarkError(f"gave an answer that cannot be read ({error})") from error


def _run(launcher: Launcher, folder: Path, job_folder: JobFolder, silence_s: float) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: a random.py in the current folder must not be imported.
            limit_command([launcher.python, "-P", "-m", launcher.module, str(folder)], Limits(launcher.memory_bytes)),
            env={**os.environ, **launcher.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchmarkError(f"{sys.executable} cannot be started ({error.strerror})") from error
    with ended(process) as listener:
        _wait_for(process, listener, job_folder, silence_s)
    if process.returncode == EXIT_UNAVAILABLE:
        raise BenchmarkError((listener.end().strip().splitlines() or ["no message"])[-1])
    if process.returncode:
        raise BenchmarkError(explain_end(process.returncode, listener.end()))


def _wait_for(
    process: subprocess.Popen[bytes], listener: StandardError, job_folder: JobFolder, silence_s: float
) -> None:
    """Wait for the process to end, which closes its standard error.

    Polling the process would disturb what it measures.
    """
    beat, alive = job_folder.last_sign_of_life_ns(), time.monotonic()
    while listener.is_alive():
        listener.join(min(POLL_S, silence_s))
        if process.poll() is not None:
            # Its own child processes may hold standard error open for ever.
            return
        if job_folder.last_sign_of_life_ns() != beat:
            beat, alive = job_folder.last_sign_of_life_ns(), time.monotonic()
        elif time.monotonic() - alive > silence_s:
            raise BenchmarkError(f"does not respond: no progress for {silence_s:g} s")
    try:
        process.wait(silence_s)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"does not respond: no progress for {silence_s:g} s") from error
