"""The JSON of an abstention benchmark.

Version history of the schema:
    1  First version.
"""

import msgspec

from ....edge.bundle.contract import Format, ImageSet, Precision
from ....edge.bundle.export_record import Abstention
from ....edge.common.machine import Host
from ...statistics.selective import Kept

SCHEMA_VERSION = 1


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """How well the score separates digits from non-digits.

    Attributes:
        auroc: Exact area under the ROC curve, in [0, 1]; equal scores count half.
        auroc_vs_float: Difference from the float32 file of the format, on the same runtime; None if that did not run,
            and for the float32 files.
        accepted: Number of digits that score at least the card's threshold.
        accepted_right: Number of accepted digits that are read correctly.
        right: Number of digits that are read correctly, accepted or not.
        refused: Number of non-digits that score less than the threshold.
    """

    auroc: float
    auroc_vs_float: float | None
    accepted: int
    accepted_right: int
    right: int
    refused: int


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of digits and non-digits that score between neighbouring `edges`, in nats."""

    edges: list[float]
    digits: list[int]
    others: list[int]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a file on a runtime.

    Attributes:
        plain: Separation of images as they are.
        framed: Separation of images framed as the reader does, digits and non-digits.
        calibration_error: Error of the confidence at the card's temperature, on all plain digits, in [0, 1].
        uncalibrated_error: Error of the confidence at temperature 1, on all plain digits, in [0, 1].
        risk: Risk-coverage curve when digits of least confidence are dropped first.
        risk_by_score: Risk-coverage curve when digits of lowest score are dropped first.
        histogram: Scores of the plain images.
        framed_histogram: Scores of the framed images.
    """

    plain: Separation
    framed: Separation
    calibration_error: float
    uncalibrated_error: float
    risk: tuple[Kept, ...]
    risk_by_score: tuple[Kept, ...]
    histogram: Histogram
    framed_histogram: Histogram


class AbstentionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file on a runtime. Either it has figures, or `unavailable` gives the reason why not."""

    file: str
    format: Format
    precision: Precision
    runtime: str
    runtime_version: str | None
    unavailable: str | None
    figures: Figures | None


class AbstentionResults(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions.

    Attributes:
        digits: The evaluation images.
        held_out: Whether the model is known not to have been trained on them.
        chosen_on_them: Whether threshold and temperature were chosen on images that include these.
        others: Source of the non-digit images, with their number and the SHA-256 of their pixels.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    abstention: Abstention
    digits: ImageSet
    held_out: bool
    chosen_on_them: bool
    others: ImageSet
    started: str
    host: Host
    rows: tuple[AbstentionRow, ...]
