"""The doctor's command: its JSON, its exit code, its colours; and this very machine, with imports that go wrong."""

import json
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import onnxruntime
import pytest

from edge_mnist.edge.commands import doctor as cli
from edge_mnist.edge.common import machine as host
from edge_mnist.edge.doctor import probes
from edge_mnist.edge.doctor.examine import CHECKS
from edge_mnist.edge.doctor.machine import Machine
from edge_mnist.edge.doctor.probes import gather
from edge_mnist.edge.runtimes.registry import RUNTIMES
from tests.conftest import edge_mnist, edge_mnist_process
from tests.stand_ins.fake_pi import make_pi, with_python, write_command, write_files


def _real_machine(tmp_path: Path, modules: dict[str, str]) -> Machine:
    """This machine, with these modules before all others."""
    write_files(tmp_path, modules)
    machine = Machine()
    return replace(machine, environment={**machine.environment, "PYTHONPATH": str(tmp_path)})


def test_imports_that_crash_or_meet_another_numpy_are_told_and_take_nobody_along(tmp_path: Path) -> None:
    machine = _real_machine(
        tmp_path,
        {
            "onnxruntime/__init__.py": "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n",
            "libcamera/__init__.py": "import a_module_that_is_nowhere\n",
            "tflite_runtime/__init__.py": "",
            "tflite_runtime-2.14.0.dist-info/METADATA": "Name: tflite-runtime\nVersion: 2.14.0\n",
            "tflite_runtime/interpreter.py": "class Interpreter:\n"
            "    def __init__(self, **_): raise ImportError('numpy.core.multiarray failed to import')\n",
            "picamera2/__init__.py": "import os\nos._exit(0)\n",
        },
    )

    evidence = gather(machine)

    assert evidence.probes["onnxruntime"].cause == "crashed"
    assert "illegal instruction" in evidence.probes["onnxruntime"].error
    assert evidence.probes["tflite-runtime"].cause == "numpy"
    assert evidence.probes["libcamera"].error == "ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"
    assert evidence.probes["picamera2"].cause == "failed"
    assert evidence.probes["litert"].cause is None
    assert evidence.probes["litert"].version


def test_an_import_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_TIMEOUT_S", 1.0)
    script = write_command(tmp_path, "python3", 'case "$4" in picamera2) exec sleep 60 ;; esac')

    evidence = gather(replace(Machine(), python=script))

    assert evidence.probes["picamera2"].cause == "hangs"
    assert evidence.probes["opencv"].cause == "failed", "it said nothing"


def test_the_doctor_knows_every_runtime() -> None:
    assert list(probes.RUNTIMES.items()) == [(name, runtime.package) for name, runtime in RUNTIMES.items()]
    assert [check.name for check in CHECKS if check.name in RUNTIMES] == list(RUNTIMES)


def test_a_runtime_that_another_package_brought_has_its_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As onnxruntime-gpu does."""

    def find(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(host, "version", find)

    assert RUNTIMES["onnxruntime"].version == onnxruntime.__version__


def test_json_is_one_document_with_a_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = make_pi(tmp_path, throttled="0x1")
    monkeypatch.setattr(cli, "Machine", lambda: machine)

    result = edge_mnist("doctor", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (document["version"], document["can_read_live"]) == (1, True)
    assert [finding["name"] for finding in document["findings"]] == [check.name for check in CHECKS]
    power = next(finding for finding in document["findings"] if finding["name"] == "power")
    assert (power["level"], power["needed"], power["message"]) == ("problem", False, "now: under-voltage")
    assert document["findings"][0]["fix"] is None


def test_the_exit_code_is_1_when_something_needed_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = with_python(make_pi(tmp_path), tmp_path, cameras={"found": []})
    monkeypatch.setattr(cli, "Machine", lambda: machine)

    result = edge_mnist("doctor")

    assert result.exit_code == 1
    assert "✗ cameras" in result.stdout
    assert result.stdout.endswith("Live reading cannot work here yet: cameras.\n")


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)], ids=["unset", "NO_COLOR"])
def test_colours_are_left_out_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_color: str, colored: bool
) -> None:
    machine = make_pi(tmp_path)
    monkeypatch.setattr(cli, "Machine", lambda: machine)
    monkeypatch.setenv("NO_COLOR", no_color)
    # As at a terminal, https://force-color.org.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    result = edge_mnist("doctor")

    assert ("\x1b[32m✓" in result.stdout) == colored


def test_this_machines_findings_are_plain_text_where_nothing_else_can_be_written(tmp_path: Path) -> None:
    process = edge_mnist_process("doctor", PYTHONIOENCODING="ascii", XDG_CACHE_HOME=str(tmp_path))

    assert process.returncode in {0, 1}, process.stderr
    assert process.stderr == ""
    assert "gives its golden vectors on litert" in process.stdout
    assert process.stdout.isascii()
    assert "\x1b" not in process.stdout
    assert sys.executable.rpartition("/")[0] in process.stdout
    assert not any(tmp_path.iterdir()), "onnxruntime was asked not to phone home"
