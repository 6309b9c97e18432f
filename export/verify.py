"""Verification: load each exported file in its own runtime and hold it against the Keras model, image by image."""

import io
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..edge.card import Evaluation, ModelFile, Verification
from ..edge.classifiers import Classifier, Runtime
from ..edge.golden import TOLERANCE
from ..edge.mnist import Images
from .calibrate import ExportError

BATCH = 500


@dataclass(frozen=True)
class Reference:
    """What the Keras model says of a set of images: logits, float32 [N, 10]."""

    images: Images
    logits: NDArray[np.float32]

    def describe(self, held_out: bool) -> Evaluation:
        """What the card says of it."""
        correct = int((self.logits.argmax(axis=1) == self.images.labels).sum())
        return Evaluation(images=self.images.describe(), correct=correct, held_out=held_out)


def keras_reference(model: keras.Model, images: Images) -> Reference:
    """Run the Keras model over a set of images."""
    # Keras's annotation of `verbose` is wrong: "auto", 0, 1 and 2 are allowed.
    logits = model.predict(images.pixels, batch_size=BATCH, verbose=0)  # pyright: ignore[reportArgumentType]
    return Reference(images, logits.astype(np.float32))


def pack_references(references: list[Reference]) -> bytes:
    """All references as one .npz, an array a set's name: a machine without Keras can still compare in pairs."""
    content = io.BytesIO()
    arrays: Any = {reference.images.name: reference.logits for reference in references}
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def verify(classifier: Classifier, runtime: Runtime, file: ModelFile, reference: Reference) -> Verification:
    """Compare a file with Keras on every image of the reference.

    Raises:
        ExportError: A float file's logits are not those of the model: the conversion itself is wrong.
    """
    logits = classifier.logits(reference.images.pixels)
    difference = float(np.abs(logits - reference.logits).max())
    allowed = TOLERANCE["float32"] * float(np.ptp(reference.logits))
    # Not "difference > allowed": a difference that is not a number must fail, too.
    if file.precision == "float32" and not difference <= allowed:
        raise ExportError(
            f"{file.record.name}: its logits differ from the Keras model's by {difference:.3g} in {runtime.name}; "
            f"a float file must stay within {allowed:.3g}. Nothing was written."
        )
    digits = logits.argmax(axis=1)
    return Verification(
        runtime=f"{runtime.name} {runtime.version}",
        correct=int((digits == reference.images.labels).sum()),
        agreeing=int((digits == reference.logits.argmax(axis=1)).sum()),
        max_logit_difference=difference,
    )
