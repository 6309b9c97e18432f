"""Workers: whatever becomes of one, somebody gets a sentence, and nothing of it is left."""

import os
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.measuring.machine_state import MachineMonitor
from edge_mnist.benchmarks.measuring.rounds import ImageSets, measure_all
from edge_mnist.benchmarks.results.schema import BenchmarkSettings
from edge_mnist.benchmarks.targets import launcher as processes
from edge_mnist.benchmarks.targets.launcher import Launcher, run_worker
from edge_mnist.benchmarks.targets.targets import MeasuredFile, Target
from edge_mnist.edge.data.images import Images

# Long enough for a Python to start on a busy machine.
SILENCE_S = 20


class Question(msgspec.Struct):
    number: int


class Reply(msgspec.Struct):
    number: int


@pytest.fixture
def launch(tmp_path: Path) -> "Launch":
    return Launch(tmp_path)


class Launch:
    """Makes a module of a worker's text."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, text: str) -> Launcher:
        head = """
            import json, os, signal, sys, time
            from pathlib import Path
            folder = Path(sys.argv[1])
            def answer(**fields): (folder / "answer.json").write_text(json.dumps(fields))
        """
        (self._folder / "made_up_worker.py").write_text(textwrap.dedent(head) + textwrap.dedent(text))
        return Launcher(module="made_up_worker", environment={"PYTHONPATH": str(self._folder)})


def test_an_answer_comes_back_with_its_logits(launch: Launch) -> None:
    launcher = launch("""
        import numpy
        numpy.save(folder / "logits.npy", numpy.arange(20, dtype="float32").reshape(2, 10))
        answer(number=json.loads((folder / "job.json").read_text())["number"] + 1)
    """)

    reply, logits = run_worker(launcher, Question(41), Reply)

    assert reply.number == 42
    assert logits is not None
    assert logits.tolist() == np.arange(20.0).reshape(2, 10).tolist()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(SIGSEGV\)"),
        ("os.abort()", r"crashed \(SIGABRT\)"),
        ("sys.exit('no such operator')", "ended with code 1: no such operator"),
        ("print('too old for this', file=sys.stderr); sys.exit(3)", "^too old for this$"),
        ("raise ValueError('odd')", "ended with code 1: ValueError: odd"),
        ("pass", "ended without an answer"),
        ("(folder / 'answer.json').write_bytes(bytes(range(256)))", "gave an answer that cannot be read"),
        ("answer(number='forty-two')", "gave an answer that cannot be read"),
        ("answer(number=1); (folder / 'logits.npy').write_bytes(b'garbage')", "gave an answer that cannot be read"),
    ],
    ids=["segfault", "abort", "exit", "unavailable", "traceback", "silent", "bytes", "another type", "logits"],
)
def test_whatever_goes_wrong_is_a_reason(launch: Launch, text: str, reason: str) -> None:
    with pytest.raises(BenchmarkError, match=reason):
        run_worker(launch(text), Question(1), Reply, SILENCE_S)


def test_garbage_on_its_outputs_changes_nothing(launch: Launch) -> None:
    # More than any pipe holds, so that whoever does not read it waits for ever.
    launcher = launch("""
        for stream in (sys.stdout, sys.stderr):
            for _ in range(50):
                stream.buffer.write(bytes(range(256)) * 400)
        answer(number=7)
    """)

    assert run_worker(launcher, Question(1), Reply, SILENCE_S)[0].number == 7


def test_one_that_hangs_is_ended_with_its_children(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
        time.sleep(600)
    """)

    # The child's number must be there by then, so it has as long as a busy machine may take.
    with pytest.raises(BenchmarkError, match="does not respond: no progress for 5 s"):
        run_worker(launcher, Question(1), Reply, silence_s=5)

    assert _ends(int((tmp_path / "child").read_text()))


def test_signs_of_life_keep_a_slow_one_alive(launch: Launch) -> None:
    launcher = launch("""
        for _ in range(12):
            (folder / "pulse").write_bytes(b"")
            time.sleep(0.5)
        answer(number=1)
    """)

    assert run_worker(launcher, Question(1), Reply, silence_s=4)[0].number == 1


def test_one_that_times_calls_may_be_silent_for_as_long_as_it_was_told(
    launch: Launch, sample: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BenchmarkSettings(rounds=3, calls=10, seconds=2.5, threads=[1], batches=[])
    target = Target(MeasuredFile("hangs.tflite", "ab" * 32, "tflite", None, 1), "litert", "default", 1)
    target.launcher = launch("time.sleep(600)")
    monkeypatch.setattr(processes, "SILENCE_S", 1.0)

    measure_all([target], [], ImageSets(sample, sample), settings, MachineMonitor())

    assert target.unavailable == "does not respond: no progress for 3.5 s"


def test_what_it_leaves_behind_is_ended_when_it_has_answered(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
        answer(number=1)
    """)
    began = time.monotonic()

    assert run_worker(launcher, Question(1), Reply, SILENCE_S * 10)[0].number == 1
    assert time.monotonic() - began < SILENCE_S * 5
    assert _ends(int((tmp_path / "child").read_text()))


def test_a_python_that_is_not_there_is_a_reason() -> None:
    with pytest.raises(BenchmarkError, match="/nowhere/python cannot be started"):
        run_worker(Launcher("/nowhere/python"), Question(1), Reply)


def test_nothing_of_the_current_folder_is_imported(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "random.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(elsewhere)

    assert run_worker(launch("import random; answer(number=1)"), Question(1), Reply, SILENCE_S)[0].number == 1


def _ends(pid: int) -> bool:
    """Whether a process is gone, or a zombie that nobody has waited for, within seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if sys.platform == "linux" and status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
