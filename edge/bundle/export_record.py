"""The card's record of the export: each file's input and output, quantization, verification and golden logits."""

from typing import Annotated, Literal

import msgspec

from ..common.machine import Processor
from .contract import IMAGE_SHAPE, NUM_CLASSES, Count, FileName, FileRecord, Format, ImageSet, Precision, Record

# The range of float32, with room for differences.
Logit = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]


class Evaluation(Record, frozen=True, kw_only=True):
    """Images that every file was compared on, and how many the Keras model reads correctly.

    `held_out` is False if the model may have been trained on them.
    """

    images: ImageSet
    correct: Count
    held_out: bool

    def __post_init__(self) -> None:
        """Refuse an accuracy outside its range."""
        if not 0 < self.images.count >= self.correct:
            raise ValueError(f"{self.correct} correct answers for {self.images.count} images are impossible")


class Calibration(Record, frozen=True, kw_only=True):
    """The training images that quantization may use, in turns of ten: a 0, a 1, ... a 9.

    `indices` count in `images.source`. None of these images is in any of the sets named in `disjoint_from`, neither by
    index nor, pixel for pixel, by content.
    """

    images: ImageSet
    indices: tuple[int, ...]
    disjoint_from: tuple[str, ...]


class Trial(Record, frozen=True, kw_only=True):
    """One way of quantizing, and its validation results.

    Attributes:
        weights: Change to the weights before quantization: `as trained`, or `equalized and rounded`, see
            `export/quantize/equalize.py` and `export/quantize/rounding.py`.
        method: How the ranges of activations were chosen.
        calibration_images: Number of images used, from the first on.
        correct: Validation images read correctly.
        snr_db: Signal-to-noise ratio of the logits against the Keras model's, on validation: 20 log10(rms signal / rms
            error).
        degraded: Whether the ranges were also found on a degraded copy of each calibration image, see
            `export/quantize/degrade.py`. Schema 4 and older have neither this field nor the next one.
        degraded_snr_db: Signal-to-noise ratio as in `snr_db`, on degraded copies of the validation images.
    """

    weights: str
    method: str
    calibration_images: Count
    correct: Count
    snr_db: float
    degraded: bool | msgspec.UnsetType = msgspec.UNSET
    degraded_snr_db: float | msgspec.UnsetType = msgspec.UNSET


class Quantization(Record, frozen=True, kw_only=True):
    """How a file was quantized: the best trial, and all trials, on the images named by `validation`.

    `weight_levels` is the largest integer that stands for a weight: 127 for 8 bits, 64 for 7.
    """

    chosen: Trial
    trials: tuple[Trial, ...]
    validation: ImageSet
    weight_levels: Count


class Tensor(Record, frozen=True, kw_only=True):
    """A file's input or output. The batch dimension is -1; real value = (integer - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "int8", "float32"]
    scale: float | None = None
    zero_point: int | None = None


class Verification(Record, frozen=True, kw_only=True):
    """Results of this file, in a process of its own, on the first evaluation set, compared image by image with others.

    Attributes:
        runtime: Name and version of the runtime.
        correct: Images read correctly.
        agreeing: Images on which it names the same digit as the Keras model.
        lost: Images that the float32 file of the same format reads correctly and this one does not. For a float32 file
            the Keras model stands in its place.
        gained: Images that this file reads correctly and the float32 file of the same format does not.
        max_logit_difference: Largest absolute difference from the Keras model's logits.
        accepted: Images whose score reaches the card's abstention threshold. Schema 4 and older do not have this field.
    """

    runtime: str
    correct: Count
    agreeing: Count
    lost: Count
    gained: Count
    max_logit_difference: float
    accepted: Count | msgspec.UnsetType = msgspec.UNSET


class LayerNoise(Record, frozen=True, kw_only=True):
    """The total quantization noise at a layer's output: 20 log10(rms value / rms error), in decibels."""

    layer: str
    snr_db: float


