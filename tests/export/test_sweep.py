"""Choosing how to quantize: the least noisy way wins, none that reads fewer digits, and every trial is recorded."""

from typing import Any

import keras
import msgspec
import numpy as np
import pytest
from keras import layers

from edge_mnist.edge.bundle.export_record import Trial
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.quantize.degrade import degrade
from edge_mnist.export.quantize.sweep import (
    AS_TRAINED,
    REFINED,
    QuantizationImages,
    Quantizer,
    WeightVariants,
    quantize,
    signal_to_noise_db,
)
from edge_mnist.export.verify import KerasReference
from tests.builders.networks import FLOAT_TOLERANCE, chain, relative_error, without_batch_norm

PLAIN_SIZE, SMALL_SIZE = 500, 100
METHODS = ("minmax", "percentile", "entropy")


@pytest.fixture(scope="module")
def pixels(sample: mnist.Images) -> np.ndarray:
    return sample.pixels[::100]


@pytest.fixture(scope="module")
def calibration(sample: mnist.Images) -> mnist.Images:
    return choose_calibration(sample).take(np.arange(50))


@pytest.fixture(scope="module")
def weights(calibration: mnist.Images) -> WeightVariants:
    return WeightVariants(chain(layers.Flatten()), calibration)


@pytest.fixture(scope="module")
def validation(sample: mnist.Images) -> KerasReference:
    """A hundred images, all read correctly, each by a hair."""
    images = sample.take(np.arange(0, 5_000, 50))
    logits = np.zeros((100, 10), np.float32)
    logits[np.arange(100), images.labels] = 1.0
    logits[np.arange(100), (images.labels + 1) % 10] = 0.99
    return KerasReference(images, logits)


def _fake_quantizer(model: keras.Model, **options: Any) -> Quantizer:
    """Its files are made of the way that they were made."""

    def convert(given: keras.Model, images: mnist.Images, method: str) -> bytes:
        return f"{AS_TRAINED if given is model else REFINED}, {method}, {len(images)}".encode()

    return Quantizer(convert, **{"methods": METHODS, "sizes": (PLAIN_SIZE, SMALL_SIZE)} | options)


def _quantize(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference, errors: dict[str, float], **options: Any
) -> tuple[str, list[Trial], Any]:
    """Choose between ways whose logits are wrong by these shares, others by all."""
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED], **options)

    def classify(content: bytes, pixels: np.ndarray) -> np.ndarray:
        assert len(pixels) == min(len(validation.images), quantizer.most_validation)
        return validation.first(quantizer.most_validation).logits * (1 + errors.get(content.decode(), 1))

    images = QuantizationImages(choose_calibration(sample), validation, None)
    content, record = quantize(quantizer, weights, images, classify)
    return content.decode(), list(record.trials), record


@pytest.mark.parametrize(
    "best",
    [
        f"{AS_TRAINED}, minmax, 500",
        f"{REFINED}, minmax, 500",
        f"{AS_TRAINED}, entropy, 500",
        f"{AS_TRAINED}, minmax, 100",
    ],
)
def test_the_least_noisy_way_is_taken(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference, best: str
) -> None:
    content, trials, record = _quantize(weights, sample, validation, {f"{AS_TRAINED}, minmax, 500": 0.5, best: 0.1})

    assert content == best
    assert f"{record.chosen.weights}, {record.chosen.method}, {record.chosen.calibration_images}" == best
    assert record.chosen.snr_db == max(trial.snr_db for trial in trials) == 20


def test_choices_follow_each_other_with_the_best_so_far(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference
) -> None:
    errors = {f"{REFINED}, minmax, 500": 0.5, f"{REFINED}, percentile, 500": 0.1, f"{REFINED}, percentile, 100": 0.2}

    content, trials, record = _quantize(weights, sample, validation, errors, weight_levels=64)

    assert [(trial.weights, trial.method, trial.calibration_images, trial.snr_db) for trial in trials] == [
        (AS_TRAINED, "minmax", 500, 0),
        (REFINED, "minmax", 500, 6.02),
        (REFINED, "percentile", 500, 20),
        (REFINED, "entropy", 500, 0),
        (REFINED, "percentile", 100, 13.98),
    ]
    assert content == f"{REFINED}, percentile, 500"
    assert [trial.correct for trial in trials] == [100] * 5
    assert (record.weight_levels, record.validation) == (64, validation.images.describe())


def test_of_equally_noisy_ways_the_plainest_is_taken(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference
) -> None:
    content, _, _ = _quantize(weights, sample, validation, {})

    assert content == f"{AS_TRAINED}, minmax, 500"


def test_slow_files_are_tried_on_fewer_images(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference
) -> None:
    _, _, record = _quantize(weights, sample, validation, {}, most_validation=20)

    assert record.validation.count == 20
    assert record.validation.name == f"20 of {validation.images.name}"
    assert {trial.correct for trial in record.trials} == {20}


@pytest.mark.parametrize(("wrong", "chosen"), [(5, REFINED), (6, AS_TRAINED)], ids=["by chance", "significantly"])
def test_a_way_that_reads_significantly_fewer_is_out_however_little_noise_it_has(
    weights: WeightVariants, calibration: mnist.Images, validation: KerasReference, wrong: int, chosen: str
) -> None:
    """Losing five of five that differ has p = 0.06, six of six p = 0.03."""
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED], methods=("minmax",), sizes=(PLAIN_SIZE,))
    nudged = validation.logits.copy()
    nudged[np.arange(wrong), (validation.images.labels[:wrong] + 1) % 10] = 1.01

    def classify(content: bytes, _: np.ndarray) -> np.ndarray:
        return 1.5 * validation.logits if content.decode().startswith(AS_TRAINED) else nudged

    _, record = quantize(quantizer, weights, QuantizationImages(calibration, validation, None), classify)

    plain, refined = record.trials
    assert record.chosen.weights == chosen
    assert refined.snr_db > plain.snr_db + 20
    assert (plain.correct, refined.correct) == (100, 100 - wrong)


