"""A session with another machine: send the driver and its files, receive messages, disconnect."""

import contextlib
import hashlib
import json
import re
import secrets
import shlex
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from ...edge.common.processes.child import first_line
from ...edge.common.terminal.text import printable
from ..errors import BenchmarkError
from .ssh import RemoteHost, SshOptions, explain_failure, start_ssh

# Most bytes received, so that no machine fills this one's memory. A full run has some tens of megabytes.
MOST_RESULT_BYTES = 256_000_000
MOST_LINE_BYTES = 65_536
# Most lines that login scripts may print before the driver's first message.
MOST_LINES = 1000
MOST_CHARACTERS = 300
MOST_STDERR_BYTES = 65_536
CHUNK_BYTES = 1 << 20
# Seconds for ssh to end after its connection has.
EXIT_TIMEOUT_S = 20
# This side gives up first and reports why; the other one only if it loses the connection.
GRACE_S = 60
EXIT_NO_PYTHON = 97
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
# Quoted once more for the user's shell there, whichever it is, so without single quotes and in one line.
_FIND_PYTHON = (
    'for python in "$@"; do '
    'if "$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" </dev/null >/dev/null 2>&1; then '
    'exec "$python" -P -c "import sys; exec(sys.stdin.buffer.read(SIZE))"; fi; done; '
    'echo "its python: $("$1" -V 2>&1 </dev/null)" >&2; exit 97'
)


@dataclass(frozen=True)
class Parcel:
    """The files to send, by name, and which of them are the wheel and its constraints, if they are to be installed.

    Attributes:
        python: A Python interpreter there that has edge-mnist; None makes an environment.
        module: The module to run, with the folder and the name of the result as arguments.
        limit_s: Seconds after which both sides give up.
    """

    files: dict[str, bytes]
    module: str
    limit_s: int
    wheel: str | None = None
    constraints: str | None = None
    extras: str = "[onnx]"
    python: str | None = None


