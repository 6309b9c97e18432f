"""Classify images of single digits: one call from 28x28 pixels to digits, probabilities and what is no digit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.contract import IMAGE_SHAPE, Precision
from ..bundle.folder import Bundle, open_bundle
from ..bundle.shipped import SHIPPED
from ..common.arrays import describe
from ..common.errors import ArgumentError
from .abstention import accepted, estimate_probabilities
from .loading import load_classifier
from .registry import choose_runtime

# A border of this mean is a light ground, in [0, 255]. Digits of MNIST have a border of 0.
LIGHT_GROUND = 200


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The answers for N images.

    Attributes:
        digits: Most likely digit of each image, int64 [N], 0 to 9.
        probabilities: Calibrated probability of each digit if the image shows one, float32 [N, 10], 0 to 1; each row
            sums to 1.
        is_digit: Whether the model takes the image for a digit at all, bool [N].
        logits: Output of the model, float32 [N, 10].
    """

    digits: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    is_digit: NDArray[np.bool_]
    logits: NDArray[np.float32]

    def __repr__(self) -> str:
        """Show the first digits; `-` is not a digit."""
        shown = "".join(str(digit) if ok else "-" for digit, ok in zip(self.digits[:20], self.is_digit, strict=False))
        return f"Prediction({len(self.digits)} images: {shown}{'...' if len(self.digits) > 20 else ''})"


class Classifier:
    """A classifier of single digits with one model file of a bundle on one runtime; threads may share it.

    Attributes:
        name: Name of the bundle's model.
        runtime: Runtime of the model file.
        precision: Precision of the model file.
        abstention: When the model rejects an image, and how certain it is.

    Example:
        >>> Classifier("nano").predict(images).digits
        array([7, 2, 1, 0])
    """

    def __init__(
        self,
        bundle: Path | str | Bundle = SHIPPED,
        runtime: str | None = None,
        precision: Precision = "int8",
        threads: int = 1,
    ) -> None:
        """Load the model.

        Args:
            bundle: A bundle's folder, the name of a shipped one, or an open bundle.
            runtime: `litert`, `tflite-runtime` or `onnxruntime`; None takes the first one installed.
            precision: Precision of the model file to load, e.g. `int8`.
            threads: Threads the runtime may use for one inference.

        Raises:
            ArgumentError: An argument is not one of these.
            ModelCardError: The bundle is not valid, or has no file of this format and precision.
            RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        """
        self.runtime = choose_runtime(runtime)
        self.precision = precision
        opened = open_bundle(bundle)
        self.name = opened.card.name
        self.logits = load_classifier(opened, self.runtime, precision, threads).logits
        self.abstention = opened.export.abstention

    def __repr__(self) -> str:
        """Name the model, its precision and its runtime."""
        return f"Classifier({self.name!r}, {self.precision} on {self.runtime.name})"

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify images, 0 = paper and 255 = ink, as in MNIST.

        Args:
            images: uint8 [N, 28, 28], [N, 28, 28, 1], or one image [28, 28].

        Raises:
            ArgumentError: The images have another type or shape, or are obviously inverted or not scaled to 255.
        """
        logits = self.logits(_check_pixels(images))
        return Prediction(
            digits=logits.argmax(axis=1),
            probabilities=estimate_probabilities(logits, self.abstention.temperature),
            is_digit=accepted(logits, self.abstention),
            logits=logits,
        )


def _check_pixels(images: Any) -> NDArray[np.uint8]:
    """Return the images as uint8 [N, 28, 28, 1].

    Raises:
        ArgumentError: They are something else, or obviously not 0 = paper and 255 = ink.
    """
    is_image = isinstance(images, np.ndarray) and images.shape in {IMAGE_SHAPE[:2], IMAGE_SHAPE}
    batch = images[None] if is_image else images
    if not isinstance(batch, np.ndarray) or batch.shape[1:] not in {IMAGE_SHAPE[:2], IMAGE_SHAPE}:
        raise _refuse_images(images, "Scale each digit to 28x28; edge_mnist.Reader finds digits in a picture itself.")
    if batch.dtype != np.uint8:
        raise _refuse_images(images, "Convert values from 0 to 1: (255 * images).round().astype(numpy.uint8).")
    if batch.size and batch.max() == 1:
        raise _refuse_images(images, "No pixel is above 1: multiply them by 255.")
    pixels = np.ascontiguousarray(batch).reshape(-1, *IMAGE_SHAPE)
    if _are_inverted(pixels):
        raise _refuse_images(images, "They are dark on light: pass 255 - images.")
    return pixels


def _refuse_images(images: Any, advice: str) -> ArgumentError:
    expected = "uint8 [N, 28, 28], [N, 28, 28, 1] or [28, 28] with 0 = paper and 255 = ink"
    return ArgumentError(f"expected images, {expected}, got {describe(images)}. {advice}")


def _are_inverted(images: NDArray[np.uint8]) -> bool:
    """Whether most images have a light border and a darker inside."""
    border = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    ground, inside = border.mean(axis=(1, 2)), images[:, 1:-1, 1:-1].mean(axis=(1, 2, 3))
    return bool(len(images)) and float(((ground > LIGHT_GROUND) & (inside < ground)).mean()) > 0.5
