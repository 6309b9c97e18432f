"""The model card: what a bundle holds, where it came from, and what each of its files expects.

One tree of frozen structs, written as `card.json` and sealed: the seal is the SHA-256 of everything else in the card,
and the card holds the SHA-256 of everything else in the bundle. A changed byte anywhere therefore shows. The seal
proves integrity, not authorship: whoever can rewrite the whole bundle can also seal it again.

Version history of the schema:
    5  How likely it is that what was read is a digit at all. Files that could not be made, and why; operators of an
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
# Fields that came since are left out where they have their default, so an older card keeps the bytes it was sealed as.
OLDEST_READABLE_VERSION = 3

# The contract: one gray image in, ten logits out.
IMAGE_SHAPE = (28, 28, 1)
NUM_CLASSES = 10
# The layer of every Keras model that scales raw pixels to [0, 1]. Exporters cut there: a full-integer file expresses
# it as its input's scale, at no cost.
SCALING_LAYER = "pixels_to_unit"
# Under this key an ONNX file's own metadata says what it is.
PRECISION_KEY = "edge_mnist.precision"

Format = Literal["tflite", "onnx"]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
# What a Keras model applies to its logits, which the exporter takes off.
OutputFunction = Literal["softmax", "log-softmax", "sigmoid"]
TrainingPrecision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
# \Z, for $ lets a newline follow.
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
# A plain file name: a card must never lead a reader out of its own folder.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0)]
# What float32 holds, with room for differences.
Logit = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]


class ModelCardError(EdgeMnistError):
    """A card or bundle breaks the contract; the message says which file and what to do."""


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all records share: immutable, and no field that this version does not know."""


class Convention(_Record, frozen=True, kw_only=True):
    """What a Keras model reads and gives by itself; the exporter puts this project's contract around it.

    Attributes:
        pixels: `uint8` for raw pixels, else the range of its float input, from paper to ink.
        outputs: `logits`, or the function of them that it gives; the exporter takes that off.
    """

    pixels: Literal["uint8", "0-1", "0-255", "-1-1"] = "uint8"
    outputs: Literal["logits"] | OutputFunction = "logits"


class FileRecord(_Record, frozen=True, kw_only=True):
    """A file of the bundle and the bytes it must have."""

    name: FileName
    sha256: Sha256
    size_bytes: Annotated[int, msgspec.Meta(ge=1)]


class ImageSet(_Record, frozen=True, kw_only=True):
    """An ordered set of labelled images; `sha256` is of all pixels, then all labels."""

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
    """Multiply-adds for one image: each kernel's size times the positions it is applied at.

    Args:
        layers: A Keras model's layers (Keras itself is not needed here). Those without a kernel count as nothing.
    """
    kernels = [layer for layer in layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in kernels)


class Epoch(_Record, frozen=True, kw_only=True):
    """One epoch: the training loss and accuracy it ended with, and what validation said of the averaged weights."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class Ancestor(_Record, frozen=True, kw_only=True):
    """A bundle that training learned from: its name, its `model.keras`, and all data sets that it goes back to."""

    name: str
    sha256: Sha256
    datasets: tuple[str, ...]


class SeedRun(_Record, frozen=True, kw_only=True):
    """What one of several seeds came to; `best_epoch` counts from 1, the accuracy in [0, 1] is that epoch's."""

    seed: int
    best_epoch: Count
    validation_accuracy: float


class SeedTrials(_Record, frozen=True, kw_only=True):
    """Several seeds, and mean and sample standard deviation of their validation accuracies."""

    runs: tuple[SeedRun, ...]
    mean: float
    deviation: float


class Training(_Record, frozen=True, kw_only=True, omit_defaults=True):
    """How the weights came to be. `best_epoch` counts from 1 and was chosen on validation alone.

    Attributes:
        recipe_of: Whose recipe it was: this project's, or that of the network's published description.
        precision: What the layers computed in while training; weights and the saved model are float32.
        devices: How many shared each batch.
        start: The bundle whose weights it started from.
        teachers: The bundles whose logits it was to match.
        seeds: Where several were tried; all else here is of the one that validation liked best.
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

    `held_out` is False where nobody can say that the model has not been trained on them.
    """

    images: ImageSet
    correct: Count
    held_out: bool

    def __post_init__(self) -> None:
        """Refuse an accuracy that is none."""
        if not 0 < self.images.count >= self.correct:
            raise ValueError(f"{self.correct} of {self.images.count} images cannot be read correctly")


class Calibration(_Record, frozen=True, kw_only=True):
    """The training images that quantization may look at, in turns of ten: a 0, a 1, ... a 9.

    `indices` count in `images.source`. None of these images is in any of the sets named in `disjoint_from`, neither by
    index nor, pixel for pixel, by content.
    """

    images: ImageSet
    indices: tuple[int, ...]
    disjoint_from: tuple[str, ...]


class Trial(_Record, frozen=True, kw_only=True):
    """One way of quantizing, and what validation said of it.

    Attributes:
        weights: What was done to the weights first: `as trained`, or `equalized and rounded`, see
            `export/quantize/equalize.py` and `export/quantize/rounding.py`.
        method: How the ranges of activations were chosen.
        calibration_images: How many, from the first on.
        correct: Validation images read correctly.
        snr_db: Of the logits against the Keras model's, on validation: 20 log10(rms signal / rms error).
        degraded: Whether the ranges were found on a degraded copy of each calibration image, too, see
            `export/quantize/degrade.py`. Schema 4 and older do not have it, nor the next one.
        degraded_snr_db: As `snr_db`, on degraded copies of the validation images.
    """

    weights: str
    method: str
    calibration_images: Count
    correct: Count
    snr_db: float
    degraded: bool | msgspec.UnsetType = msgspec.UNSET
    degraded_snr_db: float | msgspec.UnsetType = msgspec.UNSET


