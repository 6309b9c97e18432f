"""Start a process for a job, and make one sentence of whatever becomes of it.

A model that crashes natively, hangs or answers nonsense takes its own process along and nothing else.
"""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.errors import EdgeMnistError
from .desk import Desk

EXIT_UNAVAILABLE = 3
# The slowest boards take half a minute to import TensorFlow. What a job asks to be timed without a pause comes on top.
SILENCE_S = 90.0
LOOK_S = 2.0
# Of what it says on standard error, the end is kept.
KEPT_CHUNKS = 4

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
    """

    python: str = sys.executable
    module: str = "edge_mnist.benchmarks.worker"
    environment: Mapping[str, str] = field(default_factory=dict)
    outlived: bool = False


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
    with tempfile.TemporaryDirectory(prefix="edge-mnist-") as name:
        desk = Desk(Path(name))
        desk.job.write_bytes(msgspec.json.encode(job))
        _run(launcher, Path(name), desk, SILENCE_S if silence_s is None else silence_s)
        try:
            logits = np.load(desk.logits, allow_pickle=False) if desk.logits.exists() else None
            return msgspec.json.decode(desk.answer.read_bytes(), type=answer), logits
        except FileNotFoundError as error:
            raise WorkerError("ended without an answer") from error
        except (msgspec.DecodeError, ValueError, EOFError, OSError) as error:
            raise WorkerError(f"gave an answer that cannot be read ({error})") from error


def _run(launcher: Launcher, folder: Path, desk: Desk, silence_s: float) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: a random.py in the current folder is not to be imported.
            [launcher.python, "-P", "-m", launcher.module, str(folder)],
            env={**os.environ, **launcher.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"{launcher.python} cannot be started ({error.strerror})") from error
    kept: collections.deque[bytes] = collections.deque(maxlen=KEPT_CHUNKS)
    listener = threading.Thread(target=_drain, args=(process, kept), daemon=True)
    listener.start()
    try:
        _await(process, listener, desk, silence_s)
    finally:
        # With everything that it started; and when we are interrupted, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        listener.join(LOOK_S)
    if process.returncode:
        raise WorkerError(_explain(process.returncode, b"".join(kept).decode(errors="replace")))


def _await(process: subprocess.Popen[bytes], listener: threading.Thread, desk: Desk, silence_s: float) -> None:
    """Wait for its end, which is the end of its standard error.

    To ask again and again whether it lives would disturb what it measures.
    """
    beat, alive = desk.last_beat_ns(), time.monotonic()
    while listener.is_alive():
        listener.join(min(LOOK_S, silence_s))
        if process.poll() is not None:
            # What it left behind may hold standard error open for ever.
            return
        if desk.last_beat_ns() != beat:
            beat, alive = desk.last_beat_ns(), time.monotonic()
        elif time.monotonic() - alive > silence_s:
            raise WorkerError(f"hangs: no sign of life for {silence_s:g} s")
    try:
        process.wait(silence_s)
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"hangs: no sign of life for {silence_s:g} s") from error


def _drain(process: subprocess.Popen[bytes], kept: "collections.deque[bytes]") -> None:
    """Read what it says, so that it never waits to be read, and keep the end."""
    if process.stderr:
        with process.stderr as stream:
            while chunk := os.read(stream.fileno(), 1 << 16):
                kept.append(chunk)


def _explain(returncode: int, said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()] or ["no message"]
    if returncode == EXIT_UNAVAILABLE:
        return lines[-1]
    if returncode < 0:
        try:
            return f"crashed ({signal.Signals(-returncode).name})"
        except ValueError:
            return f"crashed (signal {-returncode})"
    return f"ended with code {returncode}: {lines[-1][:300]}"
