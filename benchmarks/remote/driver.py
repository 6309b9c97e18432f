"""The program that runs on the other machine: its text is sent and executed there, before the package is installed.

So it imports only the standard library. Standard input carries a line of JSON, the files that it announces, and then
nothing: when that stream ends, the client has disconnected, and everything here ends. All files are in one temporary
folder, which is always removed. Messages are lines that begin with a mark chosen by the client, since a login script
may print, too.
"""

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

CHUNK_BYTES = 1 << 20
RESULT = "result.json"
# Sent from outside, when the connection is lost, and at the time limit.
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


class Failure(Exception):  # noqa: N818 - not an error of this program
    """The reason why there is no result; the message continues the machine's name."""


def main() -> None:
    """Execute the order, and report the outcome."""
    given = sys.stdin.buffer
    order = json.loads(given.readline())

    def say(kind: str, **details: object) -> None:
        sys.stdout.write(f"{order['mark']} {json.dumps({'kind': kind, **details})}\n")
        sys.stdout.flush()

    for number in SIGNALS:
        signal.signal(number, _stop)
    signal.alarm(order["limit_s"])
    try:
        content = serve(given, order, say)
    except Failure as failure:
        say("failure", text=str(failure))
    except OSError as error:
        say("failure", text=explain(error))
    else:
        say("result", size=len(content), sha256=hashlib.sha256(content).hexdigest())
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def serve(given: BinaryIO, order: dict[str, Any], say: Any) -> bytes:
    """Unpack, install and measure; return the result's bytes and leave nothing on the disk.

    Raises:
        Failure: Installing or measuring failed.
        OSError: The disk is full, or the folder cannot be written.
    """
    with temporary_folder() as folder:
        receive(given, order["files"], folder)
        threading.Thread(target=_watch, args=(given.fileno(),), daemon=True).start()
        if order["is_installed"]:
            check_installed()
            python = sys.executable
        else:
            say("progress", text="creates an environment and installs edge-mnist")
            python = install(folder, order["wheel"], order["extras"], order["constraints"])
        say("progress", text="measures")
        run([python, "-P", "-m", order["module"], str(folder), RESULT], folder, "the measurement")
        if not (folder / RESULT).is_file():
            raise Failure("the measurement ended without results.")
        return (folder / RESULT).read_bytes()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is always removed, even if the client disconnects during the removal."""
    folder = Path(tempfile.mkdtemp(prefix="edge-mnist-remote-"))
    try:
        yield folder
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)


def receive(given: BinaryIO, files: Sequence[dict[str, Any]], folder: Path) -> None:
    """Receive the announced files, and check each against its hash.

    Raises:
        Failure: The received content is not the announced one.
        OSError: A file cannot be written.
    """
    for file in files:
        path, digest, left = folder / file["name"], hashlib.sha256(), file["size"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            while left and (chunk := given.read(min(left, CHUNK_BYTES))):
                digest.update(chunk)
                out.write(chunk)
                left -= len(chunk)
        if digest.hexdigest() != file["sha256"]:
            raise Failure(f"{file['name']} arrived damaged: its SHA-256 differs. Run again.")


def check_installed() -> None:
    """Check that this Python has edge-mnist.

    Raises:
        Failure: It does not.
    """
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec("edge_mnist.benchmarks"):
            return
    raise Failure(f"{sys.executable} has no edge-mnist. Install it on that machine, or leave out --remote-python.")


def install(folder: Path, wheel: str, extras: str, constraints: str | None) -> str:
    """Make a virtual environment with the wheel, and with its extras if they are available; return its Python.

    Raises:
        Failure: There is no venv, or a package is not available.
    """
    if importlib.util.find_spec("ensurepip") is None:
        raise Failure("its Python cannot create virtual environments. Run there: apt install python3-venv.")
    run([sys.executable, "-m", "venv", "venv"], folder, "creating a virtual environment")
    python = str(folder / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--constraint", constraints] if constraints else []
    run([*pip, wheel], folder, "installing edge-mnist")
    # Some machines lack wheels of a runtime; the row of that runtime then reports it.
    with contextlib.suppress(Failure):
        run([*pip, f"{wheel}{extras}"], folder, "installing further runtimes")
    return python


def run(command: list[str], folder: Path, what: str) -> None:
    """Run a step in the folder, with its temporary files there, too; it ends with this process.

    Raises:
        Failure: The step failed; the message has its last output.
    """
    process = subprocess.Popen(  # noqa: S603 - the order came through the user's own connection
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    finally:
        # The whole process group, with child processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    words = said.decode(errors="replace")
    if process.returncode == 0:
        return
    if os.strerror(errno.ENOSPC) in words or "No space left on device" in words:
        raise Failure(f"its disk is full: {what} needs more space for temporary files ({folder.parent}).")
    if process.returncode < 0:
        hint = ", probably because memory ran out" if process.returncode == -signal.SIGKILL else ""
        raise Failure(f"{what} was ended by signal {-process.returncode}{hint}.")
    lines = [line for line in words.splitlines() if line.strip()] or ["no message"]
    # pip ends with advice; the error is printed before.
    line = next((line for line in lines if line.startswith("ERROR:")), lines[-1])
    raise Failure(f"{what} failed: {line.strip()[:300]}")


def explain(error: OSError) -> str:
    """Describe a failed write in words."""
    where = tempfile.gettempdir()
    if error.errno == errno.ENOSPC:
        return f"its disk is full: there is no space for temporary files ({where})."
    return f"temporary files cannot be written ({where}: {error.strerror})."


def _watch(descriptor: int) -> None:
    """End this process when the client disconnects. Bypasses Python's buffer, whose lock would outlast the thread."""
    while os.read(descriptor, CHUNK_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    main()
