"""Calibration images: balanced, spanning all pixels, and never among those that are measured on."""

import numpy as np
import pytest

from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.calibration import choose_calibration, describe_calibration
from edge_mnist.export.errors import ExportError


def test_calibration_is_balanced_from_the_start_and_apart_from_evaluation(exported: Bundle) -> None:
    export = exported.card.export
    assert export is not None
    assert export.calibration is not None

    indices = export.calibration.indices

    assert len(indices) == len(set(indices)) == export.calibration.images.count == 500
    assert set(export.calibration.disjoint_from) > {evaluation.images.name for evaluation in export.evaluations}


def test_every_turn_of_calibration_images_has_all_digits(sample: mnist.Images) -> None:
    labels = choose_calibration(sample).labels.reshape(-1, 10)

    assert (labels == np.arange(10)).all()


def test_calibration_images_that_are_measured_on_are_refused(sample: mnist.Images) -> None:
    calibration = choose_calibration(sample)
    renamed = mnist.Images("elsewhere", "another file", sample.pixels, sample.labels, sample.indices + 10_000)
    apart = sample.take(np.setdiff1d(np.arange(5_000), calibration.indices), "apart")

    assert describe_calibration(calibration, (apart,)).disjoint_from == ("apart",)
    with pytest.raises(ExportError, match="500 calibration images are also in mnist-sample-5k"):
        describe_calibration(calibration, (apart, sample))
    with pytest.raises(ExportError, match="500 calibration images are also in elsewhere"):
        describe_calibration(calibration, (renamed,))


def test_the_shipped_calibration_is_of_training_images(full_mnist: mnist.Splits) -> None:
    export = open_bundle(SHIPPED).card.export
    assert export is not None
    assert export.calibration is not None

    assert set(export.calibration.indices) <= set(full_mnist.train.indices)
    assert export.calibration.images == choose_calibration(full_mnist.train).describe()
    assert export.evaluations[0].images == full_mnist.test.describe()
    assert {full_mnist.validation.name, full_mnist.test.name} <= set(export.calibration.disjoint_from)


def test_the_calibration_must_span_all_pixels(sample: mnist.Images) -> None:
    dim = mnist.Images("dim", "dim", sample.pixels // 2, sample.labels, sample.indices)

    with pytest.raises(ExportError, match="span 0 to 127"):
        choose_calibration(dim)


def test_too_few_calibration_images_are_refused(sample: mnist.Images) -> None:
    with pytest.raises(ExportError, match="needs 50 images of each digit, but one digit has 0"):
        choose_calibration(sample.take(np.arange(1_000)))
