"""The reader of digits: one call from a frame to its digits, for other programs to import."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bundle.contract import Precision
from ..bundle.folder import Bundle
from ..bundle.shipped import SHIPPED
from ..media.frames import Order, Picture, make_gray
from ..runtimes.abstention import estimate_class_probability, estimate_digit_probability, score_digits, weigh_company
from ..runtimes.prediction import Classifier
from .alternatives import UNSEEN, Classified, choose_reading, suggest_alternatives
from .fates import InkFate, explain_reading
from .finding import Candidates, find_candidates
from .framing import frame_digits
from .ink.shapes import Box, Shape
from .judging import (
    HOPELESS,
    LENIENT,
    choose_beside_digits,
    choose_rows,
    judge_parts,
    judge_shapes,
    sample_shapes,
)

# A row is read if at least one of its digits is this likely to be a digit. Among so much else, a lone one is chance.
LEAST_LIKELY = 0.05


@dataclass(frozen=True)
class Digit:
    """One digit of a frame.

    Attributes:
        digit: The digit, 0 to 9.
        confidence: Probability of this digit, 0 to 1: the product of the two probabilities below, or the second alone
            if the bundle has no calibration for the first.
        score: Log odds, in nats, that the shape is a digit, as the model was trained; see `abstention.py`.
        box: Rectangle around the digit in pixels of the frame.
        digit_probability: Probability, 0 to 1, that the shape is a digit and not something like one; calibrated on
            digits and on scenes without any. None if the bundle was exported without this calibration.
        class_probability: Calibrated probability, 0.1 to 1, of this digit, given that the shape is a digit. None if
            several readings were combined.
    """

    digit: int
    confidence: float
    score: float
    box: Box
    digit_probability: float | None = None
    class_probability: float | None = None


def is_likely(row: Sequence[Digit], least: float) -> bool:
    """Whether at least one digit of a row has a probability of being one that is at least this, or not calibrated."""
    return any(digit.digit_probability is None or digit.digit_probability >= least for digit in row)


@dataclass(frozen=True, repr=False)
class Reading:
    """The digits of one frame.

    Attributes:
        rows: The digits of each row as a string, top to bottom.
        digits: The same digits in the same order.
        timing_ms: Milliseconds spent in each stage: find, frame, infer.
        shapes: Number of shapes that might have been digits.
        truncated: Whether the frame has more ink than is looked at, so that digits may be missing: a page of text,
            cloth or gravel.
        candidates: Each piece of ink and why it was read or left out, if the reader explains its readings.
    """

    rows: tuple[str, ...]
    digits: tuple[Digit, ...]
    timing_ms: dict[str, float]
    shapes: int = 0
    truncated: bool = False
    candidates: tuple[InkFate, ...] = ()

    def __repr__(self) -> str:
        """Show the rows, the least certain digit and the time."""
        least = min(self.digits, key=lambda digit: digit.confidence, default=None)
        doubt = f", least certain: {least.digit} at {least.confidence:.3f}" if least else ""
        return f"Reading({list(self.rows)}{doubt}, {sum(self.timing_ms.values()):.1f} ms)"


class Reader:
    """A reader of digits with one model file of a bundle on one runtime; threads may share it.

    Attributes:
        classifier: Classifier of single digits that it reads with.
        runtime: Runtime of the model file.
        precision: Precision of the model file.

    Example:
        >>> reader = Reader("nano")
        >>> reader.read("page.png").rows
        ('1247', '89')
    """

    def __init__(
        self,
        bundle: Path | str | Bundle = SHIPPED,
        runtime: str | None = None,
        precision: Precision = "int8",
        threads: int = 1,
        explain: bool = False,
        least_likely: float = LEAST_LIKELY,
    ) -> None:
        """Load the model.

        Args:
            bundle: A bundle's folder, the name of a shipped one, or an open bundle.
            runtime: `litert`, `tflite-runtime` or `onnxruntime`; None takes the first one installed.
            precision: Precision of the model file to load, e.g. `int8`.
            threads: Threads the runtime may use for one inference.
            explain: Whether readings say what became of each piece of ink, see `Reading.candidates`.
            least_likely: Probability, 0 to 1, that the surest digit of a row must have of being a digit; 0 keeps all.

        Raises:
            ArgumentError: An argument is not one of these.
            ModelCardError: The bundle is not valid, or has no file of this format and precision.
            RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        """
        self.classifier = Classifier(bundle, runtime, precision, threads)
        self.runtime, self.precision = self.classifier.runtime, precision
        self._abstention = self.classifier.abstention
        self._explain = explain
        self._least_likely = least_likely

    def __repr__(self) -> str:
        """Name the model, its precision and its runtime."""
        return repr(self.classifier).replace("Classifier", "Reader", 1)

    def read(self, picture: Picture, order: Order = "RGB") -> Reading:
        """Read a picture; one without digits gives an empty reading.

        Args:
            picture: Path of a file, or its content as bytes; a Pillow picture; or an array, uint8 [height, width],
                [height, width, 3] in colour, or [height, width, 4] with transparency. Of any colour on any ground.
            order: Order of an array's colours, `RGB`, or `BGR` for what OpenCV reads.

        Raises:
            ArgumentError: It is something else; the message says how to convert it.
            PictureError: The file or the Pillow picture cannot be read.
        """
        frame = make_gray(picture, order)
        clock = _Clock()
        finding = find_candidates(frame)
        clock.lap("find")
        threshold = self._abstention.threshold
        guesses, is_sampled = self._judge(finding, clock)
        alternatives, is_cut_short = suggest_alternatives(finding, guesses, threshold + LENIENT)
        clock.lap("find")
        parts = self._classify([shape for other in alternatives for shape in other.shapes], finding, clock)
        second = iter(judge_parts(finding, parts, threshold))
        others = [[next(second) for _ in other.shapes] for other in alternatives]
        shown = choose_reading(guesses, alternatives, others, threshold + LENIENT)
        rows = choose_rows(shown, threshold)
        possible = sum(guess.score > threshold - HOPELESS for guess in guesses)
        company = weigh_company([guess.digit for row in rows for guess in row], possible)
        described = [[self._describe(finding, guess, company) for guess in row] for row in rows]
        # A frame with nothing else in it is a digit that somebody cut out.
        least = self._least_likely if len(guesses) > sum(map(len, rows)) else 0.0
        places = [i for i, row in enumerate(described) if is_likely(row, least)]
        reading = [described[i] for i in places]
        clock.lap("find")
        return Reading(
            rows=tuple("".join(str(digit.digit) for digit in row) for row in reading),
            digits=tuple(digit for row in reading for digit in row),
            timing_ms={stage: round(ms, 3) for stage, ms in clock.spent_ms.items()},
            shapes=len(guesses),
            truncated=finding.truncated or is_sampled or is_cut_short,
            candidates=explain_reading(finding, guesses, shown, rows, [rows[i] for i in places], threshold)
            if self._explain
            else (),
        )

    def _judge(self, finding: Candidates, clock: "_Clock") -> tuple[list[Classified], bool]:
        """Judge all shapes; of very many, some all over the frame and, if these are digits, those beside them."""
        threshold = self._abstention.threshold
        guesses = [Classified(shape, 0, UNSEEN, 0.0, UNSEEN) for shape in finding.shapes]
        for choose in (sample_shapes, choose_beside_digits):
            places = choose(guesses, threshold + LENIENT)
            seen = self._classify([guesses[i].shape for i in places], finding, clock)
            for i, guess in zip(places, judge_shapes(finding, seen, threshold), strict=True):
                guesses[i] = guess
        return guesses, any(guess.unseen for guess in guesses)

    def _classify(self, shapes: Sequence[Shape], finding: Candidates, clock: "_Clock") -> list[Classified]:
        """Classify all shapes in one batch."""
        if not shapes:
            return []
        images = frame_digits([finding.ink(shape) for shape in shapes])
        clock.lap("frame")
        logits = self.classifier.logits(images)
        scores, digits = score_digits(logits).tolist(), logits.argmax(axis=1).tolist()
        sure = estimate_class_probability(logits, self._abstention.temperature).tolist()
        clock.lap("infer")
        return [Classified(*fields) for fields in zip(shapes, digits, scores, sure, scores, strict=True)]

    def _describe(self, finding: Candidates, guess: Classified, company: float) -> Digit:
        box = finding.in_frame(guess.shape.box)
        there = estimate_digit_probability(guess.model_score, company, self._abstention.digit_odds)
        confidence = guess.class_probability if there is None else there * guess.class_probability
        return Digit(
            guess.digit,
            round(confidence, 4),
            round(guess.model_score, 3),
            box,
            None if there is None else round(there, 4),
            round(guess.class_probability, 4),
        )


class _Clock:
    """A clock that adds up the time of each stage."""

    def __init__(self) -> None:
        self.spent_ms = {"find": 0.0, "frame": 0.0, "infer": 0.0}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Count the time since the last call for this stage."""
        now = time.perf_counter()
        self.spent_ms[stage] += 1000 * (now - self._last)
        self._last = now
