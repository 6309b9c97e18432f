"""What a child process is before it becomes its command: tied to its parent, and within limits.

Run by its path as `python -I -S child_start.py PARENT MEMORY_BYTES CPU_S COMMAND...`; 0 stands for no limit. It imports
the standard library alone, so it costs some 20 ms. What it sets holds on for the command, whatever that is.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

EXIT_UNAVAILABLE = 3
# From Linux's <sys/prctl.h>.
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set everything, and become the command."""
    parent, memory_bytes, cpu_s = map(int, sys.argv[1:4])
    command = sys.argv[4:]
    if sys.platform == "linux":
        # Even a parent that is killed takes us along, and where memory runs out, the kernel ends us before others.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if os.getppid() != parent:
        sys.exit("its parent had ended before")
    # Not the address space: TensorFlow maps 2 GB of libraries and reservations before it holds any data.
    if memory_bytes:
        _limit(resource.RLIMIT_DATA, memory_bytes, memory_bytes)
    if cpu_s:
        # SIGXCPU, and SIGKILL where that is not heeded.
        _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started ({error.strerror})\n")
        sys.exit(EXIT_UNAVAILABLE)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, there = resource.getrlimit(kind)
    if there != resource.RLIM_INFINITY:
        soft, hard = min(soft, there), min(hard, there)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
