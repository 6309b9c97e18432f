"""The model card: what a bundle holds, where it came from, and what each of its files expects.

One tree of frozen structs, written as `card.json` and sealed: the seal is the SHA-256 of everything else in the card,
and the card holds the SHA-256 of everything else in the bundle. So any changed byte is detected. The seal
proves integrity, not authorship: anyone who can rewrite the whole bundle can also seal it again.

Version history of the schema:
    5  The probability that a shape is a digit. Files that could not be made, and why; operators of an
       int8 file that compute in float; how many evaluation images each file takes for digits; log-softmax and sigmoid
       as outputs of foreign models; whether degraded copies of the calibration images helped to find ranges.
    4  How training was set up: teachers, the bundle it started from, several seeds, precision, devices.
    3  From which score on something is a digit, and the temperature of its probability.
    2  More precisions; how each file was quantized and what else was tried; images lost and gained; each layer's noise;
       which runtimes are too old; agreement of all files; the report; the exporting processor; what a model that did
       not come from this project reads and gives.
    1  First version.
"""

import hashlib
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from ..common.errors import EdgeMnistError
from ..common.kinds import explain_pointer
from ..common.machine import Processor

CARD_NAME = "card.json"


SCHEMA_VERSION = 5
# Fields that were added since are left out where they have their default, so an older card keeps its sealed bytes.
OLDEST_READABLE_VERSION = 3

# The contract: one gray image in, ten logits out.
IMAGE_SHAPE = (28, 28, 1)
NUM_CLASSES = 10
# The layer of every Keras model that scales raw pixels to [0, 1]. Exporters cut there: a full-integer file expresses
# it as its input's scale, at no cost.
SCALING_LAYER = "pixels_to_unit"
# Key in an ONNX file's own metadata under which it states its precision.
PRECISION_KEY = "edge_mnist.precision"

Format = Literal["tflite", "onnx"]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
# Functions that a Keras model may apply to its logits; the exporter removes them.
OutputFunction = Literal["softmax", "log-softmax", "sigmoid"]
TrainingPrecision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
# \Z, because $ allows a newline after it.
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
# A plain file name: a card must never lead a reader out of its own folder.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0)]
# The range of float32, with room for differences.
Logit = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]


