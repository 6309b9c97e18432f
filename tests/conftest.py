"""What the tests share: no network, a cache of their own, and one small model, really trained and exported."""

import fcntl
import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

# Before anything of the package is imported: tests never download, and never write to the user's cache.
os.environ["EDGE_MNIST_MIRRORS"] = ""

from edge_mnist.cli import main
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.data.download import DataError
from edge_mnist.edge.runtimes import keras_files
from edge_mnist.edge.sinks.mqtt_address import PASSWORD_VARIABLE

REPOSITORY = Path(__file__).parent.parent
# No process takes as long, however busy the machine.
HANGS_S = 1200
# A few epochs on 4,000 images leave close calls, which quantization may well tip.
EXPORT = ("export", "--int8", "--max-drop", 2)
# For tests that do not ask which of many calibrations is the best: they take most of an export's time.
ONE_CALIBRATION = ("--clean-calibration", "--calibration", "minmax")


_load_mnist = functools.cache(mnist.load_mnist)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run three workers on two cores: a third of the time they wait for programs, timeouts and the disk."""
    return min(3 * len(os.sched_getaffinity(0)) // 2, 6)


@pytest.fixture(scope="session", autouse=True)
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """Hide the user's cache, password and MNIST: commands use the sample, in a fraction of the time."""
    os.environ.pop(PASSWORD_VARIABLE, None)
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    return os.environ.pop("EDGE_MNIST_DATA", None)


@pytest.fixture
def full_data(data_folder: str | None, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    """Let the code see the user's folder with data sets, if there is one."""
    if data_folder is not None:
        monkeypatch.setenv("EDGE_MNIST_DATA", data_folder)
    return None if data_folder is None else Path(data_folder)


@pytest.fixture
def full_mnist(full_data: Path | None) -> mnist.Splits:
    """All of MNIST, for the commands too, or a skip with the reason."""
    try:
        return _load_mnist(full_data)
    except DataError:
        pytest.skip("needs the full MNIST: set EDGE_MNIST_DATA to a folder that holds its four files")


@pytest.fixture(scope="session")
def sample() -> mnist.Images:
    return mnist.load_sample()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that the train command made of the sample, in a few epochs."""
    return make_once(tmp_path_factory, "train", "--data", mnist.SAMPLE, "--epochs", 4, "--batch-size", 64)


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """That model, exported with everything."""
    return open_bundle(make_once(tmp_path_factory, *EXPORT, trained))


def make_once(factory: pytest.TempPathFactory, *command: object) -> Path:
    """Run a command with `--out`, once for all workers of a run, and return the folder of its bundle."""
    base = factory.getbasetemp()
    # A worker's own folder lies in the one of the run.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    name = f"{command[0]}-{hashlib.sha256(repr(command).encode()).hexdigest()[:8]}"
    bundle = base / name / "small"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not bundle.exists():
            done = edge_mnist_process(*command, "--out", bundle)
            assert done.returncode == 0, done.stderr
    return bundle


@pytest.fixture
def trusted_keras_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras files that a test wrote itself need no child to try them in, which takes as long as importing Keras."""

    class Everything(set[str]):
        def __contains__(self, _: object) -> bool:
            return True

    monkeypatch.setattr(keras_files, "_passed", Everything())


def edge_mnist(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def edge_mnist_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as users do, in a process of its own."""
    return python_process(
        "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()",
        *arguments,
        **environment,
    )


def python_process(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_S,
    )