@pytest.mark.parametrize(
    ("clean_error", "degraded_error", "chosen"),
    [(0.05, 0.2, True), (0.02, 0.6, False), (0.9, 0.2, False)],
    ids=["less noise", "more on degraded images", "more on clean images"],
)
def test_ranges_of_degraded_copies_are_taken_where_the_noisier_set_of_images_gains(
    weights: WeightVariants,
    sample: mnist.Images,
    validation: KerasReference,
    clean_error: float,
    degraded_error: float,
    chosen: bool,
) -> None:
    """Ranges of clean images are wrong by 2 % on clean and by 50 % on degraded ones."""
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED], methods=("minmax",), sizes=(PLAIN_SIZE,))
    degraded = KerasReference(degrade(validation.images), 3 * validation.logits)

    def classify(content: bytes, pixels: np.ndarray) -> np.ndarray:
        has_copies = content.endswith(b", 1000")
        if pixels is degraded.images.pixels:
            return degraded.logits * (1 + (degraded_error if has_copies else 0.5))
        return validation.logits * (1 + (clean_error if has_copies else 0.02))

    images = QuantizationImages(choose_calibration(sample), validation, degraded)
    content, record = quantize(quantizer, weights, images, classify)

    assert record.chosen.degraded is chosen
    assert content.endswith(b", 1000") is chosen
    assert [trial.degraded for trial in record.trials] == [False, True, False, True]


def test_later_trials_keep_the_degraded_copies_that_won(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference
) -> None:
    quantizer = _fake_quantizer(weights.models(127)[AS_TRAINED])
    degraded = KerasReference(degrade(validation.images), validation.logits)
    seen: list[bytes] = []

    def classify(content: bytes, pixels: np.ndarray) -> np.ndarray:
        if pixels is validation.images.pixels:
            seen.append(content)
            return validation.logits
        return degraded.logits * (1.1 if content == f"{REFINED}, minmax, 1000".encode() else 1.5)

    content, record = quantize(
        quantizer, weights, QuantizationImages(choose_calibration(sample), validation, degraded), classify
    )

    assert content == f"{REFINED}, minmax, 1000".encode()
    assert (record.chosen.degraded, record.chosen.calibration_images, record.chosen.degraded_snr_db) == (True, 500, 20)
    assert [one.decode().removeprefix(f"{REFINED}, ") for one in seen[4:]] == [
        "percentile, 1000",
        "entropy, 1000",
        "minmax, 200",
    ]


def test_without_degraded_images_no_trial_has_copies(
    weights: WeightVariants, sample: mnist.Images, validation: KerasReference
) -> None:
    _, trials, _ = _quantize(weights, sample, validation, {})

    assert not any(trial.degraded for trial in trials)
    assert all(trial.degraded_snr_db is msgspec.UNSET for trial in trials)


def test_refining_leaves_the_model_as_trained(calibration: mnist.Images) -> None:
    model = without_batch_norm()
    before, logits = model.get_weights(), model.predict(calibration.pixels, verbose=0)
    weights = WeightVariants(model, calibration)

    models = weights.models(127)

    assert models[AS_TRAINED] is weights.before_rounding(AS_TRAINED) is model
    assert all(np.array_equal(now, old) for now, old in zip(model.get_weights(), before, strict=True))
    assert relative_error(weights.before_rounding(REFINED).get_weights()[0], before[0]) > 0.1
    unrounded = weights.before_rounding(REFINED).predict(calibration.pixels, verbose=0)
    rounded = models[REFINED].predict(calibration.pixels, verbose=0)
    assert relative_error(unrounded, logits) < FLOAT_TOLERANCE < 1e-4 < relative_error(rounded, logits) < 0.05


@pytest.mark.parametrize(
    ("expected", "found", "snr_db"),
    [
        ([10.0, 0.0], [10.0, 1.0], 20),
        ([3.0, 4.0], [3.0, 6.5], 6.02),
        ([1.0, 0.0], [1.0, 10.0], -20),
        ([1.0, 2.0], [1.0, 2.0], 200),
        ([0.0, 0.0], [0.0, 0.0], 200),
        ([0.0, 0.0], [0.0, 1.0], 0),
        ([1.0, 2.0], [1.0, np.nan], -200),
        ([1.0, 2.0], [1.0, np.inf], -200),
        ([1e-38, 0.0], [0.0, 1e38], -200),
    ],
    ids=["ten", "two", "more noise", "equal", "both zero", "no signal", "NaN", "infinite", "nothing left"],
)
def test_decibels_of_known_noise(expected: list[float], found: list[float], snr_db: float) -> None:
    assert signal_to_noise_db(np.array(expected, np.float32), np.array(found, np.float32)) == snr_db


@pytest.mark.parametrize("count", [10, 20, 250, 4_999])
def test_the_first_images_of_a_reference_are_spread_over_the_labels(sample: mnist.Images, count: int) -> None:
    reference = KerasReference(sample, np.eye(10, dtype=np.float32)[sample.labels])

    first = reference.first(count)

    per_digit = np.bincount(first.images.labels, minlength=10)
    assert len(first.images) == len(set(first.images.indices)) == count
    assert np.ptp(per_digit) <= 1
    assert (first.logits.argmax(axis=1) == first.images.labels).all()


def test_a_reference_with_no_more_images_stays_itself(sample: mnist.Images) -> None:
    reference = KerasReference(sample, np.zeros((5_000, 10), np.float32))

    assert reference.first(5_000) is reference
