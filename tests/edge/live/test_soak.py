"""A minute of the soak run (`python -m tests.long.soak`), in a process of its own, whose memory nothing else grows."""

import re
import subprocess
import sys

from tests.conftest import REPOSITORY


def test_nothing_grows_in_a_minute_of_frames_and_faults():
    result = subprocess.run(
        [sys.executable, "-m", "tests.long.soak", "--minutes", "1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    frames, faults, losses = map(int, re.findall(r"\d+", result.stdout.splitlines()[-1]))
    assert frames > 1000
    assert faults >= losses >= 6, "every kind of fault happened and was noticed"
