"""The choice of a way to quantize: each is tried, and the noise of the logits on validation images decides.

Noise and not accuracy decides, because the ways differ by no more than an image or two in 5,000, which is chance; the
noise is what moves images across the border between digits, and it is measured on every image. It is measured on
degraded copies, too: ranges that fit clean digits closely cut off what gray paper or specks cause (decision 0014).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.export_record import Quantization, Trial
from ...edge.common.statistics import mcnemar_p
from ...edge.data.images import Images
from ..verify import KerasReference
from .degrade import with_degraded
from .equalize import equalize
from .rounding import input_moments, round_weights

AS_TRAINED, REFINED = "as trained", "equalized and rounded"
# A way that reads significantly fewer validation images than the plainest one is excluded, whatever its noise.
SIGNIFICANCE = 0.05

Classify = Callable[[bytes, NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Quantizer:
    """A format's quantizer and the choices that it offers.

    Attributes:
        convert: Makes a file from a model, calibration images and a method.
        methods: The methods of choosing ranges; the first is the plain one.
        sizes: Numbers of calibration images to try; the first is the plain one. Degraded copies come on top.
        weight_levels: The integer that the largest weight becomes: 127 in 8 bits.
        most_validation: The number of validation images to try on at most, for slow kernels.
    """

    convert: Callable[[keras.Model, Images, str], bytes]
    methods: tuple[str, ...] = ("minmax",)
    sizes: tuple[int, ...] = (500, 100)
    weight_levels: int = 127
    most_validation: int = 5_000


class WeightVariants:
    """A model with its weights as trained, and refined for quantization; computed once, on first use."""

    def __init__(self, model: keras.Model, calibration: Images) -> None:
        self._model = model
        self._pixels = calibration.pixels

    def models(self, levels: int) -> dict[str, keras.Model]:
        """Return the models by what was done to their weights: the model itself, and a copy refined for `levels`."""
        refined = _copy(self._equalized)
        round_weights(refined, self._moments, levels)
        return {AS_TRAINED: self._model, REFINED: refined}

    def before_rounding(self, kind: str) -> keras.Model:
        """Return the float network that a file was made from, whose layers the file should reproduce."""
        return self._model if kind == AS_TRAINED else self._equalized

    @cached_property
    def _equalized(self) -> keras.Model:
        model = _copy(self._model)
        equalize(model, self._pixels)
        return model

    @cached_property
    def _moments(self) -> dict[str, NDArray[np.float32]]:
        return input_moments(self._equalized, self._pixels)


@dataclass(frozen=True)
class QuantizationImages:
    """Images to calibrate on, and images to choose by.

    Attributes:
        calibration: Training images in turns of ten.
        validation: The Keras model's logits on images that neither training nor calibration saw.
        degraded_validation: Its logits on degraded copies of them; None if only clean images count.
    """

    calibration: Images
    validation: KerasReference
    degraded_validation: KerasReference | None


@dataclass(frozen=True)
class _Tried:
    trial: Trial
    content: bytes
    right: NDArray[np.bool_]


def quantize(
    quantizer: Quantizer, weights: WeightVariants, images: QuantizationImages, classify: Classify
) -> tuple[bytes, Quantization]:
    """Try ways to quantize, one choice after the other: weights and images, then the method, then the number of images.

    Args:
        quantizer: The format's quantizer.
        weights: The model's weights, plain and refined.
        images: Images to calibrate on and to choose by.
        classify: Returns a file's logits on images.

    Returns:
        The file of the least noisy way, and the record of all trials.
    """
    validation = images.validation.first(quantizer.most_validation)
    degraded_validation = images.degraded_validation and images.degraded_validation.first(quantizer.most_validation)
    models = weights.models(quantizer.weight_levels)
    tried: list[_Tried] = []

    def attempt(kind: str, degraded: bool, method: str, size: int) -> None:
        chosen = images.calibration.take(np.arange(min(size, len(images.calibration))))
        content = quantizer.convert(models[kind], with_degraded(chosen) if degraded else chosen, method)
        logits = classify(content, validation.images.pixels)
        right = logits.argmax(axis=1) == validation.images.labels
        trial = Trial(
            weights=kind,
            method=method,
            calibration_images=size,
            correct=int(right.sum()),
            snr_db=signal_to_noise_db(validation.logits, logits),
            degraded=degraded,
            degraded_snr_db=_measure(content, degraded_validation, classify) if degraded_validation else msgspec.UNSET,
        )
        tried.append(_Tried(trial, content, right))

    for kind, degraded in product(models, (False, True) if degraded_validation else (False,)):
        attempt(kind, degraded, quantizer.methods[0], quantizer.sizes[0])
    for method in quantizer.methods[1:]:
        best = _best(tried).trial
        attempt(best.weights, best.degraded is True, method, quantizer.sizes[0])
    for size in quantizer.sizes[1:]:
        best = _best(tried).trial
        attempt(best.weights, best.degraded is True, best.method, size)
    chosen = _best(tried)
    return chosen.content, Quantization(
        chosen=chosen.trial,
        trials=tuple(one.trial for one in tried),
        validation=validation.images.describe(),
        weight_levels=quantizer.weight_levels,
    )


def _measure(content: bytes, reference: KerasReference, classify: Classify) -> float:
    """Measure a file's signal-to-noise ratio on images with reference logits."""
    return signal_to_noise_db(reference.logits, classify(content, reference.images.pixels))


def signal_to_noise_db(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Compute 20 log10(rms of `expected` / rms of the difference), in decibels, for arrays of the same shape.

    Rounded to hundredths. Equal arrays give 200, about the precision of float64; numbers that are not finite, and
    ratios below -200, give -200.
    """
    signal = float(np.square(expected, dtype=np.float64).sum())
    noise = float(np.square(found.astype(np.float64) - expected).sum())
    if not math.isfinite(noise):
        # min() would turn a NaN into 200.
        return -200.0
    if noise == 0 or signal == 0:
        return 200.0 if noise == 0 else 0.0
    return round(max(-200.0, min(200.0, 10 * math.log10(signal / noise))), 2)


def _best(tried: list[_Tried]) -> _Tried:
    """Return the least noisy trial that is not significantly worse than the first; the noisier image set counts."""
    plain = tried[0].right

    def is_worse(one: _Tried) -> bool:
        lost, gained = int((plain & ~one.right).sum()), int((one.right & ~plain).sum())
        return lost > gained and mcnemar_p(lost, gained) < SIGNIFICANCE

    def least_snr_db(one: _Tried) -> float:
        on_degraded = one.trial.degraded_snr_db
        return one.trial.snr_db if on_degraded is msgspec.UNSET else min(one.trial.snr_db, on_degraded)

    return max((one for one in tried if not is_worse(one)), key=least_snr_db)


def _copy(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