class ModelCardError(EdgeMnistError):
    """A card or bundle breaks the contract; the message says which file and what to do."""


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all records: immutable, without unknown fields."""


class Convention(_Record, frozen=True, kw_only=True):
    """The input and output of a Keras model itself; the exporter adapts them to this project's contract.

    Attributes:
        pixels: `uint8` for raw pixels, else the range of its float input, from paper to ink.
        outputs: `logits`, or the function of them that the model returns; the exporter removes it.
    """

    pixels: Literal["uint8", "0-1", "0-255", "-1-1"] = "uint8"
    outputs: Literal["logits"] | OutputFunction = "logits"


class FileRecord(_Record, frozen=True, kw_only=True):
    """A file of the bundle and the bytes it must have."""

    name: FileName
    sha256: Sha256
    size_bytes: Annotated[int, msgspec.Meta(ge=1)]


class ImageSet(_Record, frozen=True, kw_only=True):
    """An ordered set of labelled images; `sha256` covers all pixels, then all labels."""

    name: str
    source: str
    count: Count
    sha256: Sha256


class ArchitectureRecord(_Record, frozen=True, kw_only=True):
    """The network: its zoo name (or the user's file name), parameters, and multiply-adds per image."""

    name: str
    parameters: Count
    macs: Count


def count_keras_macs(layers: Iterable[Any]) -> int:
    """Count the multiply-adds for one image: each kernel's size times the positions it is applied at.

    Args:
        layers: A Keras model's layers (Keras itself is not needed here). Layers without a kernel count as 0.
    """
    kernels = [layer for layer in layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in kernels)


class Epoch(_Record, frozen=True, kw_only=True):
    """One epoch: its final training loss and accuracy, and the validation results of the averaged weights."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class Ancestor(_Record, frozen=True, kw_only=True):
    """A bundle that training learned from: its name, its `model.keras`, and all data sets behind it."""

    name: str
    sha256: Sha256
    datasets: tuple[str, ...]


class SeedRun(_Record, frozen=True, kw_only=True):
    """The result of one of several seeds; `best_epoch` counts from 1, the accuracy in [0, 1] is that epoch's."""

    seed: int
    best_epoch: Count
    validation_accuracy: float


class SeedTrials(_Record, frozen=True, kw_only=True):
    """Several seeds, with the mean and sample standard deviation of their validation accuracies."""

    runs: tuple[SeedRun, ...]
    mean: float
    deviation: float


class Training(_Record, frozen=True, kw_only=True, omit_defaults=True):
    """How the weights were trained. `best_epoch` counts from 1 and was chosen on validation alone.

    Attributes:
        recipe_of: Source of the recipe: this project, or the network's published description.
        precision: Precision that the layers computed in while training; weights and the saved model are float32.
        devices: Number of devices that shared each batch.
        start: The bundle whose weights training started from.
        teachers: Bundles whose logits the network learned to match.
        seeds: Results of all seeds if several were tried; all other fields describe the one with the best validation.
    """

    dataset: str
    train: ImageSet
    validation: ImageSet
    command: str
    seed: int
    recipe: dict[str, int | float]
    history: tuple[Epoch, ...]
    best_epoch: Count
    device: str
    tools: dict[str, str]
    recipe_of: Literal["edge-mnist", "description"] = "edge-mnist"
    precision: TrainingPrecision = "float32"
    devices: Count = 1
    start: Ancestor | None = None
    teachers: tuple[Ancestor, ...] = ()
    seeds: SeedTrials | None = None


class Evaluation(_Record, frozen=True, kw_only=True):
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


class Calibration(_Record, frozen=True, kw_only=True):
    """The training images that quantization may use, in turns of ten: a 0, a 1, ... a 9.

    `indices` count in `images.source`. None of these images is in any of the sets named in `disjoint_from`, neither by
    index nor, pixel for pixel, by content.
    """

    images: ImageSet
    indices: tuple[int, ...]
    disjoint_from: tuple[str, ...]


class Trial(_Record, frozen=True, kw_only=True):
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


class Quantization(_Record, frozen=True, kw_only=True):
    """How a file was quantized: the best trial, and all trials, on the images named by `validation`.

    `weight_levels` is the largest integer that stands for a weight: 127 for 8 bits, 64 for 7.
    """

    chosen: Trial
    trials: tuple[Trial, ...]
    validation: ImageSet
    weight_levels: Count


class Tensor(_Record, frozen=True, kw_only=True):
    """A file's input or output. The batch dimension is -1; real value = (integer - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "int8", "float32"]
    scale: float | None = None
    zero_point: int | None = None


class Verification(_Record, frozen=True, kw_only=True):
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


class LayerNoise(_Record, frozen=True, kw_only=True):
    """The total quantization noise at a layer's output: 20 log10(rms value / rms error), in decibels."""

    layer: str
    snr_db: float


class ModelFile(_Record, frozen=True, kw_only=True):
    """One exported file.

    Attributes:
        min_runtime: The first TensorFlow Lite that has all its operators, according to the converter; None for ONNX.
        quantization: How it was quantized; None if no integers were calibrated.
        layers: Noise of each layer, in the order of the network; empty if nothing was calibrated.
        golden_logits: Logits that it returned, in its runtime, for the export's golden images: [N][10].
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


class DigitOdds(_Record, frozen=True, kw_only=True):
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


class Abstention(_Record, frozen=True, kw_only=True, omit_defaults=True):
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


class MissingFile(_Record, frozen=True, kw_only=True):
    """A file that was requested and could not be made, and the reason in one sentence."""

    name: FileName
    reason: str


class Agreement(_Record, frozen=True, kw_only=True):
    """On how many images of the first evaluation set each pair names the same digit: `counts[i][j]` of `names`."""

    names: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]


class Export(_Record, frozen=True, kw_only=True):
    """The results of the export stage.

    `reference` holds the Keras logits on each evaluation set, one array per set, by its name. `golden_pixels` is one
    calibration image of each digit, see `golden.py`. `abstention` applies to all files: their scores are nearly equal.
    `report` is a page for people, `c_source` the int8 TFLite file for firmware. `missing` is absent if no file failed.
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


class ModelCard(_Record, frozen=True, kw_only=True):
    """The whole card; `train` creates it, `export` extends it, and every other stage requires it."""

    schema_version: int = SCHEMA_VERSION
    name: FileName
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=NUM_CLASSES, max_length=NUM_CLASSES)] = tuple(
        "0123456789"
    )
    architecture: ArchitectureRecord
    source: FileRecord
    convention: Convention = Convention()
    training: Training | None
    export: Export | None = None

    def records(self) -> tuple[FileRecord, ...]:
        """Every file that the bundle holds beside the card."""
        if self.export is None:
            return (self.source,)
        export = self.export
        return (self.source, export.reference, export.report, *export.c_source, *(file.record for file in export.files))


class _Sealed(_Record, frozen=True, kw_only=True):
    seal: Sha256
    card: ModelCard


class _Version(msgspec.Struct):
    """The part of a card that every version of the schema has."""

    schema_version: int


class _AnyVersion(msgspec.Struct):
    card: _Version


def encode_card(card: ModelCard) -> bytes:
    """Write a card as sealed, indented JSON; equal cards give equal bytes.

    Raises:
        msgspec.ValidationError: A value is not allowed in its field.
    """
    # Through JSON and back, so that an integer in a float field is written as readers will write it again.
    card = msgspec.json.decode(msgspec.json.encode(card), type=ModelCard)
    seal = hashlib.sha256(msgspec.json.encode(card)).hexdigest()
    return msgspec.json.format(msgspec.json.encode(_Sealed(seal=seal, card=card)), indent=2) + b"\n"


def decode_card(content: bytes, origin: str) -> ModelCard:
    """Read a card that `encode_card` wrote.

    Args:
        content: The file's bytes.
        origin: Name of the file in error messages.

    Raises:
        ModelCardError: Not a card, a card of another schema version, or one that was changed since it was sealed.
    """
    try:
        version = msgspec.json.decode(content, type=_AnyVersion).card.schema_version
        if not OLDEST_READABLE_VERSION <= version <= SCHEMA_VERSION:
            advice = "Update edge-mnist" if version > SCHEMA_VERSION else "Export the model again with this version"
            raise ModelCardError(f"{origin}: expected schema_version {SCHEMA_VERSION}, got {version}. {advice}.")
        card = msgspec.json.decode(content, type=_Sealed).card
    except ModelCardError:
        raise
    except Exception as error:
        # Also raised for JSON that is nested a hundred thousand times.
        advice = explain_pointer(content) or " Export the model again."
        raise ModelCardError(f"{origin}: not a model card ({error}).{advice}") from error
    if encode_card(card) != content:
        raise ModelCardError(
            f"{origin}: changed after it was written: its seal does not match. Export the model again."
        )
    return card
