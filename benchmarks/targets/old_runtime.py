"""tflite-runtime 2.14, the last version, still in use on boards that are not updated: in an environment of its own.

It needs Python 3.11 and numpy 1, so it cannot share an environment with current packages. Its Python imports this
package from its current location.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import platformdirs

from ...edge.common.scratch import scratch_folder
from ..errors import BenchmarkError
from .launcher import Launcher

VARIABLE = "EDGE_MNIST_OLD_RUNTIME"
VERSION = "2.14.0"
PYTHON = (3, 11)
PINS = (f"tflite-runtime=={VERSION}", "numpy==1.26.4")
# The packages that this package itself needs there, in the versions installed here.
OURS = ("click", "msgspec")
# Without a network pip must give up soon, and without wheels it must not compile.
OPTIONS = ("--disable-pip-version-check", "--quiet", "--timeout=15", "--retries=1", "--only-binary=:all:", "--no-deps")
TIMEOUT_S = 300


def find_old_runtime() -> Path | None:
    """Find the Python of an environment with tflite-runtime: the one that the variable names, else the cached one.

    Raises:
        BenchmarkError: The variable names something else.
    """
    named = os.environ.get(VARIABLE)
    python = Path(named) if named else _environment() / "bin" / "python"
    if python.is_file():
        return python
    if named:
        raise BenchmarkError(
            f"{VARIABLE}={named}: expected the Python of an environment with tflite-runtime, but this file "
            "does not exist. Correct the variable, or unset it."
        )
    return None


def make_old_runtime() -> Path:
    """Return the Python of an environment with tflite-runtime, making it in the user's cache if there is none.

    Raises:
        BenchmarkError: There is no Python 3.11, its packages are not available, or the variable names something else.
    """
    found = find_old_runtime()
    if found:
        return found
    base = _find_python()
    if base is None:
        raise BenchmarkError(
            f"tflite-runtime {VERSION} needs Python {PYTHON[0]}.{PYTHON[1]}, which was not found. Install it, "
            f"or set {VARIABLE} to the Python of an environment that has tflite-runtime."
        )
    environment = _environment()
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=environment.parent) as folder:
            staging = Path(folder) / "new"
            pins = [*PINS, *(f"{name}=={version(name)}" for name in OURS)]
            _run(base, "-m", "venv", str(staging))
            _run(str(staging / "bin" / "python"), "-m", "pip", "install", *OPTIONS, *pins)
            # An environment whose Python was removed from this machine is useless.
            if environment.exists():
                shutil.rmtree(environment)
            # The last step gives it its name, so an environment with that name is complete.
            staging.rename(environment)
    except OSError as error:
        raise BenchmarkError(f"{environment}: cannot be created ({error.strerror}).") from error
    return environment / "bin" / "python"


@contextmanager
def launch_old_runtime(python: Path) -> Iterator[Launcher]:
    """Make a launcher by which that Python starts a worker of this package, through a folder that links to it."""
    with scratch_folder() as folder:
        (folder / "edge_mnist").symlink_to(Path(__file__).parents[2])
        yield Launcher(str(python), environment={"PYTHONPATH": str(folder)})


def _environment() -> Path:
    pins = hashlib.sha256(" ".join([*PINS, *(version(name) for name in OURS)]).encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("edge-mnist") / "tflite-runtime" / f"{platform.machine()}-{pins}"


def _find_python() -> str | None:
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    return shutil.which(f"python{PYTHON[0]}.{PYTHON[1]}")


def _run(*command: str) -> None:
    try:
        made = subprocess.run(  # noqa: S603 - our own commands
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"creating an environment with tflite-runtime took longer than {TIMEOUT_S} s.") from error
    if made.returncode != 0:
        reason = (f"{made.stdout}\n{made.stderr}".strip().splitlines() or ["no message"])[-1]
        raise BenchmarkError(
            f"no environment with tflite-runtime {VERSION} can be created ({reason}). Set {VARIABLE} to the "
            "Python of one, or leave out --old-runtime."
        )
