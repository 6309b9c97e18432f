"""Examples for the context network: windows around the shapes that the reader finds in composed frames, with labels.

A shape is a digit if its box agrees with a digit's, and no digit if it has little in common with any; all other shapes
are ambiguous, and not learned from. The reader also looks at parts of shapes and at joined ones: half of a digit is no
digit, however much it looks like one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.folder import open_bundle
from ....edge.bundle.shipped import SHIPPED
from ....edge.common.terminal.progress import ProgressBar
from ....edge.reading.alternatives import Classified, suggest_alternatives
from ....edge.reading.context import Windows, cut_windows
from ....edge.reading.finding import Candidates, find_candidates
from ....edge.reading.framing import frame_digits
from ....edge.reading.ink.shapes import Box, Shape
from ....edge.runtimes.abstention import score_digits
from ....edge.runtimes.classifiers import LoadedModel
from ....edge.runtimes.loading import load_classifier
from ....edge.runtimes.registry import choose_runtime
from ...errors import BenchmarkError
from .frames import KINDS, ComposedFrame, Sources, compose_frame
from .sheet import UNSURE, DigitBox

DIGIT, NO_DIGIT, AMBIGUOUS = 1, 0, -1
# Intersection over union of the boxes: above, a shape is the digit; below, a part is none.
SAME, PART = 0.6, 0.42
# The larger share of either box that both have in common: below, the shape has nothing to do with the digit.
APART = 0.25
# Frames with more shapes are left out, and half of those with many: a few would be most of all examples.
MOST_SHAPES, MANY_SHAPES, MANY_LEFT_OUT = 250, 120, 0.5
# Frames with more parts have none of them among the examples; others have at most the second number.
MOST_PARTS, PARTS_TAKEN = 400, 60
# Parts that score less, in nats, are no digits without looking around.
LEAST_SCORE = 0.0


@dataclass(frozen=True)
class ShapeReader:
    """The finder and the classifier as in the reader, without the judgement by context.

    Attributes:
        classifier: The shipped model.
        threshold: Score, in nats, from which its card accepts a shape.
    """

    classifier: LoadedModel
    threshold: float

    @classmethod
    def load(cls) -> "ShapeReader":
        """Load the shipped model."""
        bundle = open_bundle(SHIPPED)
        return cls(load_classifier(bundle, choose_runtime(None), "int8"), bundle.export.abstention.threshold)

    def classify(self, finding: Candidates, shapes: Sequence[Shape]) -> list[Classified]:
        """Classify shapes by their ink alone; the probability of the class is not estimated."""
        if not shapes:
            return []
        logits = self.classifier.logits(frame_digits([finding.ink(shape) for shape in shapes]))
        digits, scores = logits.argmax(axis=1).tolist(), score_digits(logits).tolist()
        return [Classified(*answer, 1.0) for answer in zip(shapes, digits, scores, strict=True)]


@dataclass(frozen=True)
class Examples:
    """Shapes of composed frames, a row each.

    Attributes:
        windows: Their surroundings, uint8 [N, 32, 32, 2].
        labels: DIGIT, NO_DIGIT or AMBIGUOUS, int8 [N].
        scores: The classifier's scores, float64 [N], nats.
        digits: The classifier's digits, int8 [N].
        boxes: Their boxes at working size, int32 [N, 4]: x, y, width, height.
        frames: The number of each one's frame, int32 [N].
        kinds: The place of its kind among KINDS, int8 [N].
        parts: Whether it is a part of a shape or joined, bool [N].
    """

    windows: Windows
    labels: NDArray[np.int8]
    scores: NDArray[np.float64]
    digits: NDArray[np.int8]
    boxes: NDArray[np.int32]
    frames: NDArray[np.int32]
    kinds: NDArray[np.int8]
    parts: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.bool_]) -> "Examples":
        """Take the rows of a mask, bool [N]."""
        return Examples(*(getattr(self, field.name)[rows] for field in fields(self)))


def collect_examples(reader: ShapeReader, sources: Sources, numbers: range, seed: int) -> Examples:
    """Compose frames with these numbers and collect their shapes; a frame depends on the seed and its number only.

    Raises:
        BenchmarkError: No shape was found in any frame.
    """
    collected = []
    with ProgressBar(numbers, unit="frame") as bar:
        for number in bar:
            random = np.random.default_rng((seed, number))
            collected.append(read_frame(reader, compose_frame(sources, random), number, random))
    columns = [[getattr(one, field.name) for one in collected if one] for field in fields(Examples)]
    if not columns[0]:
        raise BenchmarkError(f"expected shapes in {len(numbers):,} composed frames, found none. Compose more frames.")
    return Examples(*(np.concatenate(column) for column in columns))


def read_frame(reader: ShapeReader, frame: ComposedFrame, number: int, random: np.random.Generator) -> Examples | None:
    """Find the shapes of a frame, and the parts that the classifier may take for digits; None if it is left out."""
    finding = find_candidates(frame.pixels)
    count = len(finding.shapes)
    if not 0 < count <= MOST_SHAPES or (count > MANY_SHAPES and random.random() < MANY_LEFT_OUT):
        return None
    found = reader.classify(finding, finding.shapes)
    parts = _find_parts(reader, finding, found, random)
    shapes = [guess.shape for guess in (*found, *parts)]
    labels = [
        *label_shapes(finding, [guess.shape for guess in found], frame.boxes),
        *label_shapes(finding, [guess.shape for guess in parts], frame.boxes, are_parts=True),
    ]
    total = len(shapes)
    return Examples(
        windows=cut_windows(finding, shapes),
        labels=np.array(labels, np.int8),
        scores=np.array([guess.score for guess in (*found, *parts)]),
        digits=np.array([guess.digit for guess in (*found, *parts)], np.int8),
        boxes=np.array([shape.box for shape in shapes], np.int32),
        frames=np.full(total, number, np.int32),
        kinds=np.full(total, list(KINDS).index(frame.kind), np.int8),
        parts=np.arange(total) >= count,
    )


def _find_parts(
    reader: ShapeReader, finding: Candidates, found: Sequence[Classified], random: np.random.Generator
) -> list[Classified]:
    """Cut and join shapes as the reader does, and take some of those that look like digits."""
    alternatives, _ = suggest_alternatives(finding, found, reader.threshold)
    shapes = [shape for alternative in alternatives for shape in alternative.shapes]
    if len(shapes) > MOST_PARTS:
        return []
    likely = [guess for guess in reader.classify(finding, shapes) if guess.score > LEAST_SCORE]
    if len(likely) <= PARTS_TAKEN:
        return likely
    return [likely[place] for place in random.choice(len(likely), PARTS_TAKEN, replace=False)]


def label_shapes(
    finding: Candidates, shapes: Sequence[Shape], boxes: Sequence[DigitBox], are_parts: bool = False
) -> list[int]:
    """Label shapes by the boxes of a frame's digits: DIGIT, NO_DIGIT or AMBIGUOUS each."""
    return [_label(finding.in_frame(shape.box), boxes, are_parts) for shape in shapes]


def _label(box: Box, digits: Sequence[DigitBox], is_part: bool) -> int:
    """Label a shape by its box in pixels of the frame."""
    nearest, same, common = UNSURE, 0.0, 0.0
    for digit in digits:
        across = min(digit.right, box.right) - max(digit.left, box.x)
        down = min(digit.bottom, box.bottom) - max(digit.top, box.y)
        if across <= 0 or down <= 0:
            continue
        areas = box.width * box.height, (digit.right - digit.left) * (digit.bottom - digit.top)
        shared = across * down
        common = max(common, shared / min(areas))
        if (union := shared / (sum(areas) - shared)) >= same:
            nearest, same = digit.digit, union
    if same > SAME and nearest != UNSURE:
        return DIGIT
    return NO_DIGIT if common < APART or (is_part and same < PART) else AMBIGUOUS
