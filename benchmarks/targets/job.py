"""The job of a worker process, and its answer. Imports little, since it is used in any environment."""

from pathlib import Path

import msgspec

from ...edge.bundle.contract import Precision
from ..results.schema import Delegate


class PeerInterface(msgspec.Struct, frozen=True):
    """The interface of another project's model.

    Attributes:
        reads: The convention of its input, see `peer_inputs`.
        output: The name of the output with its scores; None if only one output has ten numbers.
    """

    reads: str
    output: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The work of one process: to measure a bundle's file or a peer on a runtime.

    Attributes:
        bundle: The bundle's folder, used with `precision`; None for a peer.
        peer: The peer's file, used with `peer_interface`; None for a bundle's file.
        calls: Number of calls to time, each followed by one of the bare interpreter, unless `seconds` end first.
        batches: Numbers of images to time calls with.
        paced_calls: Number of calls to time at a camera's rate.
        warmup_s: Seconds after which to stop waiting for steady latencies.
        timing_images: An .npy file, uint8 [N, 28, 28, 1], whose images are used in turn.
        evaluation_images: An .npy file of images to classify after the timing; None skips that.
        validation_images: An .npy file of images to try other conventions of a peer's input on; None skips that.
    """

    bundle: str | None = None
    precision: Precision | None = None
    peer: str | None = None
    peer_interface: PeerInterface | None = None
    runtime: str
    delegate: Delegate = "default"
    threads: int = 1
    calls: int
    seconds: float
    batches: list[int] = []
    paced_calls: int = 0
    warmup_s: float = 2.0
    timing_images: str
    evaluation_images: str | None = None
    validation_images: str | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements of one process; latencies in microseconds per call, in order.

    Attributes:
        file_sha256: SHA-256 of the bytes that were loaded.
        load_ms: Duration of importing the runtime, loading the file and checking its golden vectors, in ms.
        first_ms: Duration of the first inference, before the golden ones, in ms.
        peak_memory_mb: Largest resident size of the process before the evaluation, MB (10**6 bytes).
        warmup_s: Seconds until latencies were steady; `steady` is False if they never were.
        batches: Latencies of every call, one list for each of the job's batch sizes.
        energy_mj: Energy per image of the whole package or board, in millijoules.
        frequency_mhz: Frequency of each processor that may be used, at the end of the timing, while they were at work.
        digits_by_convention: The digits that a peer reads on the validation images, see `peer_inputs`.
        clock_resolution_us: Smallest step of the clock in microseconds, if it is not this machine's own clock.
    """

    runtime_version: str
    file_sha256: str
    load_ms: float
    first_ms: float
    peak_memory_mb: float
    warmup_s: float
    steady: bool
    latencies_us: list[float]
    bare_us: list[float] = []
    batches: list[list[float]] = []
    paced_us: list[float] = []
    energy_mj: float | None = None
    energy_source: str | None = None
    frequency_mhz: list[float] | None = None
    digits_by_convention: dict[str, list[int]] = {}
    clock_resolution_us: float | None = None


class JobFolder:
    """The folder through which a worker process receives its job, returns its result and signals that it is alive."""

    def __init__(self, folder: Path) -> None:
        self.job = folder / "job.json"
        self.answer = folder / "answer.json"
        self.logits = folder / "logits.npy"
        self._pulse = folder / "pulse"

    def signal_alive(self) -> None:
        """Signal that work goes on. A process without signals for long counts as hung."""
        self._pulse.write_bytes(b"")

    def last_sign_of_life_ns(self) -> int:
        """Return the time of the last signal, by the file system's clock; 0 without any."""
        return self._pulse.stat().st_mtime_ns if self._pulse.exists() else 0
