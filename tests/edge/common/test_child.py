"""Children: whatever becomes of one is a sentence, within limits, and nothing of it outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.processes.child import ChildError, Limits, call_in_child, limit_command

# Processor time that a child may take, and far more than it takes to start on a busy machine.
LIMITS = Limits(memory_bytes=500_000_000, cpu_s=3, seconds=120)
MODULE = """
import os, signal, sys, time
from edge_mnist.edge.common.errors import EdgeMnistError

class OddError(EdgeMnistError): pass
def turn(content): return content[::-1]
def crash(content): os.kill(os.getpid(), signal.SIGSEGV)
def be_killed(content): os.kill(os.getpid(), signal.SIGKILL)
def eat(content):
    kept = []
    while True: kept.append(bytearray(10_000_000))
def spin(content):
    while True: pass
def nap(content): time.sleep(600)
def nest(content): return nest(content)
def shout(content):
    for _ in range(100): os.write(1, bytes(65536)); os.write(2, bytes(65536))
    return b"heard"
def flood(content): return bytes(65_000_000)
def leave(content): os._exit(0)
def leave_badly(content): sys.stderr.write("first\\nlast\\n"); os._exit(7)
def refuse(content): raise OddError("no, thank you")
def raise_odd(content): raise KeyError()
def lie(content): os.write(3, b"nonsense"); os.write(int(content), b"nonsense"); os._exit(0)
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A module that a child can import, too."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd_functions.py").write_text(MODULE)
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(folder))
    patch.syspath_prepend(str(folder))
    import odd_functions  # pyright: ignore[reportMissingImports]

    yield odd_functions
    patch.undo()


def test_bytes_go_in_and_come_back(functions: object) -> None:
    assert call_in_child(functions.turn, b"abc" * 100_000, LIMITS) == b"cba" * 100_000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", r"^crashed \(SIGSEGV\)$"),
        ("be_killed", "^was ended by SIGKILL, probably because the system ran out of memory$"),
        ("eat", "^used more than 500 MB of memory$"),
        ("spin", "^used more than 3 s of processor time$"),
        ("nest", "^maximum recursion depth exceeded"),
        ("flood", "^returned more than 64 MB$"),
        ("leave", "^returned an unreadable result$"),
        ("leave_badly", "^ended with code 7: last$"),
        ("refuse", "^no, thank you$"),
        ("raise_odd", "^KeyError$"),
    ],
)
def test_whatever_goes_wrong_is_a_few_words(functions: object, name: str, reason: str) -> None:
    with pytest.raises(ChildError, match=reason):
        call_in_child(getattr(functions, name), b"", LIMITS)


def test_one_that_waits_for_ever_is_ended(functions: object) -> None:
    with pytest.raises(ChildError, match="did not finish within 5 s"):
        call_in_child(functions.nap, b"", Limits(seconds=5))


def test_an_error_that_is_expected_is_raised_here(functions: object) -> None:
    with pytest.raises(functions.OddError, match="no, thank you"):
        call_in_child(functions.refuse, b"", LIMITS, raises=(functions.OddError,))


def test_an_error_that_is_not_expected_is_not_made_into_its_class(functions: object) -> None:
    class OtherError(EdgeMnistError):
        pass

    with pytest.raises(ChildError):
        call_in_child(functions.refuse, b"", LIMITS, raises=(OtherError,))


def test_what_native_code_prints_is_no_part_of_the_answer(functions: object) -> None:
    assert call_in_child(functions.shout, b"", LIMITS) == b"heard"


def test_modules_in_the_current_folder_are_not_imported(
    functions: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "resource.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)

    assert call_in_child(functions.turn, b"ab", LIMITS) == b"ba"


def test_limits_of_the_parent_that_are_lower_stay() -> None:
    shown = "import resource; print(*resource.getrlimit(resource.RLIMIT_CPU))"
    command = limit_command([sys.executable, "-c", shown], Limits(cpu_s=500))

    # The figure of the parent is of this shell, whose child takes its place.
    shell = ["/bin/sh", "-c", 'ulimit -t 100; exec "$@"', "sh", *command]

    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout.split() == ["100", "100"]


PARENT = """
import subprocess, sys, time
from edge_mnist.edge.common.processes.child import limit_command
child = subprocess.Popen(limit_command([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"]),
                         stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _is_running(child)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert _eventually(lambda: not _is_running(child))


def test_a_child_whose_parent_has_ended_before_does_nothing() -> None:
    command = limit_command(["/bin/echo", "it runs"])
    command[command.index(str(os.getpid()))] = "1"

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "its parent process has already ended" in ended.stderr


@pytest.mark.usefixtures("functions")
def test_ctrl_c_ends_the_child_too() -> None:
    code = (
        "import odd_functions, os, threading, signal\n"
        "from edge_mnist.edge.common.processes.child import Limits, call_in_child\n"
        "threading.Timer(3, os.kill, [os.getpid(), signal.SIGINT]).start()\n"
        "call_in_child(odd_functions.spin, b'', Limits(seconds=600))\n"
    )
    started = os.times().children_user

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)

    assert ended.returncode == -signal.SIGINT
    # Had it gone on, nobody would have waited for it.
    assert os.times().children_user - started < 60


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _eventually(holds: Callable[[], bool]) -> bool:
    for _ in range(300):
        if holds():
            return True
        time.sleep(0.1)
    return False
