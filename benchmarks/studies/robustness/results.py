"""The JSON of a robustness benchmark: counts for each corruption, severity and file.

Version history of the schema:
    1  First version.
"""

import msgspec

from ....edge.bundle.contract import ImageSet
from ....edge.common.machine import Host

SCHEMA_VERSION = 1


class RobustnessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a robustness benchmark.

    Attributes:
        runtimes: Names of the runtimes; None for the first one installed.
        count: Number of images under each corruption and severity, equally many of each digit; None for all.
        seed: Random seed of the corruptions.
    """

    runtimes: tuple[str, ...] | None = None
    count: int | None = 1000
    seed: int = 1


class CellCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of a file on the images of a cell.

    Attributes:
        correct: Number of images read correctly, accepted or not.
        interval: 95 % Wilson interval of the accuracy, in [0, 1], to a millionth.
        refused: Number of images refused as non-digits by the card's threshold.
        silent: Number of silent errors: images misread and accepted.
    """

    correct: int
    interval: tuple[float, float]
    refused: int
    silent: int


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Both files on the same images, of a corruption and severity; `only_...` are images that only one file reads."""

    float32: CellCounts
    int8: CellCounts
    only_float32: int
    only_int8: int


class CorruptedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A corruption on a runtime.

    Attributes:
        cells: Cells of severities 1 to 5.
        better_float32: Number of images that the float32 file reads correctly at more severities than the int8 file.
        better_int8: Number of images that the int8 file reads correctly at more severities than the float32 file.
        drop_pp: Mean accuracy over severities, float32's minus int8's, in percentage points.
        drop_interval_pp: 95 % percentile interval of the drop, from resampling images.
        p: P-value of the exact sign test of the two counts; with one severity it would be McNemar's.
        p_holm: P-value after Holm's correction for the runtime's fifteen corruptions.
    """

    corruption: str
    cells: tuple[Cell, ...]
    better_float32: int
    better_int8: int
    drop_pp: float
    drop_interval_pp: tuple[float, float]
    p: float
    p_holm: float


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """The means of a file over all corruptions, as shares of images.

    Attributes:
        error: Mean corruption error, over corruptions and severities, divided by no other model's.
        published_error: Mean error over corruptions, each at MNIST-C's severity.
        refused: Mean share of refused images, over corruptions and severities.
        silent: Mean share of silent errors, of all images.
    """

    error: float
    published_error: float
    refused: float
    silent: float


class RuntimeRobustness(msgspec.Struct, frozen=True, kw_only=True):
    """Both files on a runtime.

    Attributes:
        clean: Cell of the same images without corruption.
        relative_error: Hendrycks and Dietterich's mean corruption error of int8 with float32 as the baseline: the mean
            over corruptions of its errors divided by float32's; None where float32 has none under some corruption.
    """

    runtime: str
    version: str
    clean: Cell
    rows: tuple[CorruptedRow, ...]
    float32: Means
    int8: Means
    relative_error: float | None


class CorruptionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A corruption's definition, and how far the images are from the originals.

    Attributes:
        published: The severity that equals MNIST-C's.
        distances: For severities 1 to 5: root mean square over an image's pixels, mean over images, in gray levels.
    """

    name: str
    meaning: str
    parameters: tuple[tuple[float, ...], ...]
    published: int
    distances: tuple[float, ...]


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions.

    Attributes:
        threshold: Lowest accepted score, in nats; images below are refused.
        images: The images that were corrupted.
        held_out: Whether the model is known not to have been trained on them.
        seconds: Duration of corrupting and reading, in seconds.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    threshold: float
    settings: RobustnessSettings
    images: ImageSet
    held_out: bool
    started: str
    seconds: float
    host: Host
    corruptions: tuple[CorruptionRecord, ...]
    runtimes: tuple[RuntimeRobustness, ...]
