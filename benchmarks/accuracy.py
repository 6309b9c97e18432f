"""Accuracy in pairs: the same images through the Keras model, the float file and the quantized one."""

import io

import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import Bundle
from ..edge.card import Evaluation, ModelCardError
from ..edge.mnist import HeldOut, Images
from ..edge.statistics import mcnemar_p, wilson_interval
from .results import Accuracy


def choose_evaluation(bundle: Bundle, held_out: HeldOut) -> tuple[Images, Evaluation]:
    """The best set of images that is here and that the bundle has Keras's logits for.

    Raises:
        ModelCardError: There is none: the bundle was exported where other images were at hand.
    """
    known = {evaluation.images.sha256: evaluation for evaluation in bundle.export.evaluations}
    for images in held_out.evaluations:
        if images.sha256 in known:
            return images, known[images.sha256]
    raise ModelCardError(
        f"{bundle.path}: has reference logits for {[evaluation.images.name for evaluation in known.values()]}, but "
        f"only {[images.name for images in held_out.evaluations]} are here. Export it again on this machine."
    )


def read_reference(bundle: Bundle, evaluation: Evaluation) -> NDArray[np.float32]:
    """Logits of the Keras model on the evaluation images, float32 [N, 10], from the bundle.

    Raises:
        ModelCardError: The file does not hold what the card says.
    """
    record = bundle.export.reference
    with np.load(io.BytesIO(bundle.read(record)), allow_pickle=False) as arrays:
        logits = (
            arrays[evaluation.images.name] if evaluation.images.name in arrays.files else np.empty((0, 10), np.float32)
        )
    if logits.shape != (evaluation.images.count, 10):
        raise ModelCardError(f"{bundle.path / record.name}: lacks the logits for {evaluation.images.name}.")
    return logits


def compare(
    logits: NDArray[np.float32],
    reference: NDArray[np.float32],
    float_logits: NDArray[np.float32] | None,
    labels: NDArray[np.uint8],
) -> Accuracy:
    """One file's accuracy, its drops, and whether they mean anything. All logits are [N, 10], labels [N]."""
    count = len(labels)
    right = logits.argmax(axis=1) == labels
    keras_right = reference.argmax(axis=1) == labels
    drop_vs_float_pp = p_vs_float = None
    if float_logits is not None:
        float_right = float_logits.argmax(axis=1) == labels
        drop_vs_float_pp = 100 * (int(float_right.sum()) - int(right.sum())) / count
        p_vs_float = mcnemar_p(int((float_right & ~right).sum()), int((right & ~float_right).sum()))
    return Accuracy(
        correct=int(right.sum()),
        count=count,
        interval=wilson_interval(int(right.sum()), count),
        drop_vs_keras_pp=100 * (int(keras_right.sum()) - int(right.sum())) / count,
        drop_vs_float_pp=drop_vs_float_pp,
        p_vs_float=p_vs_float,
        agreement=float((logits.argmax(axis=1) == reference.argmax(axis=1)).mean()),
    )
