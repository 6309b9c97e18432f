"""Installed on the other machine in the measuring program's place, to fail as such programs do, or to answer at once.

Run as `python -m edge_mnist.benchmarks.remote.job FOLDER RESULT`; the file `behaviour` beside it says what it does.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER, RESULT = Path(sys.argv[1]), sys.argv[2]
BEHAVIOUR, _, DETAIL = (Path(__file__).parent / "behaviour").read_text().partition("\n")
if BEHAVIOUR == "answer":
    (FOLDER / RESULT).write_bytes((Path(__file__).parent / "answer.json").read_bytes())
elif BEHAVIOUR == "hang":
    # With a process of its own, as the real one has.
    child = subprocess.Popen(["/bin/sleep", "600"])
    Path(DETAIL).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)
elif BEHAVIOUR == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif BEHAVIOUR == "fill":
    (FOLDER / "full").write_bytes(bytes(50_000_000))
elif BEHAVIOUR == "complain":
    sys.exit(DETAIL)
