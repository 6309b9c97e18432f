"""With too little memory a command ends with one sentence, whatever runs out first; and reading asks for no reserve."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_mnist.edge.common.errors import OUT_OF_MEMORY
from edge_mnist.edge.media.pictures import read_gray
from tests.conftest import edge_mnist, python_process

MB = 1_000_000
# Addresses, not memory: Python and OpenCV alone take 250 MB of them, a reader 600.
LIMITS_MB = (250, 350, 450, 550)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.png"
    edge_mnist("example", path)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's addresses")
@pytest.mark.parametrize("command", [("run",), ("live", "--seconds", "2", "--camera"), ("verify",)], ids=lambda c: c[0])
@pytest.mark.parametrize("limit_mb", LIMITS_MB)
def test_too_little_memory_is_one_sentence(page: Path, command: tuple[str, ...], limit_mb: int) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit_mb * MB}, {limit_mb * MB}))\n"
        "from edge_mnist.cli import main; main()"
    )

    done = python_process(code, *command, *([] if command == ("verify",) else [str(page)]))

    # Machines differ in what they load: where there is enough of it, the command does its work.
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    # OpenBLAS, which NumPy loads, ends the process itself, with a line of its own.
    assert done.returncode == 0 or done.stderr.strip().splitlines()[-1].startswith(
        ("Error: ", "  failed", "OpenBLAS error: Memory allocation still failed")
    )
    assert "MemoryError" not in done.stderr


def test_a_small_picture_takes_no_room_for_a_large_one(page: Path) -> None:
    code = (
        "import resource, sys; from edge_mnist.edge.media.pictures import read_gray\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {50 * MB}, used + {50 * MB}))\n"
        "print(read_gray(sys.argv[1]).shape)"
    )

    done = python_process(code, str(page))

    assert done.stdout.strip() == str(read_gray(page).shape), done.stderr


def test_the_sentence_names_a_cure() -> None:
    assert "ulimit -v" in OUT_OF_MEMORY


def test_numpy_starts_no_threads_that_nobody_needs() -> None:
    code = (
        "import os; from edge_mnist.cli import main; main(['models'], standalone_mode=False); "
        "print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "1"
