"""Checks of the Python environment: the installed packages, and whether they can be loaded."""

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine
from .probes import RUNTIMES, ProbeEvidence
from .verdicts import CheckVerdict, note, ok, problem

SETTING = "include-system-site-packages"


@dataclass(frozen=True)
class Venv:
    """The content of a pyvenv.cfg.

    Attributes:
        config: Path of that file.
        home: Folder of the Python that made the environment.
        sees_system_packages: Whether that Python's own packages are visible inside.
    """

    config: Path
    home: str
    sees_system_packages: bool

    @property
    def is_of_system_python(self) -> bool:
        """Whether Debian's packages belong to that Python; those of pyenv, uv or conda have their own."""
        return self.home in {"/usr/bin", "/bin"}


def read_venv(prefix: Path) -> Venv | None:
    """Read the virtual environment at this prefix; None if there is none."""
    config = prefix / "pyvenv.cfg"
    try:
        lines = config.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pairs = (line.partition("=") for line in lines)
    settings = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Venv(config, settings.get("home", ""), settings.get(SETTING, "").lower() == "true")


def enable_system_packages(text: str) -> str:
    """Make the system's packages visible in a pyvenv.cfg; all other lines stay as they are."""
    line = f"{SETTING} = true"
    changed, count = re.subn(rf"(?im)^[ \t]*{SETTING}[ \t]*=.*$", line, text)
    return changed if count else f"{text.rstrip()}\n{line}\n"


NEW_VENV = "/usr/bin/python3 -m venv --system-site-packages ~/edge-mnist-env"


def check_python(evidence: ProbeEvidence) -> CheckVerdict:
    """Check Python's version; the package's own metadata keep older ones out."""
    machine = evidence.machine
    return ok(f"{platform.python_version()}, {machine.python_bits}-bit, {machine.python}")


def check_environment(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether the system's packages, including the camera's, are visible in this environment."""
    machine = evidence.machine
    venv = read_venv(machine.prefix)
    if venv is None:
        return ok("no virtual environment: the system's packages are visible")
    if not machine.is_pi:
        return ok(f"virtual environment {machine.prefix}")
    if not venv.is_of_system_python:
        return problem(f"its Python is that of {venv.home}, which cannot load the system's picamera2", NEW_VENV)
    if not venv.sees_system_packages:
        return problem("virtual environment that does not see the system's picamera2", "edge-mnist pi-setup --yes")
    return ok(f"virtual environment {machine.prefix} that sees the system's packages")


def check_runtime(name: str) -> Callable[[ProbeEvidence], CheckVerdict]:
    """Make the check of a runtime: installed, and able to run the shipped model."""

    def check(evidence: ProbeEvidence) -> CheckVerdict:
        machine, probe, package = evidence.machine, evidence.probes[name], RUNTIMES[name]
        if probe.cause is None:
            return ok(f"{probe.version}, runs the shipped int8 file")
        if probe.cause == "missing":
            # There is no LiteRT for 32 bits; the check `word size` says what to do.
            if name == "litert" and machine.python_bits == 64:
                return note("not installed", machine.pip(f"install {package}"))
            return ok("not installed, optional")
        if probe.cause == "numpy":
            message = f"installed, but built for a numpy other than {_numpy(evidence)}"
            return problem(message, _mend_numpy(name, evidence))
        return problem(
            f"installed, but does not run the shipped int8 file ({probe.error})", _reinstall(machine, package)
        )

    return check


def _mend_numpy(name: str, evidence: ProbeEvidence) -> str:
    """Choose the fix: without tflite-runtime nothing needs an old NumPy; with it alone, an old one must stay."""
    others = (evidence.probes[other].cause is None for other in RUNTIMES if other not in {name, "tflite-runtime"})
    return evidence.machine.pip(f"uninstall -y {RUNTIMES[name]}" if any(others) else "install 'numpy<2'")


def _reinstall(machine: Machine, package: str) -> str:
    return machine.pip(f"install --force-reinstall --no-deps {package}")


def _numpy(evidence: ProbeEvidence) -> str:
    return evidence.probes["numpy"].version or "this one"


def check_numpy(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether NumPy loads, and which of the two binary interfaces it has."""
    probe = evidence.probes["numpy"]
    if probe.cause is None:
        return ok(f"{probe.version}: loads extensions built for numpy {probe.version.partition('.')[0]}")
    return problem(f"cannot be loaded ({probe.error or 'not installed'})", _reinstall(evidence.machine, "numpy"))


def check_opencv(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether OpenCV loads; everything that finds digits depends on it."""
    probe = evidence.probes["opencv"]
    if probe.cause is None:
        return ok(probe.version)
    reason = {"missing": "not installed", "numpy": f"built for a numpy other than {_numpy(evidence)}"}
    message = reason.get(probe.cause, f"cannot be loaded ({probe.error})")
    return problem(message, _reinstall(evidence.machine, "opencv-python-headless"))


def check_model(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether the preferred runtime reproduces the shipped file's golden vectors."""
    installed = [name for name in RUNTIMES if evidence.probes[name].cause != "missing"]
    if not installed:
        return problem("no runtime is installed", evidence.machine.pip("install ai-edge-litert"))
    chosen = evidence.probes[installed[0]]
    if chosen.cause is None:
        return ok(f"the shipped int8 file is intact and gives its golden vectors on {installed[0]} {chosen.version}")
    message = f"{installed[0]}, the default runtime, does not run the shipped int8 file"
    working = [name for name in installed if evidence.probes[name].cause is None]
    return problem(message, f"edge-mnist live --runtime {working[0]}" if working else "edge-mnist verify")
