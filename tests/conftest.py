"""What the tests share: no network, a cache of their own, and one small model, really trained and exported."""

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

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def full_mnist() -> mnist.Splits:
    """All of MNIST, or a skip that says why not."""
    try:
        return mnist.load_mnist()
    except DataError:
        pytest.skip("needs the full MNIST: set EDGE_MNIST_DATA to a folder that holds its four files")


@pytest.fixture(scope="session")
def sample() -> mnist.Images:
    return mnist.load_sample()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that the train command made of the sample, in a few epochs."""
    out = tmp_path_factory.mktemp("trained") / "small"
    result = edge_mnist("train", "--data", "mnist-sample-5k", "--epochs", "4", "--batch-size", "64", "--out", out)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """That model, exported with everything."""
    out = tmp_path_factory.mktemp("exported") / "small"
    # A few epochs on 4,000 images leave close calls, which quantization may well tip.
    result = edge_mnist("export", trained, "--int8", "--max-drop", 2, "--out", out)
    assert result.exit_code == 0, result.output
    return open_bundle(out)


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
        timeout=300,
    )
