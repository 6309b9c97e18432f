"""`kill` ends a command as Ctrl-C does: nothing that it started or half wrote is left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_mnist.cli import main
from edge_mnist.edge.common.processes.signals import ENDS, handling_ends
from tests.conftest import edge_mnist

DEADLINE_S = 60.0


def _start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from edge_mnist.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _workers(pid: int) -> list[int]:
    """Its processes that measure; it also starts some that only look at the machine."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if b"edge_mnist.benchmarks.measuring.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_terminated_benchmark_takes_its_workers_along(tmp_path: Path) -> None:
    with _start("benchmark", "--quick", "--out", tmp_path / "results") as process:
        deadline = time.monotonic() + DEADLINE_S
        while not (workers := _workers(process.pid)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # A process of which Python has not yet heard whether it started is nobody's to end.
        time.sleep(0.3)

        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert "Aborted!" in errors
    assert "Traceback" not in errors
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_export_leaves_nothing_half_written(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "exported"
    with _start("export", "--int8", "--out", out) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Making"):
                break
        assert [*tmp_path.iterdir()] != []  # it has begun to write

        process.send_signal(number)
        process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_handles_the_signal_keeps_its_handler(number: signal.Signals) -> None:
    seen: list[int] = []
    before = signal.signal(number, lambda number, _: seen.append(number))
    try:
        edge_mnist("models")
        os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)

    assert seen == [number]


def test_afterwards_the_signals_mean_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in ENDS]

    assert CliRunner().invoke(main, ["models"]).exit_code == 0

    assert [signal.getsignal(number) for number in ENDS] == before


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """As by `nohup`. Ctrl-C, which a shell has ignored in the background, is heard all the same."""
    before = [signal.signal(number, signal.SIG_IGN) for number in ENDS]
    seen: list[int] = []
    try:
        with handling_ends(lambda number, _: seen.append(number)):
            for number in ENDS:
                os.kill(os.getpid(), number)
    finally:
        for number, handler in zip(ENDS, before, strict=True):
            signal.signal(number, handler)

    assert seen == [signal.SIGINT]
