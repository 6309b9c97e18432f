"""Running the programs that build: what they said is shown when they fail."""

import os
import subprocess

TIMEOUT_S = 300


def run_program(*command: object) -> None:
    """Run it to its end.

    Raises:
        RuntimeError: It failed; the message has the last that it said.
        TimeoutExpired: It did not end.
    """
    done = subprocess.run(
        [*map(str, command)],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\nfailed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
