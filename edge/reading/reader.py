"""The reader: one call from a frame to its digits. This is what other programs import."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle.card import Precision
from ..bundle.folder import Bundle, open_bundle
from ..bundle.shipped import SHIPPED
from ..runtimes.abstention import estimate_class_probability, estimate_digit_probability, score_digits, weigh_company
from ..runtimes.classifiers import choose_runtime
from ..runtimes.loading import load_classifier
from .alternatives import Classified, choose_digits, suggest_alternatives
from .finding import Candidates, find_candidates
from .framing import frame_digits
from .shapes import Box, Shape


@dataclass(frozen=True)
class Digit:
    """One digit of a frame.

    Attributes:
        digit: 0 to 9.
        confidence: How likely there is this very digit, 0 to 1: the product of the two probabilities below, or the
            second alone where the bundle does not say the first.
        score: The log odds that it is a digit at all, in nats, as the model was trained; see `abstention.py`.
        box: In pixels of the frame.
        digit_probability: How likely it is a digit at all and not something that looks like one, 0 to 1; calibrated on
            digits and on scenes without any. None where the bundle was exported without.
        class_probability: How likely it is this digit and no other, given that it is one: 0.1 to 1, calibrated. None
            where several readings were put together.
    """

    digit: int
    confidence: float
    score: float
    box: Box
    digit_probability: float | None = None
    class_probability: float | None = None


@dataclass(frozen=True)
class Reading:
    """What a frame says.

    Attributes:
        rows: The digits of each row as a string, top to bottom.
        digits: The same digits in the same order.
        timing_ms: Milliseconds spent in each stage: find, frame, infer.
        shapes: How many shapes were found that might have been digits.
        truncated: Whether the frame has more shapes than are looked at, so that digits may be missing; a page of text,
            cloth or gravel has.
    """

    rows: tuple[str, ...]
    digits: tuple[Digit, ...]
    timing_ms: dict[str, float]
    shapes: int = 0
    truncated: bool = False


class Reader:
    """Reads digits with one file of a bundle on one runtime; any number of threads may use it at the same time.

    Example:
        >>> reader = Reader()
        >>> reader.read(frame).rows
        ('1247', '89')
    """

    def __init__(
        self,
        bundle: Path | str | Bundle = SHIPPED,
        runtime: str | None = None,
        precision: Precision = "int8",
        num_threads: int = 1,
    ) -> None:
        """Load the model.

        Args:
            bundle: A bundle's folder, the name of a shipped one, or an open bundle.
            runtime: `litert`, `tflite-runtime` or `onnxruntime`; None takes the first one installed.
            precision: Of the file to load, e.g. `int8`.
            num_threads: For the inference.

        Raises:
            ValueError: An argument is not one of these.
            ModelCardError: The bundle does not hold, or has no file of this format and precision.
            RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        """
        self.runtime = choose_runtime(runtime)
        self.precision = precision
        opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        self._classifier = load_classifier(opened, self.runtime, precision, num_threads)
        self._abstention = opened.export.abstention

    def read(self, frame: NDArray[np.uint8]) -> Reading:
        """Read a gray frame, uint8 [height, width]; a frame without digits gives an empty reading.

        Raises:
            ValueError: The frame is not a gray image.
        """
        clock = _Clock()
        finding = find_candidates(frame)
        clock.lap("find")
        guesses = self._classify(finding, finding.shapes, clock)
        alternatives, is_cut_short = suggest_alternatives(finding, guesses, self._abstention.threshold)
        clock.lap("find")
        second = iter(self._classify(finding, [shape for other in alternatives for shape in other.shapes], clock))
        others = [[next(second) for _ in other.shapes] for other in alternatives]
        rows = choose_digits(guesses, alternatives, others, self._abstention.threshold)
        company = weigh_company([guess.digit for row in rows for guess in row], len(guesses))
        reading = [[self._describe(finding, guess, company) for guess in row] for row in rows]
        clock.lap("find")
        return Reading(
            rows=tuple("".join(str(digit.digit) for digit in row) for row in reading),
            digits=tuple(digit for row in reading for digit in row),
            timing_ms={stage: round(ms, 3) for stage, ms in clock.spent_ms.items()},
            shapes=len(guesses),
            truncated=finding.truncated or is_cut_short,
        )

    def _classify(self, finding: Candidates, shapes: Sequence[Shape], clock: "_Clock") -> list[Classified]:
        """All shapes in one batch."""
        if not shapes:
            return []
        images = frame_digits([finding.ink(shape) for shape in shapes])
        clock.lap("frame")
        logits = self._classifier.logits(images)
        scores, digits = score_digits(logits).tolist(), logits.argmax(axis=1).tolist()
        sure = estimate_class_probability(logits, self._abstention.temperature).tolist()
        clock.lap("infer")
        return [Classified(*fields) for fields in zip(shapes, digits, scores, sure, strict=True)]

    def _describe(self, finding: Candidates, guess: Classified, company: float) -> Digit:
        box = finding.in_frame(guess.shape.box)
        there = estimate_digit_probability(guess.score, company, self._abstention.digit_odds)
        confidence = guess.class_probability if there is None else there * guess.class_probability
        return Digit(
            guess.digit,
            round(confidence, 4),
            round(guess.score, 3),
            box,
            None if there is None else round(there, 4),
            round(guess.class_probability, 4),
        )


class _Clock:
    """Adds up the time that each stage takes."""

    def __init__(self) -> None:
        self.spent_ms = {"find": 0.0, "frame": 0.0, "infer": 0.0}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Everything since the last call was this stage."""
        now = time.perf_counter()
        self.spent_ms[stage] += 1000 * (now - self._last)
        self._last = now
