"""What a benchmark run found, as it is written to JSON. Every raw latency is kept.

Version history of the schema:
    1  First version.
    2  Rows of several machines, runtimes' delegates, threads, batch sizes and peers; conditions over time; validity.
"""

from typing import Annotated, Literal

import click
import msgspec
from msgspec import Meta

from ...edge.bundle.card import NUM_CLASSES, Format, Precision
from ...edge.common.machine import Host
from ...edge.common.terminal.output import echo_text
from .peer_inputs import InputCheck

SCHEMA_VERSION = 2

Delegate = Literal["default", "none"]
Validity = Literal["valid", "unstable", "invalid"]
# Of a measured file: an exported one's, or the Keras model that they were made of.
RowFormat = Format | Literal["keras"]
# What a figure can be: a file with another one is refused where it is read.
Count = Annotated[int, Meta(ge=0)]
Several = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=-100, le=100)]
ReadAs = Annotated[int, Meta(ge=0, lt=NUM_CLASSES)]
Celsius = Annotated[float, Meta(ge=-273.15)]


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """A file's accuracy on a runtime, alone and in pairs. Drops are in percentage points, positive when it got worse.

    Attributes:
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        drop_vs_keras_pp: Against the Keras model, on the same images; None for a peer.
        p_vs_keras: Exact McNemar p-value of that comparison.
        drop_vs_float_pp: Against the float32 file of the same format on the same runtime, with the same delegate and
            threads; None where that did not run, for that file itself, and for a peer.
        drop_interval_pp: 95 % paired score interval of that drop.
        p_vs_float: Exact McNemar p-value of that comparison.
        lost: Images that float reads correctly and this file does not, by index.
        gained: The other way round.
        agreement: Share of images on which it names the same digit as Keras; None for a peer.
        confusion: Images of digit i that were read as j, [10][10].
        misread: Every image that it reads wrong: its index, and the digit that it names instead. With it, files of
            different runs are compared image by image.
    """

    correct: int
    count: int
    interval: tuple[Share, Share]
    confusion: list[list[Count]]
    misread: list[tuple[int, ReadAs]] = []
    drop_vs_keras_pp: Points | None = None
    p_vs_keras: Share | None = None
    drop_vs_float_pp: Points | None = None
    drop_interval_pp: tuple[Points, Points] | None = None
    p_vs_float: Share | None = None
    lost: list[int] = []
    gained: list[int] = []
    agreement: Share | None = None

    @property
    def share(self) -> float:
        """Accuracy in [0, 1]."""
        return self.correct / self.count


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Of calls with `batch` images each, microseconds a call unless the owner says milliseconds.

    Attributes:
        p50: The median call of a typical process: the geometric mean of the processes' medians.
        p50_interval: 95 % interval of that over processes that might as well have been measured.
        p90: As p99, p999 and max: of the calls of all processes together.
        images_per_second: From the mean, not the median.
        rounds: Every call, a list for each process.
    """

    batch: Several
    p50: float
    p50_interval: tuple[float, float]
    p90: float
    p99: float
    p999: float
    max: float
    images_per_second: Annotated[float, Meta(gt=0)]
    rounds: list[list[float]]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime of a machine. Either `unavailable` says why there are no figures, or they are there.

    Attributes:
        machine: Index into `Results.machines`.
        file_sha256: Of the model file.
        is_peer: Another project's model, measured beside ours.
        input_check: How well a peer reads by the stated convention of its input, and by each other.
        delegate: `default` is what the runtime does unless told otherwise (XNNPACK in LiteRT); `none` is without it.
        latency: Back to back, through this package's Python layer. None in a row with an accuracy: it was left out, for
            the reasons given.
        bare: Of the interpreter's own call on the same images in the same processes, taking turns with `latency`.
        paced: Through the layer, a call every 1/30 s as a camera has it; caches and clocks cool down meanwhile.
        batches: Back to back with several images a call, where the runtime takes them.
        load_ms: Of each process, importing the runtime included.
        first_ms: The first inference of each process.
        peak_memory_mb: Of each process before its evaluation, MB (10**6 bytes).
        energy_mj: Of the whole package or board per image, millijoules; None where no counter is exposed.
        energy_source: Which counter.
        clock_resolution_us: Smallest step of the clock that timed it, where that is coarser than this machine's own.
        validity: Whether its latencies may be believed; `reasons` says what speaks against it.
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
        """What identifies it within a machine, from one run to the next: file, runtime, delegate, threads."""
        return self.file, self.runtime, self.delegate, self.threads


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The machine at one moment. None stands for what it does not tell.

    Attributes:
        at_s: Seconds since the run started.
        frequency_mhz: Of each processor that may be used.
        temperature_c: The hottest thermal zone, degrees Celsius.
        throttled: A Raspberry Pi's throttling bits.
        throttle_count: How often x86 processors were slowed for their heat since they were started, all added up.
        load_1m: Load average over a minute.
        busy_elsewhere: Share of all processors' time since the last sample that other processes took, in [0, 1].
    """

    at_s: Amount
    frequency_mhz: list[Amount] | None = None
    temperature_c: Celsius | None = None
    throttled: Count | None = None
    throttle_count: Count | None = None
    load_1m: Amount | None = None
    busy_elsewhere: Share | None = None


class MachineRun(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, and how it was while it measured.

    Attributes:
        name: `this machine`, or the host as it was asked for.
        affinity: Processors that the measuring processes may use.
        timer_overhead_us: Median time between two readings of the clock with nothing between.
        samples: Before, during and after.
        validity: Of the whole run there; `reasons` says what changed.
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
    """Where the reader's time goes: median milliseconds of each stage on one frame, and of the whole, milliseconds."""

    machine: int = 0
    file: str
    runtime: str
    width: Several
    height: Several
    digits: Count
    stages_ms: dict[str, Amount]
    total_ms: Latency


class BenchmarkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much was measured.

    Attributes:
        rounds: Fresh processes of each row, at least 3.
        calls: Of each process through our layer, and as many of the bare interpreter, unless `seconds` are over first.
        seconds: After which a process stops calling.
        threads: 0 stands for all processors that may be used.
        batches: Numbers of images to time calls with, besides 1.
        paced_calls: At a camera's rate, of each process on one thread.
        seed: Of the order.
        runtimes: Only these; empty stands for all.
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
        unreachable: Machines that were asked for and have no rows: by name, a sentence that says why not.
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


def format_schema() -> bytes:
    """The schema as a document, the same bytes for the same structs; docs/results/schema-VERSION.json is this."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Results of edge-mnist benchmark, schema_version {SCHEMA_VERSION}",
        **msgspec.json.schema(Results),
    }
    described["$defs"]["Results"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    described["$defs"]["Results"]["required"].insert(0, "schema_version")
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


@click.command()
def schema() -> None:
    """Print the JSON schema of what a benchmark writes.

    \b
    Examples:
      edge-mnist benchmark schema > schema.json
    """
    echo_text(format_schema().decode().rstrip("\n"))
