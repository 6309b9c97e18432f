"""The JSON of a benchmark run: counts, misread images and every raw latency.

Intervals and p-values are computed from these where they are shown, which takes SciPy; measuring does without.

Version history of the schema:
    1  First version.
    2  Rows of several machines, runtimes' delegates, threads, batch sizes and peers; conditions over time; validity.
    3  Without what follows from other values and takes SciPy: `accuracy.interval`, `accuracy.p_vs_float`, and
       `p50_interval`. In place of `accuracy.p_vs_keras`, the counts that it comes from. Version 2 is still read.
"""

from functools import cached_property
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from ...edge.bundle.contract import NUM_CLASSES, Format, Precision
from ...edge.common.machine import Host
from ...edge.common.statistics import mcnemar_p, wilson_interval
from ..statistics.quantiles import typical_quantile
from .peer_inputs import InputCheck

SCHEMA_VERSION = 3
# The name of the machine that runs the command.
HERE = "this machine"

Delegate = Literal["default", "none"]
Validity = Literal["valid", "unstable", "invalid"]
# The format of a measured file: an exported format, or the Keras model that the files were made from.
RowFormat = Format | Literal["keras"]
# Valid ranges of figures: a file with a value outside of them is refused when it is read.
Count = Annotated[int, Meta(ge=0)]
Several = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=-100, le=100)]
ReadAs = Annotated[int, Meta(ge=0, lt=NUM_CLASSES)]
Celsius = Annotated[float, Meta(ge=-273.15)]


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A file's accuracy on a runtime, alone and in pairs. Drops are in percentage points, positive for a loss.

    Attributes:
        drop_vs_keras_pp: Drop against the Keras model, on the same images; None for a peer.
        lost_vs_keras: Number of images that only Keras reads correctly; None for a peer, and in results of version 2.
        gained_vs_keras: Number of images that only this file reads correctly; None likewise.
        old_p_vs_keras: The p-value of results of version 2, which lack these two counts.
        drop_vs_float_pp: Drop against the float32 file of the same format on the same runtime, with the same delegate
            and threads; None if that did not run, for that file itself, and for a peer.
        drop_interval_pp: 95 % paired score interval of the drop against float.
        lost: Indices of images that float reads correctly and this file does not.
        gained: Indices of images that this file reads correctly and float does not.
        agreement: Share of images on which it names the same digit as Keras; None for a peer.
        confusion: Number of images of digit i that were read as j, [10][10].
        misread: Every misread image: its index, and the digit that the file names instead. With it, files of different
            runs are compared image by image.
    """

    correct: int
    count: int
    confusion: list[list[Count]]
    misread: list[tuple[int, ReadAs]] = []
    drop_vs_keras_pp: Points | None = None
    lost_vs_keras: Count | None = None
    gained_vs_keras: Count | None = None
    old_p_vs_keras: Share | None = msgspec.field(default=None, name="p_vs_keras")
    drop_vs_float_pp: Points | None = None
    drop_interval_pp: tuple[Points, Points] | None = None
    lost: list[int] = []
    gained: list[int] = []
    agreement: Share | None = None

    @property
    def share(self) -> float:
        """Accuracy in [0, 1]."""
        return self.correct / self.count

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, in [0, 1]."""
        return wilson_interval(self.correct, self.count)

    @cached_property
    def p_vs_keras(self) -> float | None:
        """Exact McNemar p-value of the comparison with Keras; None for a peer."""
        if self.lost_vs_keras is None or self.gained_vs_keras is None:
            return self.old_p_vs_keras
        return mcnemar_p(self.lost_vs_keras, self.gained_vs_keras)

    @cached_property
    def p_vs_float(self) -> float | None:
        """Exact McNemar p-value of the comparison with the float32 file; None if there is no drop against it."""
        return None if self.drop_vs_float_pp is None else mcnemar_p(len(self.lost), len(self.gained))


