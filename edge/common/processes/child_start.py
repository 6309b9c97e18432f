"""The start of a child process before it becomes its command: tie it to its parent, and set its limits.

Run by its path as `python -I -S child_start.py PARENT MEMORY_BYTES CPU_S COMMAND...`; 0 stands for no limit. It imports
the standard library only, so it costs some 20 ms. Its settings stay in force for the command.
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
    """Apply all settings, and become the command."""
    parent, memory_bytes, cpu_s = map(int, sys.argv[1:4])
    command = sys.argv[4:]
    if sys.platform == "linux":
        # A parent that is killed ends this process, too, and if memory runs out, the kernel ends it before others.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if os.getppid() != parent:
        sys.exit("its parent process has already ended")
    # Not the address space: TensorFlow maps 2 GB of libraries and reservations before it holds any data.
    if memory_bytes:
        _limit(resource.RLIMIT_DATA, memory_bytes, memory_bytes)
    if cpu_s:
        # SIGXCPU, and SIGKILL if that is ignored.
        _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started ({error.strerror})\n")
        sys.exit(EXIT_UNAVAILABLE)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Lower a limit; a limit that is already lower stays."""
    _, there = resource.getrlimit(kind)
    if there != resource.RLIM_INFINITY:
        soft, hard = min(soft, there), min(hard, there)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
