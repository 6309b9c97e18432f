"""What a process is told to measure, and what it answers. Imports little: it is used in any environment."""

from pathlib import Path

import msgspec

from ...edge.bundle.card import Precision
from ..results.schema import Delegate


class PeerInterface(msgspec.Struct, frozen=True):
    """How another project's model is used.

    Attributes:
        reads: What its input takes, see `peer_inputs`.
        output: The name of the output with its scores; None for the only one with ten numbers.
    """

    reads: str
    output: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One process's work: a bundle's file or a peer on a runtime.

    Attributes:
        bundle: The folder, with `precision`; None for a peer.
        peer: The file, with `peer_interface`; None for a bundle's file.
        calls: To time, each after one of the bare interpreter; fewer where `seconds` are over first.
        batches: Numbers of images to time calls with.
        paced_calls: To time at a camera's rate.
        warmup_s: When to give up waiting for steady latencies.
        timing_images: An .npy file, uint8 [N, 28, 28, 1], gone through in turn.
        evaluation_images: Another one, to classify after the timing; None skips that.
        validation_images: Another one, to try other conventions of a peer's input on; None skips that.
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
    """What one process found; latencies in microseconds a call, in order.

    Attributes:
        file_sha256: Of the bytes that were loaded.
        load_ms: Importing the runtime, loading the file and holding it to its golden vectors.
        first_ms: The first inference, before the golden ones.
        peak_memory_mb: Of the process, before the evaluation, MB (10**6 bytes).
        warmup_s: How long it took until latencies were steady; `steady` is False where they were not by then.
        batches: As the job's, each call's latency.
        energy_mj: Per image, of the whole package or board.
        frequency_mhz: Of each processor that may be used, at the end of the timing, while they were at work.
        digits_by_convention: The digits that a peer reads on the validation images, see `peer_inputs`.
        clock_resolution_us: Smallest step of the clock, where it is not this machine's own.
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
    """A folder for one job."""

    def __init__(self, folder: Path) -> None:
        self.job = folder / "job.json"
        self.answer = folder / "answer.json"
        self.logits = folder / "logits.npy"
        self._pulse = folder / "pulse"

    def signal_alive(self) -> None:
        """Show that work goes on. Whoever does not for long is taken to hang."""
        self._pulse.write_bytes(b"")

    def last_sign_of_life_ns(self) -> int:
        """When that was, by the file system's clock; 0 if never."""
        return self._pulse.stat().st_mtime_ns if self._pulse.exists() else 0
