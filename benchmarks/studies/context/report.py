"""The results of training the context network, as JSON and as tables."""

from msgspec import Struct

from ....edge.common.machine import Host
from ....edge.common.terminal.formatting import format_percent
from ....edge.common.terminal.tables import format_table
from .evidence import EvidenceWeights, KeptShapes, Separability

SCHEMA_VERSION = 1
SEPARABILITY_HEADERS = ["evidence", "AUC, found shapes", "AUC, cut or joined shapes"]
KEPT_HEADERS = ["frames", "digits", "digits kept", "other shapes", "others kept"]


class ContextSettings(Struct, frozen=True, kw_only=True):
    """The amount of training.

    Attributes:
        frames: Number of frames to train on.
        epochs: Number of epochs.
        seed: Seed of frames and of the network's first weights.
    """

    frames: int = 5000
    epochs: int = 7
    seed: int = 1


class ExampleCounts(Struct, frozen=True, kw_only=True):
    """The size of a set: photographs, fonts, composed frames, and shapes in them that have a label."""

    photographs: int
    fonts: int
    frames: int
    shapes: int


class ContextFigures(Struct, frozen=True, kw_only=True):
    """What was fitted and measured.

    Attributes:
        weights: The weights of the evidence, for `edge/reading/judging.py`.
        separability: How well each kind of evidence separates digits from other shapes that the classifier accepts.
        kept: The shapes that the classifier accepts and all evidence keeps, by kind of frame.
        int8_differs_mean: Mean difference between the int8 and the float network, in nats.
        int8_differs_most: Largest difference between them, in nats.
    """

    weights: EvidenceWeights
    separability: tuple[Separability, ...]
    kept: tuple[KeptShapes, ...]
    int8_differs_mean: float
    int8_differs_most: float


class ContextResults(Struct, frozen=True, kw_only=True):
    """A whole run and its conditions.

    Attributes:
        training: The frames that the network and the weights were fitted on.
        evaluation: Frames with other photographs, on which all else was measured.
        threshold: Score, in nats, from which the shipped model's card accepts a shape.
        size_bytes: Size of the network's file.
    """

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    started: str
    host: Host
    training: ExampleCounts
    evaluation: ExampleCounts
    settings: ContextSettings
    threshold: float
    size_bytes: int
    figures: ContextFigures


def format_context(results: ContextResults) -> str:
    """Format the tables, the weights to enter, and the conditions, for a terminal."""
    separability = format_table(
        [[row.evidence, _format_area(row.found), _format_area(row.parts)] for row in results.figures.separability],
        SEPARABILITY_HEADERS,
        align=("left", "right", "right"),
    )
    kept = format_table(
        [
            [row.kind, row.digits, _share(row.digits_kept, row.digits), row.others, _share(row.others_kept, row.others)]
            for row in results.figures.kept
        ],
        KEPT_HEADERS,
        align=("left", "right", "right", "right", "right"),
    )
    weights = results.figures.weights
    return "\n\n".join(
        [
            "Shapes that the classifier accepts, in frames with photographs that were not trained on:",
            separability,
            "Found shapes that all evidence keeps, at the shipped threshold:",
            kept,
            f"The int8 network differs from the float one by {results.figures.int8_differs_mean:.3f} nats on average, "
            f"and by {results.figures.int8_differs_most:.2f} at most. Its file has {results.size_bytes:,} bytes.",
            "Weights for edge/reading/judging.py:\n"
            f"  SCORE, CONTEXT, INTERCEPT = {weights.score:.2f}, {weights.context:.2f}, {weights.intercept:.2f}\n"
            f"  COMPANY, ALONE = {weights.company:.2f}, {weights.alone:.2f}",
            describe_training(results),
        ]
    )


def describe_training(results: ContextResults) -> str:
    """Describe the frames of both sets, and the settings."""
    sets = (("Trained", results.training), ("Evaluated", results.evaluation))
    sentences = [
        f"{verb} on {counts.shapes:,} shapes of {counts.frames:,} frames, with {counts.photographs:,} photographs "
        f"and {counts.fonts:,} fonts."
        for verb, counts in sets
    ]
    return "\n".join([*sentences, f"Epochs: {results.settings.epochs}; seed: {results.settings.seed}."])


def _format_area(area: float | None) -> str:
    return "" if area is None else f"{area:.4f}"


def _share(part: int, whole: int) -> str:
    return format_percent(part / whole) if whole else ""