class _DriverMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A line from the driver."""

    kind: str
    text: str = ""
    size: int = 0
    sha256: str = ""


@dataclass
class Session:
    """A session that any thread may end.

    Attributes:
        say: Called with each message about its progress.
    """

    host: RemoteHost
    options: SshOptions
    say: Callable[[str], None]
    _process: subprocess.Popen[bytes] | None = None
    _stderr: bytearray = field(default_factory=bytearray)
    _end_reason: str | None = None

    def run(self, parcel: Parcel) -> bytes:
        """Measure the parcel there; return the received bytes, not decoded.

        Raises:
            BenchmarkError: Nothing was received, ssh is not installed, or a file in its options is missing.
        """
        mark = secrets.token_hex(16)
        self._process = process = start_ssh(self.host, self.options, bootstrap_command(parcel.python))
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise BenchmarkError("ssh was started without pipes.")
        if self._end_reason:
            process.kill()
        timer = threading.Timer(parcel.limit_s, self.end, [f"took longer than {parcel.limit_s} s."])
        sending = threading.Thread(target=_send, args=(process.stdin, parcel, mark))
        reading_stderr = threading.Thread(target=self._read_stderr, args=(process.stderr,))
        for thread in (timer, sending, reading_stderr):
            thread.start()
        try:
            content = self._read_messages(process.stdout, mark)
            if content is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(EXIT_TIMEOUT_S)
                reading_stderr.join(EXIT_TIMEOUT_S)
                raise BenchmarkError(
                    self._end_reason or explain_end(process.returncode, self._stderr.decode(errors="replace"))
                )
            return content
        finally:
            timer.cancel()
            process.kill()
            for thread in (timer, sending, reading_stderr):
                thread.join()
            process.wait()
            process.stdout.close()
            # The rest of the upload is no longer needed.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def end(self, reason: str) -> None:
        """End the session; the other side removes its files."""
        self._end_reason = self._end_reason or reason
        if self._process is not None:
            self._process.kill()

    def _read_messages(self, stream: IO[bytes], mark: str) -> bytes | None:
        """Receive lines until there is a result; None if the other side closes the stream before."""
        for _ in range(MOST_LINES):
            line = stream.readline(MOST_LINE_BYTES)
            if not line:
                return None
            # A login script's output may end without a newline.
            _, found, words = line.partition(mark.encode() + b" ")
            if found:
                message = _read_message(words)
                if message.kind == "result":
                    return _receive(stream, message)
                if message.kind == "failure":
                    raise BenchmarkError(quote_machine(message.text))
                self.say(quote_machine(message.text))
        raise BenchmarkError("sent no valid results.")

    def _read_stderr(self, stream: IO[bytes]) -> None:
        """Keep the end of what ssh and the other side print on standard error."""
        with stream:
            while chunk := stream.read1(CHUNK_BYTES):  # pyright: ignore[reportAttributeAccessIssue]
                self._stderr += chunk
                del self._stderr[:-MOST_STDERR_BYTES]


def bootstrap_command(python: str | None) -> str:
    """Make a shell command that finds a Python there and lets it execute the driver from standard input.

    Raises:
        BenchmarkError: The name of the Python has a character that is special to shells.
    """
    if python is not None and not re.fullmatch(r"(~/)?[\w./+][\w./+-]*", python):
        raise BenchmarkError(
            f"--remote-python {python!r}: expected the path of an interpreter on that machine, without spaces."
        )
    # A session starts in the user's home folder.
    names = (python.removeprefix("~/"),) if python else PYTHONS
    script = _FIND_PYTHON.replace("SIZE", str(len(_driver())))
    return shlex.join(["exec", "/bin/sh", "-c", script, "edge-mnist", *names])


def explain_end(code: int | None, said: str) -> str:
    """Explain why a session ended without a message, from ssh's exit code and standard error."""
    if code == EXIT_NO_PYTHON:
        version = re.search(r"its python: Python (\d[\w.+]*)", said)
        if version:
            return f"has Python {version[1]}, but edge-mnist needs 3.11 or newer. Name one with --remote-python."
        return "has no Python on its search path. Run there: apt install python3, or name one with --remote-python."
    meaning = explain_failure(said)
    if meaning:
        return meaning
    last = (said.strip().splitlines() or [""])[-1]
    cause = f": {quote_machine(last)}" if last else ". It may have been killed because memory ran out."
    return f"the remote measurement ended without results (exit code {code}){cause}"


def quote_machine(text: str) -> str:
    """Quote another machine's text as one short line without control characters."""
    return printable(text)[:MOST_CHARACTERS]


def _driver() -> bytes:
    return Path(__file__).with_name("driver.py").read_bytes()


def _send(stream: IO[bytes], parcel: Parcel, mark: str) -> None:
    """Send everything, and leave the stream open: the other side takes its end for a disconnect."""
    announced = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in parcel.files.items()
    ]
    order = {
        "mark": mark,
        "files": announced,
        "wheel": parcel.wheel,
        "constraints": parcel.constraints,
        "extras": parcel.extras,
        "is_installed": parcel.python is not None,
        "module": parcel.module,
        "limit_s": parcel.limit_s + GRACE_S,
    }
    # The reason of a broken pipe is found by the receiving thread.
    with contextlib.suppress(BrokenPipeError):
        for content in (_driver(), json.dumps(order).encode() + b"\n", *parcel.files.values()):
            stream.write(content)
        stream.flush()


def _read_message(words: bytes) -> _DriverMessage:
    try:
        return msgspec.json.decode(words, type=_DriverMessage)
    except Exception as error:
        # Also raised for JSON that is nested ten thousand times.
        raise BenchmarkError(f"sent a damaged message ({first_line(error)}).") from error


def _receive(stream: IO[bytes], message: _DriverMessage) -> bytes:
    if not 0 < message.size <= MOST_RESULT_BYTES:
        raise BenchmarkError(
            f"announced {message.size:,} bytes of results; at most {MOST_RESULT_BYTES:,} are accepted."
        )
    content = stream.read(message.size)
    if hashlib.sha256(content).hexdigest() != message.sha256:
        raise BenchmarkError("the connection was lost while the results were sent. Run again.")
    return content
