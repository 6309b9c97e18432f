"""The memory that a network needs in TFLite Micro: the arena, which firmware reserves before anything has run.

It is measured: the smallest arena in which the interpreter of the package tflite-micro allocates and runs the file.
That is a 64-bit host with reference kernels. Where pointers have 32 bits, TFLite Micro needs less; optimized kernels
(CMSIS-NN, ESP-NN) request scratch buffers of their own, which come on top. `MicroInterpreter::arena_used_bytes()` on
the device reports the true size.
"""

import importlib.util
import re
import subprocess
import sys

from ..errors import ExportError

# TFLite Micro aligns buffers to 16 bytes, and requires the same of the arena and of the model.
ALIGNMENT = 16
# More than a microcontroller has.
MOST_BYTES = 1 << 24
PROBE = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=int(sys.argv[1]))
details = interpreter.get_input_details(0)
interpreter.set_input(np.zeros(details["shape"], details["dtype"]), 0)
interpreter.invoke()
interpreter.print_allocations()
"""


def measure_arena(content: bytes) -> int | None:
    """Find the smallest arena in which TFLite Micro runs a file, in bytes; None without the package tflite-micro.

    What it uses while it runs is the least that it needs. Planning and preparing can need more.

    Returns:
        A multiple of 16, for an arena that is itself aligned to 16 bytes.

    Raises:
        ExportError: It does not run in 16 MiB either.
    """
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    used = _run(content, MOST_BYTES)
    if used is None:
        raise ExportError(f"TFLite Micro does not run this file in an arena of {MOST_BYTES:,} bytes. Use other layers.")
    enough = -(-used // ALIGNMENT) * ALIGNMENT
    too_small = enough - ALIGNMENT
    while _run(content, enough) is None:
        too_small, enough = enough, 2 * enough
    while enough - too_small > ALIGNMENT:
        middle = (too_small + enough) // (2 * ALIGNMENT) * ALIGNMENT
        too_small, enough = (too_small, middle) if _run(content, middle) is not None else (middle, enough)
    return enough


def _run(content: bytes, arena_bytes: int) -> int | None:
    """Run the file once in an arena of this size; return how many bytes it used, or None if it did not run.

    In a process of its own: where the arena is too small, TFLite Micro ends the process.
    """
    command = [sys.executable, "-c", PROBE, str(arena_bytes)]
    done = subprocess.run(command, input=content, capture_output=True, check=False)  # noqa: S603 - ours
    used = re.search(rb"Arena allocation total (\d+) bytes", done.stdout + done.stderr)
    return int(used[1]) if done.returncode == 0 and used else None