class Latency(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Latency of calls with `batch` images each, in microseconds per call unless the owner states milliseconds.

    Attributes:
        p50: The median call of a typical process: the geometric mean of the processes' medians.
        p90: Like p99, p999 and max: a quantile over the calls of all processes together.
        images_per_second: Throughput computed from the mean, not the median.
        rounds: The latency of every call, one list per process.
    """

    batch: Several
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    images_per_second: Annotated[float, Meta(gt=0)]
    rounds: list[list[float]]

    @cached_property
    def p50_interval(self) -> tuple[float, float]:
        """95 % interval of p50, as it varies between processes."""
        return typical_quantile([np.asarray(one, np.float64) for one in self.rounds], 0.5).interval


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime of a machine. Either it has figures, or `unavailable` gives the reason why not.

    Attributes:
        machine: Index into `Results.machines`.
        file_sha256: SHA-256 of the model file.
        is_peer: Whether it is another project's model, measured beside ours.
        input_check: How well a peer reads by the stated convention of its input, and by each other.
        delegate: `default` is the runtime's own choice (XNNPACK in LiteRT); `none` runs without it.
        latency: Back-to-back calls through this package's Python layer. None in a row with an accuracy: it was left
            out, for the reasons given.
        bare: The interpreter's own call on the same images in the same processes, taking turns with `latency`.
        paced: Calls through the layer every 1/30 s, like a camera's; caches and clocks cool down meanwhile.
        batches: Back-to-back calls with several images each, if the runtime takes them.
        load_ms: Load time of each process in milliseconds, including the import of the runtime.
        first_ms: Duration of the first inference of each process, in milliseconds.
        peak_memory_mb: Largest memory of each process before its evaluation, MB (10**6 bytes).
        energy_mj: Energy per image of the whole package or board, millijoules; None if no counter is exposed.
        energy_source: Name of the energy counter.
        clock_resolution_us: Smallest step of the timing clock, if that is coarser than this machine's own.
        validity: Whether its latencies can be trusted; `reasons` states what counts against them.
    """

    machine: int = 0
    file: str
    file_sha256: str
    format: RowFormat
    precision: Precision | None
    size_bytes: Count
    is_peer: bool = False
    parameters: Count | None = None
    macs: Count | None = None
    runtime: str
    runtime_version: str | None = None
    delegate: Delegate = "default"
    threads: Several = 1
    unavailable: str | None = None
    accuracy: Accuracy | None = None
    input_check: InputCheck | None = None
    latency: Latency | None = None
    bare: Latency | None = None
    paced: Latency | None = None
    batches: list[Latency] = []
    load_ms: list[Amount] = []
    first_ms: list[Amount] = []
    peak_memory_mb: list[Amount] = []
    energy_mj: Amount | None = None
    energy_source: str | None = None
    clock_resolution_us: Amount | None = None
    validity: Validity = "valid"
    reasons: list[str] = []

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Identity of the row within a machine, from one run to the next: file, runtime, delegate, threads."""
        return self.file, self.runtime, self.delegate, self.threads


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the machine at one moment. None means not reported.

    Attributes:
        at_s: Seconds since the run started.
        frequency_mhz: Frequency of each processor that may be used.
        temperature_c: Temperature of the hottest thermal zone, degrees Celsius.
        throttled: A Raspberry Pi's throttling bits.
        throttle_count: Total number of times that x86 processors were slowed by heat since the system started.
        load_1m: Load average over one minute.
        busy_elsewhere: Share of all processors' time that other processes used since the last sample, in [0, 1].
    """

    at_s: Amount
    frequency_mhz: list[Amount] | None = None
    temperature_c: Celsius | None = None
    throttled: Count | None = None
    throttle_count: Count | None = None
    load_1m: Amount | None = None
    busy_elsewhere: Share | None = None


class MachineRun(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, and its state while it measured.

    Attributes:
        name: `this machine`, or the host as the user gave it.
        affinity: Processors that the measuring processes may use.
        timer_overhead_us: Median time between two readings of the clock with nothing between.
        samples: States before, during and after the measurement.
        validity: Validity of the whole run on this machine; `reasons` states what changed.
    """

    name: str
    host: Host
    affinity: list[Count]
    versions: dict[str, str]
    timer_overhead_us: Amount
    samples: list[Sample]
    validity: Validity = "valid"
    reasons: list[str] = []


class StageBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The reader's time budget: median milliseconds of each stage on one frame, and of the whole reading."""

    machine: int = 0
    file: str
    runtime: str
    width: Several
    height: Several
    digits: Count
    stages_ms: dict[str, Amount]
    total_ms: Latency


class BenchmarkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the measurement.

    Attributes:
        rounds: Number of fresh processes for each row, at least 3.
        calls: Number of calls per process through our layer, and as many of the bare interpreter, unless `seconds` end
            first.
        seconds: Seconds after which a process stops calling.
        threads: Numbers of threads; 0 means all processors that may be used.
        batches: Numbers of images to time calls with, besides 1.
        paced_calls: Number of calls at a camera's rate, of each process on one thread.
        seed: Seed of the order.
        runtimes: The runtimes to measure; empty means all.
    """

    rounds: Several
    calls: Several
    seconds: Amount
    threads: list[Count]
    batches: list[Several]
    paced_calls: Count = 0
    is_quick: bool = False
    seed: int = 0
    runtimes: list[str] = []


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions.

    Attributes:
        unreachable: Requested machines without rows: the reason in a sentence, by name.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    parameters: Count
    macs: Count
    evaluated_on: str
    images_sha256: str
    image_count: Several
    held_out: bool
    keras_correct: Count
    settings: BenchmarkSettings
    started: str
    seconds: Amount
    machines: list[MachineRun]
    unreachable: dict[str, str] = {}
    rows: list[Row]
    budgets: list[StageBudget] = []

    def __repr__(self) -> str:
        """Name the model, and say how much was measured; the raw latencies are too many to show."""
        measured = sum(row.unavailable is None for row in self.rows)
        machines = ", ".join(machine.name for machine in self.machines)
        return f"Results({self.name!r}, {measured} of {len(self.rows)} rows measured on {machines})"


def format_schema() -> bytes:
    """Render the schema as a document, the same for the same structs; docs/results/schema-VERSION.json is a copy."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Results of edge-mnist benchmark, schema_version {SCHEMA_VERSION}",
        **msgspec.json.schema(Results),
    }
    described["$defs"]["Results"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    described["$defs"]["Results"]["required"].insert(0, "schema_version")
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"