class ModelFile(Record, frozen=True, kw_only=True):
    """One exported file.

    Attributes:
        min_runtime: The first TensorFlow Lite that has all its operators, according to the converter; None for ONNX.
        quantization: How it was quantized; None if no integers were calibrated.
        layers: Noise of each layer, in the order of the network; empty if nothing was calibrated.
        golden_logits: Logits that it returned, in its runtime, for the export's golden images, [N, 10].
        float_operators: Operators of an int8 file that compute in float32. Absent if there are none.
    """

    record: FileRecord
    format: Format
    precision: Precision
    input: Tensor
    output: Tensor
    min_runtime: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    quantization: Quantization | None = None
    layers: tuple[LayerNoise, ...] = ()
    verification: Verification
    golden_logits: tuple[tuple[Logit, ...], ...]
    float_operators: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse shapes other than the contract's."""
        if self.input.shape[1:] != IMAGE_SHAPE or self.output.shape[1:] != (NUM_CLASSES,):
            raise ValueError(f"its shapes are {self.input.shape} and {self.output.shape}, not images and ten logits")
        if any(len(logits) != NUM_CLASSES for logits in self.golden_logits):
            raise ValueError("its golden_logits do not have ten values for each image")


class DigitOdds(Record, frozen=True, kw_only=True):
    """The probability that a shape is a digit: a logistic function, see `abstention.estimate_digit_probability`.

    Attributes:
        intercept: The log odds if everything else is 0.
        score: Log odds for each nat of the score.
        company: Log odds for each unit of evidence from the other shapes, see `abstention.weigh_company`.
        highest: Upper limit of the log odds; the fit has seen too few shapes to claim more.
        digits: The validation digits that were read, each in a drawn frame.
        scenes: The pictures without digits; every digit read in them is false.
        read_digits: Number of true digits that were read in `digits`.
        read_others: Number of false digits that were read in `scenes` and beside the true ones.
        calibration_error: The expected calibration error of the probability, on pictures that were not used in the fit.
    """

    intercept: float
    score: float
    company: float
    highest: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    digits: ImageSet
    scenes: ImageSet
    read_digits: Count
    read_others: Count
    calibration_error: float


class Abstention(Record, frozen=True, kw_only=True, omit_defaults=True):
    """When to reject a shape as a non-digit, and how certain an accepted digit is; see `abstention.py`.

    Attributes:
        threshold: Score in nats of log odds below which a shape is not a digit.
        temperature: Divisor of the logits before the softmax, so that its probability is calibrated.
        validation: The images that both were chosen on.
        accepted: Number of them that reach the threshold.
        digit_odds: The probability that a shape is a digit; None if it was not measured.
    """

    threshold: float
    temperature: Annotated[float, msgspec.Meta(ge=1e-3, le=1e3)]
    validation: ImageSet
    accepted: Count
    digit_odds: DigitOdds | None = None


class MissingFile(Record, frozen=True, kw_only=True):
    """A file that was requested and could not be made, and the reason in one sentence."""

    name: FileName
    reason: str


class Agreement(Record, frozen=True, kw_only=True):
    """On how many images of the first evaluation set each pair names the same digit: row i, column j of `counts`."""

    names: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]


class Export(Record, frozen=True, kw_only=True):
    """The results of the export stage.

    Attributes:
        evaluations: Sets of images that every file was compared on.
        calibration: Images that quantization used; None if nothing was calibrated.
        reference: File with the Keras logits on each evaluation set, one array per set, by its name.
        report: Page for people.
        golden_pixels: One calibration image of each digit, packed, see `golden.py`.
        files: The exported files.
        c_source: The int8 TFLite file as C source, for firmware.
        abstention: When a shape is not a digit; applies to all files, because their scores are nearly equal.
        agreement: On how many images each pair of files names the same digit.
        machine: Processor that exported, with the instructions that integer kernels depend on.
        tools: Versions of all tools, by name.
        missing: Files that could not be made, and why. Absent if no file failed.
    """

    evaluations: Annotated[tuple[Evaluation, ...], msgspec.Meta(min_length=1)]
    calibration: Calibration | None
    reference: FileRecord
    report: FileRecord
    golden_pixels: str
    files: Annotated[tuple[ModelFile, ...], msgspec.Meta(min_length=1)]
    c_source: tuple[FileRecord, ...] = ()
    abstention: Abstention
    agreement: Agreement
    machine: Processor
    tools: dict[str, str]
    missing: tuple[MissingFile, ...] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse accuracies outside their range."""
        most = self.evaluations[0].images.count if self.evaluations else 0
        if any(file.verification.correct > most for file in self.files):
            raise ValueError(f"a file has more correct answers than the {most} images")
