"""What a benchmark run found, as it is written to JSON. Every raw latency is kept.

Version history of the schema:
    1  First version.
"""

import msgspec

from ..edge.card import Format, Precision
from ..edge.host import Host

SCHEMA_VERSION = 1


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """A file's accuracy on a runtime, alone and in pairs. Drops are in percentage points, positive when it got worse.

    Attributes:
        interval: 95 % Wilson interval of the accuracy, in [0, 1].
        drop_vs_keras_pp: Against the Keras model, on the same images.
        drop_vs_float_pp: Against the float32 file of the same format on the same runtime; None where that did not run.
        p_vs_float: Exact McNemar p-value of that comparison.
        agreement: Share of images on which it names the same digit as Keras.
    """

    correct: int
    count: int
    interval: tuple[float, float]
    drop_vs_keras_pp: float
    drop_vs_float_pp: float | None
    p_vs_float: float | None
    agreement: float

    @property
    def share(self) -> float:
        """Accuracy in [0, 1]."""
        return self.correct / self.count


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Batch 1, microseconds, through our own Python layer; `rounds` holds every call, a list for each process."""

    p50: float
    p90: float
    p99: float
    max: float
    images_per_second: float
    rounds: list[list[float]]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime. Either `unavailable` says why there are no figures, or all of them are there."""

    file: str
    format: Format
    precision: Precision
    size_bytes: int
    runtime: str
    runtime_version: str | None = None
    unavailable: str | None = None
    accuracy: Accuracy | None = None
    latency: Latency | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    peak_memory_mb: float | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions."""

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    parameters: int
    macs: int
    evaluated_on: str
    image_count: int
    held_out: bool
    keras_correct: int
    num_threads: int
    rounds: int
    calls: int
    started: str
    host_before: Host
    host_after: Host
    rows: list[Row]