class Quantization(_Record, frozen=True, kw_only=True):
    """How a file was quantized: the trial that won, and all that were made, on the images named by `validation`.

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
    """What this file did, in a process of its own, on the first evaluation set, image by image beside others.

    Attributes:
        runtime: Name and version.
        correct: Images read correctly.
        agreeing: Images on which it names the same digit as the Keras model.
        lost: Images that the float32 file of the same format reads correctly and this one does not. For a float32 file
            the Keras model stands in its place.
        gained: The reverse.
        max_logit_difference: From the Keras model, absolute.
        accepted: Images whose score reaches the card's abstention threshold. Schema 4 and older do not have it.
    """

    runtime: str
    correct: Count
    agreeing: Count
    lost: Count
    gained: Count
    max_logit_difference: float
    accepted: Count | msgspec.UnsetType = msgspec.UNSET


class LayerNoise(_Record, frozen=True, kw_only=True):
    """What quantization added up to at a layer's output: 20 log10(rms value / rms error), in decibels."""

    layer: str
    snr_db: float


class ModelFile(_Record, frozen=True, kw_only=True):
    """One exported file.

    Attributes:
        min_runtime: The first TensorFlow Lite that has all its operators, as the converter says; None for ONNX.
        quantization: None where no integers were calibrated.
        layers: Noise of each layer, in the order of the network; empty where nothing was calibrated.
        golden_logits: What it gave, in its runtime, for the export's golden images: [N][10].
        float_operators: Operators of an int8 file that compute in float32. Absent where there are none.
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
        """Refuse shapes that are not the contract's."""
        if self.input.shape[1:] != IMAGE_SHAPE or self.output.shape[1:] != (NUM_CLASSES,):
            raise ValueError(f"its shapes are {self.input.shape} and {self.output.shape}, not images and ten logits")
        if any(len(logits) != NUM_CLASSES for logits in self.golden_logits):
            raise ValueError("its golden_logits are not ten for each image")


class DigitOdds(_Record, frozen=True, kw_only=True):
    """How likely it is that what was read is a digit: a logistic function, see `abstention.estimate_digit_probability`.

    Attributes:
        intercept: The log odds where everything else is 0.
        score: Log odds for each nat of the score.
        company: Log odds for each unit of the company that it is found in, see `abstention.weigh_company`.
        highest: The fit has seen too few to claim more.
        digits: The validation digits that were read, each in a drawn frame.
        scenes: The pictures without digits, in which all that was read is none.
        read_digits: How many digits were read in the former.
        read_others: How many in the latter, and beside the former.
        calibration_error: The expected calibration error of the probability, on pictures that had no part in the fit.
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
    """When to say that something is no digit, and how sure to be of what is one; see `abstention.py`.

    Attributes:
        threshold: What scores less, in nats of log odds, is no digit.
        temperature: Logits are divided by it before their softmax is a probability.
        validation: The images that both were chosen on.
        accepted: How many of them score at least the threshold.
        digit_odds: How likely what was read is a digit at all; None where that was not measured.
    """

    threshold: float
    temperature: Annotated[float, msgspec.Meta(ge=1e-3, le=1e3)]
    validation: ImageSet
    accepted: Count
    digit_odds: DigitOdds | None = None


class MissingFile(_Record, frozen=True, kw_only=True):
    """A file that was asked for and could not be made, and the reason in one sentence."""

    name: FileName
    reason: str


class Agreement(_Record, frozen=True, kw_only=True):
    """On how many images of the first evaluation set each pair names the same digit: `counts[i][j]` of `names`."""

    names: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]


class Export(_Record, frozen=True, kw_only=True):
    """What the export stage adds.

    `reference` holds the Keras logits on each evaluation set, one array a set's name. `golden_pixels` is a calibration
    image of each digit, see `golden.py`. `abstention` holds for all files: their scores are nearly the same. `report`
    is a page for people, `c_source` the int8 TFLite file for firmware. `missing` is absent where every file was made.
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
        """Refuse accuracies that are none."""
        most = self.evaluations[0].images.count if self.evaluations else 0
        if any(file.verification.correct > most for file in self.files):
            raise ValueError(f"a file reads more than all {most} images correctly")


class ModelCard(_Record, frozen=True, kw_only=True):
    """The whole card; `train` creates it, `export` extends it, nothing works without it."""

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
    """As much of a card as every version of the schema has."""

    schema_version: int


class _AnyVersion(msgspec.Struct):
    card: _Version


def encode_card(card: ModelCard) -> bytes:
    """Write a card as sealed, indented JSON; equal cards give equal bytes.

    Raises:
        msgspec.ValidationError: A value is not what its field allows.
    """
    # Through JSON and back, so that an integer in a float's place is written as readers will write it again.
    card = msgspec.json.decode(msgspec.json.encode(card), type=ModelCard)
    seal = hashlib.sha256(msgspec.json.encode(card)).hexdigest()
    return msgspec.json.format(msgspec.json.encode(_Sealed(seal=seal, card=card)), indent=2) + b"\n"


def decode_card(content: bytes, origin: str) -> ModelCard:
    """Read what `encode_card` wrote.

    Args:
        content: The file's bytes.
        origin: What error messages call it.

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
        # Also of JSON that is nested a hundred thousand times.
        advice = explain_pointer(content) or " Export the model again."
        raise ModelCardError(f"{origin}: not a model card ({error}).{advice}") from error
    if encode_card(card) != content:
        raise ModelCardError(f"{origin}: changed since it was written, its seal does not hold. Export the model again.")
    return card
