"""Probes in separate processes: a crash or a hang there cannot stop the doctor."""

import json
import re
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

from .machine import CommandResult, Machine

# The slowest boards take seconds to load a runtime from a slow card; a probe that takes longer than this hangs.
PROBE_TIMEOUT_S = 20.0
# Each takes some 70 MB, and the smallest board has 512.
AT_ONCE = 3

Cause = Literal["missing", "crashed", "numpy", "hangs", "failed"]

_IMPORT = """
import importlib, importlib.metadata, importlib.util, json, sys
module, package = sys.argv[1:]
if importlib.util.find_spec(module.partition(".")[0]) is None:
    print(json.dumps({"cause": "missing"}))
    raise SystemExit
loaded = importlib.import_module(module)
try:
    version = importlib.metadata.version(package)
except importlib.metadata.PackageNotFoundError:
    version = str(getattr(loaded, "__version__", ""))
print(json.dumps({"version": version}))
"""

_RUNTIME = """
import json, sys
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.runtimes.registry import RUNTIMES
from edge_mnist.edge.runtimes.loading import load_classifier
runtime = RUNTIMES[sys.argv[1]]
if runtime.installed:
    load_classifier(open_bundle(SHIPPED), runtime, "int8")
    print(json.dumps({"version": runtime.version}))
else:
    print(json.dumps({"cause": "missing"}))
"""

_CAMERAS = """
import json, sys
from pathlib import Path
from edge_mnist.edge.cameras.factory import find_cameras
print(json.dumps({"found": [f"{camera.name} ({camera.source})" for camera in find_cameras(Path(sys.argv[1]))]}))
"""

# In order of preference, with their packages. The table of `edge/runtimes` says the same, but needs NumPy, which the
# doctor must do without. Importing a runtime proves little: with the wrong NumPy, tflite-runtime fails when a model is
# loaded. So each probe loads the shipped model and runs its golden vectors.
RUNTIMES = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime", "onnxruntime": "onnxruntime"}

# Module to import and package of the others.
IMPORTS = {
    "numpy": ("numpy", "numpy"),
    "opencv": ("cv2", "opencv-python-headless"),
    "libcamera": ("libcamera", "libcamera"),
    "picamera2": ("picamera2", "picamera2"),
}

# Messages of extensions built for NumPy 1 that meet NumPy 2, and the other way round.
NUMPY_SIGNS = (
    "built for another numpy",
    "_ARRAY_API",
    "multiarray failed to import",
    "dtype size changed",
    "compiled using NumPy 1.x",
)


@dataclass(frozen=True)
class Probe:
    """The result of a probe.

    Attributes:
        version: Version of the module; empty if it reports none.
        cause: Cause of the failure; None if it worked.
        error: Original message of the failure.
        found: Names found by a search.
    """

    version: str = ""
    cause: Cause | None = None
    error: str = ""
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbeEvidence:
    """The evidence that checks use.

    Attributes:
        machine: Machine whose facts are read.
        probes: Results by name: every name of RUNTIMES and IMPORTS, and `cameras` (the cameras found).
    """

    machine: Machine
    probes: Mapping[str, Probe]


def gather(machine: Machine) -> ProbeEvidence:
    """Run all probes, a few at once."""
    jobs: dict[str, list[str]] = {
        "cameras": [_CAMERAS, str(machine.root)],
        **{name: [_RUNTIME, name] for name in RUNTIMES},
        **{name: [_IMPORT, *what] for name, what in IMPORTS.items()},
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda job: _probe(machine, job), jobs.values())
        return ProbeEvidence(machine, dict(zip(jobs, results, strict=True)))


def _probe(machine: Machine, arguments: list[str]) -> Probe:
    quiet = {"ORT_DISABLE_TELEMETRY": "1", "LIBCAMERA_LOG_LEVELS": "*:ERROR"}
    there = replace(machine, environment={**machine.environment, **quiet})
    # -P: a folder named numpy in the current folder must not be imported.
    ran = there.run([machine.python, "-P", "-c", *arguments], PROBE_TIMEOUT_S)
    return Probe(cause="hangs", error=f"no answer in {PROBE_TIMEOUT_S:.0f} s") if ran is None else read_probe(ran)


def read_probe(ran: CommandResult) -> Probe:
    """Read the result of a probe's process."""
    if ran.returncode < 0:
        return Probe(cause="crashed", error=_name_signal(-ran.returncode))
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        cause: Cause = "numpy" if any(sign in ran.stderr for sign in NUMPY_SIGNS) else "failed"
        # Only the end of a traceback; our own errors are sentences that need no class before them.
        error = re.sub(r"^edge_mnist\.[\w.]+: ", "", lines[-1]) if lines else f"exit code {ran.returncode}"
        return Probe(cause=cause, error=error)
    try:
        answer: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return Probe(cause="failed", error="it ended early, without an error")
    return Probe(**{**answer, "found": tuple(answer.get("found", ()))})


def _name_signal(number: int) -> str:
    if number == signal.SIGILL:
        return "illegal instruction: it was built for a newer processor"
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"
