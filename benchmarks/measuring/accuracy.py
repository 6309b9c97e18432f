"""Paired accuracy: the same images through the Keras model, the float file and the quantized file."""

import io

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ...edge.bundle.card import ModelCardError
from ...edge.bundle.contract import NUM_CLASSES
from ...edge.bundle.export_record import Evaluation
from ...edge.bundle.folder import Bundle
from ...edge.common.npz import read_npz
from ...edge.common.statistics import paired_interval
from ...edge.data.held_out import HeldOut
from ...edge.data.images import Images
from ..results.schema import Accuracy


def choose_evaluation(bundle: Bundle, held_out: HeldOut) -> tuple[Images, Evaluation]:
    """Choose the best evaluation set that is available here and for which the bundle has Keras's logits.

    Raises:
        ModelCardError: There is none: the bundle was exported with other images.
    """
    known = {evaluation.images.sha256: evaluation for evaluation in bundle.export.evaluations}
    for images in held_out.evaluations:
        if images.sha256 in known:
            return images, known[images.sha256]
    raise ModelCardError(
        f"{bundle.path}: has reference logits for {[evaluation.images.name for evaluation in known.values()]}, "
        f"but this machine only has {[images.name for images in held_out.evaluations]}. Export it again on "
        "this machine."
    )


def read_reference(bundle: Bundle, evaluation: Evaluation) -> NDArray[np.float32]:
    """Read the Keras model's logits on the evaluation images, float32 [N, 10], from the bundle.

    Raises:
        ModelCardError: The file does not hold what the card describes.
    """
    record = bundle.export.reference
    expected_bytes = sum(4 * NUM_CLASSES * one.images.count for one in bundle.export.evaluations)
    try:
        arrays = read_npz(io.BytesIO(bundle.read(record)), expected_bytes)
    except ValueError as error:
        raise ModelCardError(
            f"{bundle.path / record.name}: are not the logits of Keras ({error}). Export it again."
        ) from error
    logits = arrays.get(evaluation.images.name)
    if logits is None or logits.shape != (evaluation.images.count, NUM_CLASSES) or logits.dtype != np.float32:
        raise ModelCardError(
            f"{bundle.path / record.name}: has no logits for {evaluation.images.name}. Export it again."
        )
    return logits


def compare_outputs(
    logits: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
    float_logits: NDArray[np.float32] | None,
    labels: NDArray[np.uint8],
) -> Accuracy:
    """Compare one file with Keras and with its float file, image by image.

    Args:
        logits: The file's logits, [N, 10].
        reference: The Keras model's logits, [N, 10]; None for a peer, which was not made from that model.
        float_logits: Logits of the float32 file to compare with, [N, 10]; None if there is none.
        labels: The right digits, uint8 [N].
    """
    read = logits.argmax(axis=1)
    right = read == labels
    confusion = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    np.add.at(confusion, (labels, read), 1)
    accuracy = Accuracy(
        correct=int(right.sum()),
        count=len(labels),
        confusion=confusion.tolist(),
        misread=[(int(i), int(read[i])) for i in np.flatnonzero(~right)],
    )
    if reference is not None:
        keras_right = reference.argmax(axis=1) == labels
        lost, gained = int((keras_right & ~right).sum()), int((right & ~keras_right).sum())
        accuracy = replace(
            accuracy,
            drop_vs_keras_pp=100 * (lost - gained) / len(labels),
            lost_vs_keras=lost,
            gained_vs_keras=gained,
            agreement=float((read == reference.argmax(axis=1)).mean()),
        )
    if float_logits is not None:
        float_right = float_logits.argmax(axis=1) == labels
        lost, gained = np.flatnonzero(float_right & ~right), np.flatnonzero(right & ~float_right)
        low, high = paired_interval(len(lost), len(gained), len(labels))
        accuracy = replace(
            accuracy,
            drop_vs_float_pp=100 * (len(lost) - len(gained)) / len(labels),
            drop_interval_pp=(100 * low, 100 * high),
            lost=lost.tolist(),
            gained=gained.tolist(),
        )
    return accuracy
