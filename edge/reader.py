"""The reader: one call from a frame to its digits. This is what other programs import."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .bundle import SHIPPED, open_bundle
from .card import IMAGE_SHAPE, Precision
from .classifiers import choose_runtime, load_classifier
from .finding import Box, find_digits
from .framing import frame_digit


@dataclass(frozen=True)
class Digit:
    """One digit: what it is, the model's probability for that, and where it is in the frame."""

    digit: int
    confidence: float
    box: Box


@dataclass(frozen=True)
class Reading:
    """What a frame says.

    Attributes:
        rows: The digits of each row as a string, top to bottom.
        digits: The same digits in the same order.
        timing_ms: Milliseconds spent in each stage: find, frame, infer.
    """

    rows: tuple[str, ...]
    digits: tuple[Digit, ...]
    timing_ms: dict[str, float]


class Reader:
    """Reads digits with one file of a bundle on one runtime.

    Example:
        >>> reader = Reader()
        >>> reader.read(frame).rows
        ('1247', '89')
    """

    def __init__(
        self,
        bundle: Path = SHIPPED,
        runtime: str | None = None,
        precision: Precision = "int8",
        num_threads: int = 1,
    ) -> None:
        """Load the model.

        Args:
            bundle: A bundle's folder.
            runtime: `litert`, `tflite-runtime` or `onnxruntime`; None takes the first one installed.
            precision: Of the file to load, e.g. `int8`.
            num_threads: For the inference.

        Raises:
            ModelCardError: The bundle does not hold, or has no file of this format and precision.
            RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        """
        self.runtime = choose_runtime(runtime)
        self.precision = precision
        self._classifier = load_classifier(open_bundle(bundle), self.runtime, precision, num_threads)

    def read(self, frame: NDArray[np.uint8]) -> Reading:
        """Read a gray frame, uint8 [height, width]; a frame without digits gives an empty reading.

        Raises:
            ValueError: The frame is not a gray image.
        """
        if frame.ndim != 2 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(f"expected a gray frame, uint8 [height, width], got {frame.dtype} {frame.shape}.")
        started = time.perf_counter()
        finding = find_digits(frame)
        found = time.perf_counter()
        boxes = [box for row in finding.rows for box in row]
        images = np.empty((len(boxes), *IMAGE_SHAPE), np.uint8)
        for image, box in zip(images, boxes, strict=True):
            image[:] = frame_digit(finding.ink[box.y : box.bottom, box.x : box.right])
        framed = time.perf_counter()
        probabilities = softmax(self._classifier.logits(images)) if boxes else np.empty((0, 10), np.float32)
        inferred = time.perf_counter()
        digits = tuple(
            Digit(int(row.argmax()), round(float(row.max()), 4), finding.in_frame(box))
            for row, box in zip(probabilities, boxes, strict=True)
        )
        return Reading(
            rows=_join_rows(digits, [len(row) for row in finding.rows]),
            digits=digits,
            timing_ms={
                "find": round(1000 * (found - started), 3),
                "frame": round(1000 * (framed - found), 3),
                "infer": round(1000 * (inferred - framed), 3),
            },
        )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 [N, 10], each row summing to 1, from logits [N, 10]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _join_rows(digits: tuple[Digit, ...], lengths: list[int]) -> tuple[str, ...]:
    names = iter(str(digit.digit) for digit in digits)
    return tuple("".join(next(names) for _ in range(length)) for length in lengths)
