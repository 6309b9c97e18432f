"""The JSON of a comparison of the zoo: each network's accuracies, training and latencies.

Version history of the schema:
    1  First version.
"""

from typing import Literal

import msgspec

from ....edge.bundle.contract import Format, Precision
from ....edge.common.machine import Host
from ...results.peer_inputs import InputCheck

SCHEMA_VERSION = 1


class ZooSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The amount of timing: the number of rounds, and of turns of `TURN_IMAGES` images for each model in a round."""

    rounds: int = 20
    turns: int = 5
    seed: int = 1


class ZooFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a bundle, and the number of test images that it reads correctly.

    Attributes:
        validation_correct: Number of correct validation images, if the export counted them, as it does to quantize.
    """

    name: str
    format: Format
    precision: Precision
    runtime: str
    size_bytes: int
    correct: int
    validation_correct: int | None = None


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A median latency divided by that of another model, with its 95 % interval."""

    to: str
    ratio: float
    interval: tuple[float, float]


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds per image: the median, and each turn's mean by rounds."""

    p50_us: float
    rounds: list[list[float]]


class ZooModel(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle in the comparison.

    Attributes:
        bundle: Name of its folder.
        recipe_of: Origin of its recipe: this project or the published description.
        command: Command that repeats the training.
        validation: Accuracy in [0, 1] of the Keras model in the epoch that was kept.
        validation_count: Number of validation images.
        keras_correct: Number of test images that the Keras model reads correctly.
        files: Float and int8 files in both formats.
        timed: Latency of the int8 TFLite file.
        ratios: Ratios of its latency to those of peers.
    """

    bundle: str
    card_sha256: str
    network: str
    recipe_of: Literal["edge-mnist", "description"]
    command: str
    device: str
    seed: int
    epochs: int
    best_epoch: int
    parameters: int
    macs: int
    validation: float
    validation_count: int
    keras_correct: int
    files: list[ZooFile]
    timed: Timed
    ratios: list[Ratio]

    def file(self, format_: Format, precision: Precision) -> ZooFile:
        """Return its file of this format and precision."""
        return next(one for one in self.files if (one.format, one.precision) == (format_, precision))


class ZooPeer(msgspec.Struct, frozen=True, kw_only=True):
    """Another project's model: its accuracy on the same test images, and its latency."""

    name: str
    sha256: str
    size_bytes: int
    correct: int
    timed: Timed
    input_check: InputCheck | None = None


class Zoo(msgspec.Struct, frozen=True, kw_only=True):
    """A whole comparison and its conditions."""

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    runtime: str
    started: str
    settings: ZooSettings
    host_before: Host
    host_after: Host
    evaluated_on: str
    count: int
    models: list[ZooModel]
    peers: list[ZooPeer]
