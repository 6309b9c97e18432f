"""Golden vectors: a few images and the logits that a file returned for them when it was exported.

Running them again where the file is used catches what hashes cannot: a file that was sealed wrong, a runtime or a
processor that computes something else. A file that fails them is not used.
"""

import base64
import binascii
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bundle.card import ModelCardError
from ..bundle.contract import IMAGE_SHAPE, Precision
from ..bundle.export_record import ModelFile

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# Limit on unpacked golden images: far more than any export writes, far less than would harm.
MOST_BYTES = 1_000_000
# Shares of the span from the lowest to the highest expected logit. Float kernels differ by a millionth between
# processors. Integer kernels gave the same bits on every processor tried; other runtimes may round an intermediate
# result the other way, which moves a logit by a step or two, and the span has 255 steps. Half-precision files are
# computed in 32 bits on one processor and in 16 on another.
TOLERANCE: dict[Precision, float] = {"float32": 1e-3, "float16": 0.02, "dynamic": 0.02, "int8": 0.02, "int16x8": 0.02}
# Logits that vary less than this share over different digits do not depend on the picture.
LEAST_SPREAD = 0.02
LEAST_CORRELATION = 0.999


def pack_pixels(pixels: NDArray[np.uint8]) -> str:
    """Pack images, uint8 [N, 28, 28, 1], as text: zlib, then base64."""
    return base64.b64encode(zlib.compress(pixels.tobytes(), 9)).decode("ascii")


def unpack_pixels(text: str) -> NDArray[np.uint8]:
    """Unpack images, uint8 [N, 28, 28, 1].

    Raises:
        ModelCardError: The text does not hold images.
    """
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
        if not unpacker.eof:
            raise ValueError("incomplete or too large")
        return np.frombuffer(content, np.uint8).reshape(-1, *IMAGE_SHAPE)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ModelCardError(f"The card's golden images cannot be read ({error}). Export the model again.") from error


def check_golden(classify: Classify, file: ModelFile, pixels: NDArray[np.uint8], runtime: str) -> None:
    """Classify the golden images and refuse the file if its logits are not those of the export.

    Args:
        classify: Function of the loaded file from raw pixels to logits.
        file: The file's record with the expected logits.
        pixels: The golden images, uint8 [N, 28, 28, 1].
        runtime: Name of the runtime in error messages.

    Raises:
        ModelCardError: The logits differ; the message names the likely cause.
    """
    if len(file.golden_logits) != len(pixels) or not len(pixels):
        raise ModelCardError(
            f"{file.record.name}: its card has golden logits of {len(file.golden_logits)} images, and {len(pixels)} "
            "golden images. Export the model again."
        )
    expected = np.array(file.golden_logits, np.float32)
    logits = classify(pixels)
    tolerance = TOLERANCE[file.precision] * float(np.ptp(expected))
    if logits.shape == expected.shape and np.abs(logits - expected).max() <= tolerance:
        return
    raise ModelCardError(
        f"{file.record.name} on {runtime}: refused, its logits differ from those in its card. "
        f"{diagnose(classify, pixels, logits, expected, tolerance)}"
    )


def diagnose(
    classify: Classify,
    pixels: NDArray[np.uint8],
    logits: NDArray[np.float32],
    expected: NDArray[np.float32],
    tolerance: float,
) -> str:
    """Name the likely cause in a sentence by trying the usual mistakes on the golden images.

    Args:
        classify: Function from raw pixels to logits.
        pixels: The golden images, uint8 [N, 28, 28, 1].
        logits: Logits that the file returned, float32 [N, 10].
        expected: Logits of the export, float32 [N, 10].
        tolerance: Largest difference that counts as equal.
    """
    if logits.shape != expected.shape:
        return f"Their shape is {logits.shape} instead of {expected.shape}: it is another kind of model."
    if not np.isfinite(logits).all():
        return "Some are not finite: its weights are damaged."
    mistakes = (
        (255 - pixels, "They match for inverted pixels: the file expects 0 as ink."),
        (pixels.swapaxes(1, 2), "They match for transposed images: the file swaps rows and columns."),
        (pixels[:, :, ::-1], "They match for mirrored images: the file reads rows from the right."),
        (pixels[:, ::-1], "They match for images upside down: the file reads columns from the bottom."),
    )
    likeness = _correlate(logits, expected)
    for changed, cause in mistakes:
        # Only nearly equal: a file with another layout was converted separately and rounds differently.
        if _correlate(classify(np.ascontiguousarray(changed)), expected) > max(LEAST_CORRELATION, likeness):
            return cause
    if np.ptp(logits, axis=0).max() < LEAST_SPREAD * np.ptp(expected):
        return "They hardly differ between images: pixels are probably divided by 255 twice."
    if likeness > LEAST_CORRELATION:
        slope, offset = np.polyfit(expected.ravel(), logits.ravel(), 1)
        return f"They are {slope:.3g} times as large, shifted by {offset:+.3g}: an output scale or zero point is wrong."
    difference = float(np.abs(logits - expected).max())
    return (
        f"The largest difference is {difference:.2g}, at most {tolerance:.2g} is allowed: other weights, a wrong "
        "scale or zero point inside, or a processor that computes differently."
    )


def _correlate(logits: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return Pearson's correlation; 0 if all logits are equal."""
    return float(np.corrcoef(logits.ravel(), expected.ravel())[0, 1]) if np.ptp(logits) else 0.0
