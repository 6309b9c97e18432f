"""A screen for tests of windows."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

PATIENCE_S = 20.0


@pytest.fixture
def display() -> Iterator[str]:
    """A screen that nobody sees."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb: apt install xvfb")
    pytest.importorskip("tkinter", reason="needs tkinter: apt install python3-tk")
    reading_end, writing_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing_end), "-screen", "0", "800x600x24"],
        pass_fds=[writing_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing_end)
    with os.fdopen(reading_end) as answer:
        number = answer.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(PATIENCE_S)
