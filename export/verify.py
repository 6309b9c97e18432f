"""Verification: run each file in its own process, and compare it image by image with the Keras model and the others."""

import io
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.card import ModelCard
from ..edge.bundle.contract import NUM_CLASSES
from ..edge.bundle.export_record import Abstention, Agreement, Evaluation, ModelFile, Verification
from ..edge.common.machine import count_cores
from ..edge.common.scratch import scratch_folder
from ..edge.common.statistics import mcnemar_p
from ..edge.common.terminal.formatting import describe_p, format_percent
from ..edge.data.images import Images
from ..edge.runtimes.abstention import accepted, score_digits
from ..edge.runtimes.golden import TOLERANCE
from ..edge.runtimes.isolated import run_isolated
from ..edge.runtimes.registry import RUNTIMES, Runtime
from .errors import ExportError

if TYPE_CHECKING:
    import keras

BATCH = 500
KERAS = "Keras"
# The largest allowed difference between the shares of accepted digits of a file and of the Keras model.
MOST_ACCEPTANCE_SHIFT = 0.01


@dataclass(frozen=True)
class KerasReference:
    """The Keras model's logits for a set of images, float32 [N, 10]."""

    images: Images
    logits: NDArray[np.float32]

    def first(self, count: int) -> "KerasReference":
        """Return the reference for `count` images, spread evenly: if the set is sorted by label, all labels occur."""
        if count >= len(self.images):
            return self
        spread = np.linspace(0, len(self.images) - 1, count).astype(np.int64)
        name = f"{count} of {self.images.name}"
        return KerasReference(self.images.take(spread, name), self.logits[spread])

    def describe(self, held_out: bool) -> Evaluation:
        """Describe the image set for the card."""
        return Evaluation(images=self.images.describe(), correct=int(self.right.sum()), held_out=held_out)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Mask of the images that the model reads correctly, bool [N]."""
        return self.logits.argmax(axis=1) == self.images.labels


def keras_reference(model: "keras.Model", images: Images) -> KerasReference:
    """Run the Keras model over a set of images."""
    # Keras's annotation of `verbose` is wrong: "auto", 0, 1 and 2 are allowed.
    logits = model.predict(images.pixels, batch_size=BATCH, verbose=0)  # pyright: ignore[reportArgumentType]
    return KerasReference(images, logits.astype(np.float32))


def pack_references(references: Sequence[KerasReference]) -> bytes:
    """Pack all references into one .npz, one array per set, so that machines without Keras can compare in pairs."""
    content = io.BytesIO()
    arrays: Any = {reference.images.name: reference.logits for reference in references}
    np.savez_compressed(content, **arrays)
    return content.getvalue()


@dataclass(frozen=True)
class FileOutputs:
    """A file's logits for the reference's images and for the golden images on one runtime: float32 [N, 10], [M, 10]."""

    file: ModelFile
    runtime: Runtime
    logits: NDArray[np.float32]
    golden_logits: NDArray[np.float32]


def run_in_processes(
    folder: Path, files: Sequence[ModelFile], reference: KerasReference, golden: NDArray[np.uint8]
) -> list[FileOutputs]:
    """Run every file on every installed runtime, each in its own process, with as many in parallel as there are cores.

    Args:
        folder: The folder with the files.
        files: The files' entries on the card.
        reference: The reference whose images are classified.
        golden: Further images to classify, uint8 [M, 28, 28, 1].

    Returns:
        For each file, one entry per runtime, in order of preference.

    Raises:
        RuntimeUnavailableError: A process failed.
    """
    pairs = [
        (file, runtime)
        for file in files
        for runtime in RUNTIMES.values()
        if runtime.format == file.format and runtime.installed
    ]
    with scratch_folder() as scratch, ThreadPoolExecutor(count_cores()) as pool:
        images = scratch / "images.npy"
        np.save(images, np.concatenate([reference.images.pixels, golden]))

        def run(pair: tuple[ModelFile, Runtime]) -> FileOutputs:
            file, runtime = pair
            logits = run_isolated(folder / file.record.name, file, runtime.name, images)
            return FileOutputs(file, runtime, logits[: -len(golden)], logits[-len(golden) :])

        return list(pool.map(run, pairs))


def verify_file(
    outcome: FileOutputs, reference: KerasReference, float_right: NDArray[np.bool_], abstention: Abstention
) -> Verification:
    """Compare a file's logits with Keras on every image of the reference, and with the float32 file of its format.

    Args:
        outcome: The file's logits.
        reference: The Keras model's logits.
        float_right: Mask of the images that the float32 file of the same format reads correctly, [N].
        abstention: The threshold at which a file's logits are accepted as a digit.

    Raises:
        ExportError: A float32 file's logits differ from the model's: the conversion itself is wrong.
    """
    file, runtime, logits = outcome.file, outcome.runtime, outcome.logits
    difference = float(np.abs(logits - reference.logits).max())
    allowed = TOLERANCE["float32"] * float(np.ptp(reference.logits))
    # Not "difference > allowed": NaN must fail, too.
    if file.precision == "float32" and not difference <= allowed:
        raise ExportError(
            f"{file.record.name}: its logits differ from the Keras model's by {difference:.3g} in {runtime.name}; "
            f"a float file must stay within {allowed:.3g}. Nothing was written."
        )
    digits = logits.argmax(axis=1)
    right = digits == reference.images.labels
    return Verification(
        runtime=f"{runtime.name} {runtime.version}",
        correct=int(right.sum()),
        agreeing=int((digits == reference.logits.argmax(axis=1)).sum()),
        lost=int((float_right & ~right).sum()),
        gained=int((right & ~float_right).sum()),
        max_logit_difference=difference,
        accepted=int(accepted(logits, abstention).sum()),
    )


def count_agreement(outcomes: Sequence[FileOutputs], reference: KerasReference) -> Agreement:
    """Count, for each pair among Keras and the files on their runtimes, the images they classify alike."""
    names = [KERAS, *(_label(outcome, outcomes) for outcome in outcomes)]
    digits = [reference.logits.argmax(axis=1), *(outcome.logits.argmax(axis=1) for outcome in outcomes)]
    counts = [int((one == other).sum()) for one, other in itertools.product(digits, digits)]
    size = len(names)
    return Agreement(names=tuple(names), counts=tuple(tuple(counts[i * size : (i + 1) * size]) for i in range(size)))


def check_drop(file: ModelFile, count: int, most_drop_pp: float) -> str | None:
    """Check whether a quantized file lost too much accuracy; return a sentence with advice, or None.

    Args:
        file: The verified file.
        count: Number of images it was verified on.
        most_drop_pp: Allowed drop, in percentage points against the float32 file of the same format.
    """
    check = file.verification
    drop_pp = 100 * (check.lost - check.gained) / count
    # The tolerance is for 0.1, which is not a binary fraction.
    if file.precision == "float32" or drop_pp <= most_drop_pp + 1e-9:
        return None
    p = mcnemar_p(check.lost, check.gained)
    chance = "" if p < 0.05 else " Chance alone can explain this (p > 0.05); evaluate on more images to decide."
    noisiest = min(file.layers, key=lambda one: one.snr_db, default=None)
    where = f" Its noisiest layer is {noisiest.layer} ({noisiest.snr_db:z.1f} dB)." if noisiest else ""
    return (
        f"{file.record.name} drops {drop_pp:.2f} points ({check.lost} of {count:,} images lost, {check.gained} "
        f"gained, {describe_p(p)}), --max-drop allows {most_drop_pp:g}.{chance}{where} Try --float16 or "
        "--dynamic instead of --int8, train longer or with batch norm, or raise --max-drop."
    )


def check_acceptance(file: ModelFile, reference: KerasReference, abstention: Abstention) -> str | None:
    """Check that a file accepts about as many digits as the Keras model; return the reason to refuse it, or None."""
    taken, count = file.verification.accepted, len(reference.images)
    wanted = int(accepted(reference.logits, abstention).sum())
    if not isinstance(taken, int) or abs(taken - wanted) <= MOST_ACCEPTANCE_SHIFT * count:
        return None
    return (
        f"{file.record.name} accepts {taken:,} of {count:,} digits, the Keras model {wanted:,}: its scores "
        f"have moved relative to the threshold of {abstention.threshold:g}, so a reader would accept or reject "
        f"the wrong shapes. Choose another precision than --{file.precision}."
    )


def check_integers(file: ModelFile) -> str | None:
    """Check for float32 operators in an int8 file; return the reason to refuse it under --strict-int8, or None."""
    if not file.float_operators:
        return None
    return (
        f"{file.record.name} is not full-integer: {', '.join(file.float_operators)} compute in float32. Use "
        "layers with integer kernels instead, such as ReLU, or leave out --strict-int8."
    )


def _label(outcome: FileOutputs, outcomes: Sequence[FileOutputs]) -> str:
    """Label a file by its name, with its runtime if it ran on several."""
    several = sum(other.file is outcome.file for other in outcomes) > 1
    return f"{outcome.file.record.name} on {outcome.runtime.name}" if several else outcome.file.record.name


# Share of validation digits to accept. Non-digits do not count: it is unknown what people will show to a camera.
ACCEPTED_SHARE = 0.995
# Dividing logits by less than 1 makes the model more certain than its softmax, by more than 1 less certain.
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 129))


def choose_abstention(validation: KerasReference, earlier: Abstention | None = None) -> Abstention:
    """Fit threshold and temperature to the float model's logits for validation; int8 moves a score by hundredths.

    Args:
        validation: Validation images and the Keras model's logits for them.
        earlier: The record of an earlier export of the same weights. Its odds of a digit, which were fitted on scenes
            that an export does not have, are kept.
    """
    scores = score_digits(validation.logits)
    # Rounded down, so that the decimal number on the card accepts the digits that were counted.
    threshold = float(np.floor(1000 * np.quantile(scores, 1 - ACCEPTED_SHARE, method="lower")) / 1000)
    losses = [_negative_log_likelihood(validation.logits / t, validation.images.labels) for t in TEMPERATURES]
    return Abstention(
        threshold=threshold,
        temperature=round(float(TEMPERATURES[int(np.argmin(losses))]), 3),
        validation=validation.images.describe(),
        accepted=int((scores >= threshold).sum()),
        digit_odds=earlier and earlier.digit_odds,
    )


def _negative_log_likelihood(logits: NDArray[np.floating], labels: NDArray[np.uint8]) -> float:
    """Compute the mean negative log-likelihood of the right digit under the softmax over ten classes, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


# A model below twice the accuracy of guessing has no figures worth publishing.
NEAR_CHANCE = 2 / NUM_CLASSES


def describe_doubts(card: ModelCard) -> list[str]:
    """List sentences on missing files, on int8 files that are not full-integer, and on a model that cannot read."""
    export = card.export
    if export is None:
        return []
    evaluation = export.evaluations[0]
    accuracy = evaluation.correct / evaluation.images.count
    doubts = []
    if accuracy < NEAR_CHANCE:
        doubts.append(
            f"the model reads {format_percent(accuracy)} of the images, and guessing "
            f"{format_percent(1 / NUM_CLASSES, 0)}: its accuracy is near chance, so these figures say nothing "
            "about quantization. Check that it was trained, on these classes in this order."
        )
    doubts += [f"{one.name} could not be made: {one.reason}." for one in export.missing or ()]
    doubts += [
        f"{file.record.name} is not full-integer: {', '.join(file.float_operators)} compute in float32."
        for file in export.files
        if file.float_operators
    ]
    return doubts
