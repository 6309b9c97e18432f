"""Child processes: code that may crash, hang or take all memory runs there, and its parent gets an error message.

`limit_command` makes any command end with this process and keeps it within limits. `call_in_child` runs a function of
ours in a fresh Python: bytes in, bytes out. An untrusted file is first read by a native parser or runtime in this way.
"""

import collections
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from ..errors import EdgeMnistError

# The result of a parser is smaller than the file, or a few megabytes.
MOST_ANSWER_BYTES = 64_000_000
# Of standard error, the end is kept.
KEPT_CHUNKS, CHUNK_BYTES = 4, 1 << 16
# For a thread to notice that a pipe was closed.
LISTENER_S = 2.0
# One thread each is enough to parse; more would take more memory on machines with many processors.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class ChildError(EdgeMnistError):
    """A child returned no answer; the message gives the reason in a few words."""


@dataclass(frozen=True)
class Limits:
    """Limits of a child; 0 is no limit. Processor time counts on a busy machine, too; `seconds` is by the clock."""

    memory_bytes: int = 0
    cpu_s: int = 0
    seconds: float = 0


class _Answer(msgspec.Struct, frozen=True):
    """The answer of a child: the function's bytes, or the name of an error's class and its message."""

    content: bytes = b""
    error: str = ""
    message: str = ""


def limits_for(size_bytes: int) -> Limits:
    """Return the limits for parsing a model file of this size: far more than any real file needs.

    Shape inference of an ONNX file holds it about six times; a file of ours takes half a second of one core.
    """
    cpu_s = 10 + size_bytes // 500_000
    return Limits(memory_bytes=1_000_000_000 + 8 * size_bytes, cpu_s=cpu_s, seconds=60 + 5 * cpu_s)


def limit_command(command: list[str], limits: Limits = Limits()) -> list[str]:
    """Make the command line of a process that ends with this thread and stays within memory and processor limits."""
    start = Path(__file__).with_name("child_start.py")
    figures = map(str, (os.getpid(), limits.memory_bytes, limits.cpu_s))
    return [sys.executable, "-I", "-S", str(start), *figures, *command]


def call_in_child(
    function: Callable[[bytes], bytes],
    content: bytes,
    limits: Limits,
    raises: tuple[type[EdgeMnistError], ...] = (),
    environment: dict[str, str] | None = None,
) -> bytes:
    """Run a module's function in a fresh process.

    Args:
        function: Function of a module that can be imported.
        content: Argument of the function.
        limits: Limits of the child.
        raises: Errors of this project that are raised here if the function raises them there.
        environment: Variables added to this process's environment.

    Raises:
        ChildError: It crashed, hung, exceeded a limit, or raised another error.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    # -P: do not import a random.py in the current folder.
    command = limit_command([sys.executable, "-P", "-m", "edge_mnist.edge.common.processes.child", name], limits)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            env={**os.environ, **ONE_THREAD, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ChildError(f"a separate process cannot be started ({error.strerror})") from error
    overdue = threading.Event()
    with ended(process) as listener:
        timer = threading.Timer(limits.seconds, _end_overdue, [process, overdue])
        timer.daemon = True
        timer.start()
        try:
            returned = _converse(process, content)
        finally:
            timer.cancel()
    if overdue.is_set():
        raise ChildError(f"did not finish within {limits.seconds:g} s")
    if len(returned) > MOST_ANSWER_BYTES:
        raise ChildError(f"returned more than {MOST_ANSWER_BYTES / 1e6:.0f} MB")
    return _open_answer(process.returncode, returned, listener.end(), limits, raises)


class StandardError(threading.Thread):
    """A thread that reads a process's standard error to its end, so that the process never waits for its reader."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        self._stream = process.stderr
        self._kept: collections.deque[bytes] = collections.deque(maxlen=KEPT_CHUNKS)

    def run(self) -> None:
        """Read it all and keep its end."""
        if self._stream:
            with self._stream as stream:
                while chunk := os.read(stream.fileno(), CHUNK_BYTES):
                    self._kept.append(chunk)

    def end(self) -> str:
        """Return its end."""
        return b"".join(self._kept).decode(errors="replace")


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[StandardError]:
    """Make sure that a process that leads a session, and everything it started, ends with the block."""
    listener = StandardError(process)
    listener.start()
    try:
        yield listener
    finally:
        # Also if this process is interrupted.
        _kill(process)
        process.wait()
        listener.join(LISTENER_S)
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()


def explain_end(returncode: int, said: str, limits: Limits = Limits()) -> str:
    """Explain in a few words why a process ended without an answer."""
    lines = [line for line in said.strip().splitlines() if line.strip()] or ["no message"]
    if returncode >= 0:
        return f"ended with code {returncode}: {lines[-1][:300]}"
    if -returncode == signal.SIGXCPU:
        return f"used more than {limits.cpu_s} s of processor time"
    if -returncode == signal.SIGKILL:
        return "was ended by SIGKILL, probably because the system ran out of memory"
    try:
        return f"crashed ({signal.Signals(-returncode).name})"
    except ValueError:
        return f"crashed (signal {-returncode})"


def first_line(error: BaseException) -> str:
    """Return the first line of another package's error; the name of its class if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def _converse(process: "subprocess.Popen[bytes]", content: bytes) -> bytes:
    """Send the argument, and take the answer and the process's exit code."""
    if process.stdin is None or process.stdout is None:
        raise ChildError("was started without pipes")
    sender = threading.Thread(target=_send, args=(process.stdin, content), daemon=True)
    sender.start()
    returned = process.stdout.read(MOST_ANSWER_BYTES + 1)
    if len(returned) <= MOST_ANSWER_BYTES:
        process.wait()
    return returned


def _send(stream: IO[bytes], content: bytes) -> None:
    # If it stops reading, its exit code explains why.
    with contextlib.suppress(OSError, ValueError), stream:
        stream.write(content)


def _end_overdue(process: "subprocess.Popen[bytes]", overdue: threading.Event) -> None:
    overdue.set()
    _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _open_answer(
    returncode: int, returned: bytes, said: str, limits: Limits, raises: tuple[type[EdgeMnistError], ...]
) -> bytes:
    """Return the function's result or raise its error; the file may have taken over the process that sent it."""
    if returncode:
        raise ChildError(explain_end(returncode, said, limits))
    try:
        answer = msgspec.msgpack.decode(returned, type=_Answer)
    except Exception as error:
        raise ChildError("returned an unreadable result") from error
    if answer.error == MemoryError.__name__:
        raise ChildError(f"used more than {limits.memory_bytes / 1e6:,.0f} MB of memory")
    for kind in raises:
        if answer.error == kind.__name__:
            raise kind(answer.message)
    if answer.error:
        raise ChildError(answer.message)
    return answer.content


def main() -> None:
    """Call the function that the command line names; output of native code does not get into the answer."""
    answer_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, name = sys.argv[1].partition(":")
    content = sys.stdin.buffer.read()
    try:
        answer = _Answer(getattr(importlib.import_module(module), name)(content))
    except EdgeMnistError as error:
        answer = _Answer(error=type(error).__name__, message=str(error))
    except MemoryError as error:
        answer = _Answer(error=MemoryError.__name__, message=first_line(error))
    except Exception as error:
        # Native packages raise any exception.
        answer = _Answer(error=type(error).__name__, message=first_line(error))
    with answer_to:
        answer_to.write(msgspec.msgpack.encode(answer))
    # Threads of a native library may not end by themselves.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
