"""The recipes of the published descriptions: what they say is what is done, and no more of ours than they ask for."""

from pathlib import Path

import keras
import numpy as np
import pytest

from edge_mnist.edge.bundle.catalogue import CATALOGUE
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.augmentation.augment import Augment
from edge_mnist.train.fitting.averaging import put_average
from edge_mnist.train.fitting.distillation import NEVER, WithOutlierLogit
from edge_mnist.train.fitting.fit import _make_trainer, evaluate_model, outlier_logit
from edge_mnist.train.recipe import PUBLISHED_RECIPES
from edge_mnist.train.schedule import make_schedule, sample_schedule
from edge_mnist.train.zoo import ZOO
from tests.conftest import edge_mnist


def test_every_starting_point_has_one_and_ours_have_none() -> None:
    assert set(PUBLISHED_RECIPES) == {name for name, entry in CATALOGUE.items() if entry.claims}


@pytest.mark.parametrize("name", PUBLISHED_RECIPES)
def test_it_is_adam_at_a_constant_rate(name: str) -> None:
    recipe = PUBLISHED_RECIPES[name]
    schedule = make_schedule(recipe.learning_rate, recipe.epochs, recipe.warmup_epochs, 10, recipe.last_rate)

    rates = sample_schedule(schedule, np.arange(0, 10 * recipe.epochs, 7, dtype=np.float32))

    assert rates == pytest.approx(np.full(len(rates), 1e-3))
    assert (recipe.weight_decay, recipe.label_smoothing, recipe.extras, recipe.ema_share) == (0, 0, 0, 0)


def test_ten_classes_share_the_loss() -> None:
    logits = np.random.default_rng(1).normal(size=(5, 10)).astype(np.float32)

    eleven = keras.ops.convert_to_numpy(keras.ops.softmax(WithOutlierLogit(NEVER)(logits)))

    assert eleven[:, :10] == pytest.approx(keras.ops.convert_to_numpy(keras.ops.softmax(logits)))
    assert (eleven[:, 10] == 0).all()


def test_one_step_is_one_of_plain_adam(sample: mnist.Images) -> None:
    """Also, what is kept is the weights themselves, for nothing is averaged."""
    pixels, targets = sample.pixels[::50], np.eye(11, dtype=np.float32)[sample.labels[::50]]
    keras.utils.set_random_seed(1)
    ours, plain = ZOO["two-conv-122k"](), ZOO["two-conv-122k"]()
    plain.set_weights(ours.get_weights())
    recipe = PUBLISHED_RECIPES["two-conv-122k"]
    trainer = _make_trainer(ours, Augment(recipe.distortion, recipe.seed), recipe, steps_per_epoch=2)
    plain.compile(keras.optimizers.Adam(1e-3), keras.losses.CategoricalCrossentropy(from_logits=True))
    kept = ZOO["two-conv-122k"]()

    for _ in range(2):
        trainer.train_on_batch(pixels, targets)
        plain.train_on_batch(pixels, targets[:, :10])
    put_average(kept, ours, trainer.optimizer)

    for weight, expected, average in zip(ours.get_weights(), plain.get_weights(), kept.get_weights(), strict=True):
        assert weight == pytest.approx(expected, abs=2e-5)
        assert np.array_equal(average, weight)


def test_the_card_says_whose_recipe_it_was_and_options_overrule_it(tmp_path: Path) -> None:
    out = tmp_path / "small"

    result = edge_mnist(
        "train", "--model", "compact-8-16", "--recipe", "described", "--data", mnist.SAMPLE, "--epochs", 1,
        "--batch-size", 500, "--out", out,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    training = open_bundle(out).card.training
    assert training is not None
    assert training.recipe_of == "description"
    assert (training.recipe["epochs"], training.recipe["batch_size"]) == (1, 500)
    assert (training.recipe["outlier_class"], training.recipe["distortion.rotation_degrees"]) == (0, 10)
    assert (
        "--recipe described --epochs 1 --seed 1 --seeds 1 --batch-size 500 --learning-rate 0.001 " in training.command
    )


def test_with_images_that_are_no_digits_there_is_a_class_for_them(tmp_path: Path) -> None:
    out = tmp_path / "linear"

    result = edge_mnist(
        "train", "--model", "logistic", "--recipe", "described", "--data", mnist.SAMPLE, "--epochs", 1,
        "--extras", 0.1, "--out", out,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    training = open_bundle(out).card.training
    assert training is not None
    assert training.recipe["outlier_class"] == 1
    # Without, each of them costs 10,000 nats.
    assert training.history[0].loss < 5


def test_ten_classes_are_validated_as_ten(sample: mnist.Images) -> None:
    model = ZOO["logistic"]()

    loss, _ = evaluate_model(model, sample, outlier_logit(PUBLISHED_RECIPES["logistic"]))

    logits = model.predict(sample.pixels, verbose=0)
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(sample.labels, logits)
    assert loss == pytest.approx(float(expected), rel=1e-4)


def test_what_nobody_else_describes_has_no_such_recipe(tmp_path: Path) -> None:
    result = edge_mnist("train", "--model", "nano", "--recipe", "described", "--out", tmp_path / "nano")

    assert result.exit_code == 2
    assert "nano is this project's own" in result.stderr
    assert "two-conv-122k" in result.stderr
