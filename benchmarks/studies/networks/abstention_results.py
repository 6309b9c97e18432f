"""What an abstention benchmark found, as it is written to JSON.

Version history of the schema:
    1  First version.
"""

import msgspec

from ....edge.bundle.card import Abstention, Format, ImageSet, Precision
from ....edge.common.machine import Host
from ...statistics.selective import Kept

SCHEMA_VERSION = 1


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """How well the score tells digits from the others.

    Attributes:
        auroc: Exact; equal scores count half.
        auroc_vs_float: This minus that of the float32 file of the format, on the same runtime; None where that did not
            run, and for the float32 files.
        accepted: Digits that score at least the card's threshold.
        accepted_right: How many of those are read correctly.
        right: Digits that are read correctly, accepted or not.
        refused: Others that score less than the threshold.
    """

    auroc: float
    auroc_vs_float: float | None
    accepted: int
    accepted_right: int
    right: int
    refused: int


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How many digits and others score between each two neighbours of `edges`, in nats."""

    edges: list[float]
    digits: list[int]
    others: list[int]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a file does on a runtime.

    Attributes:
        plain: Images as they are.
        framed: Images framed as the reader frames what it finds, digits and others.
        calibration_error: Of the confidence at the card's temperature, on all digits as they are, in [0, 1].
        uncalibrated_error: The same at temperature 1.
        risk: What letting go of the digits of least confidence gives.
        risk_by_score: What letting go of those of the lowest score gives.
        histogram: Of the plain images' scores.
        framed_histogram: Of the framed images' scores.
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
    """A file on a runtime. Either `unavailable` says why there are no figures, or there are."""

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
        chosen_on_them: Whether the threshold and temperature were chosen on images that these are among.
        others: Where the other images come from, with how many there are, and the SHA-256 of their pixels.
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
