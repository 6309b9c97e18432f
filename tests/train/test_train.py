"""Training: what is trained, that distortion is only for training, and that a killed run loses nothing."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.augmentation.augment import Augment, sample_bilinear
from edge_mnist.train.augmentation.distortion import Distortion
from edge_mnist.train.epochs import EpochImages
from edge_mnist.train.errors import TrainError
from edge_mnist.train.fitting import checkpoint as training_state
from edge_mnist.train.fitting import fit as fit_module
from edge_mnist.train.fitting.devices import Devices
from edge_mnist.train.fitting.fit import fit_model
from edge_mnist.train.recipe import Recipe
from edge_mnist.train.zoo import ZOO
from tests.conftest import edge_mnist

# A resumed run adds the same numbers, but threads may add them in another order.
RESUME_TOLERANCE = 1e-3
# A few shapes that are no digits, as many as fit an epoch of a second.
EXTRAS = 0.4


@pytest.fixture(scope="module")
def tiny(sample: mnist.Images) -> mnist.Splits:
    """So few images that an epoch takes a second."""
    parts = [sample.take(np.arange(start, 5_000, 50)) for start in (0, 1, 2)]
    return mnist.Splits("tiny", *parts)


@pytest.fixture(scope="module")
def state(tiny: mnist.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state that an epoch of training left."""
    path = tmp_path_factory.mktemp("trained") / "state"
    fit_model(_build(), tiny, Recipe(epochs=1, seed=1, extras=EXTRAS), path)
    return path


def _build() -> keras.Model:
    keras.utils.set_random_seed(1)
    return ZOO["nano"]()


def test_distortion_is_only_for_training(sample: mnist.Images) -> None:
    layer = Augment(Distortion(), seed=1)

    unchanged = keras.ops.convert_to_numpy(layer(sample.pixels[:8], training=False))
    distorted = keras.ops.convert_to_numpy(layer(sample.pixels[:8], training=True))

    assert np.array_equal(unchanged, sample.pixels[:8])
    assert distorted.dtype == np.uint8
    assert not np.array_equal(distorted, sample.pixels[:8])
    assert 0.5 < distorted.mean() / sample.pixels[:8].mean() < 2


def test_no_distortion_is_the_identity(sample: mnist.Images) -> None:
    still = Distortion(rotation_degrees=0, log_scale=0, shear=0, shift_px=0, elastic_px=0, thickness=0, blur=0)

    same = keras.ops.convert_to_numpy(Augment(still, seed=1)(sample.pixels[:8], training=True))

    assert np.array_equal(same, sample.pixels[:8])


def test_a_share_of_the_distortion_is_that_of_smaller_limits(sample: mnist.Images) -> None:
    usual = Distortion()
    whole, smaller = Augment(usual, seed=1), Augment(usual.scaled(0.25), seed=1)
    whole.share.assign(0.25)

    images = [keras.ops.convert_to_numpy(one(sample.pixels[:8], training=True)) for one in (whole, smaller)]

    # Limits are rounded in another order; a pixel may fall to the other side of a half.
    assert np.abs(images[0].astype(int) - images[1]).max() <= 1
    assert not np.array_equal(images[0], sample.pixels[:8])


def test_distortion_fades_linearly_to_what_was_asked_for() -> None:
    fading = Recipe(epochs=5, seed=1, last_distortion=0.2)

    assert [fading.share_of_distortion(epoch) for epoch in range(5)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert Recipe(epochs=1, seed=1).share_of_distortion(0) == 1


@pytest.mark.parametrize(("thickness", "blur"), [(0.0, 1.0), (1.0, 0.0)], ids=["blur", "pen"])
def test_blur_and_pen_stay_within_the_neighbourhood(sample: mnist.Images, thickness: float, blur: float) -> None:
    still = Distortion(
        rotation_degrees=0, log_scale=0, shear=0, shift_px=0, elastic_px=0, thickness=thickness, blur=blur
    )
    before = sample.pixels[:32, ..., 0]

    after = keras.ops.convert_to_numpy(Augment(still, seed=1)(before[..., None], training=True))[..., 0]

    padded = np.pad(before, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    assert (after >= around.min(axis=(3, 4))).all()
    assert (after <= around.max(axis=(3, 4))).all()
    assert not np.array_equal(after, before)


def test_ink_lies_on_gray_paper(sample: mnist.Images) -> None:
    before = sample.pixels[:64].astype(int)
    paper = Distortion().scaled(0).on_paper(1)

    gray = keras.ops.convert_to_numpy(Augment(replace(paper, noise=0.0), seed=1)(sample.pixels[:64], training=True))

    levels = gray[before == 0].reshape(-1)
    assert (gray[before == 255] == 255).all()
    assert (gray >= before).all()
    assert levels.max() <= 255 * paper.paper + 1
    lit = [image[0, 0] != image[-1, -1] or image[0, -1] != image[-1, 0] for image in gray[..., 0]]
    # Half of the images have none, and hardly any of the others is lit evenly.
    assert 16 < sum(lit) < 48


def test_noise_is_as_strong_as_said_and_in_half_of_the_images() -> None:
    gray = np.full((400, 28, 28, 1), 128, np.uint8)
    still = Distortion().scaled(0)

    noisy = keras.ops.convert_to_numpy(Augment(replace(still, noise=0.1), seed=1)(gray, training=True))

    deviations = noisy.astype(float).std(axis=(1, 2, 3)) / 255
    assert 0.4 < (deviations == 0).mean() < 0.6
    assert deviations.max() == pytest.approx(0.1, abs=0.005)
    assert deviations[deviations > 0].mean() == pytest.approx(0.05, abs=0.006)


def test_sampling_is_bilinear_and_outside_is_paper() -> None:
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 0, :2] = 100, 200
    rows, columns = np.zeros((2, 1, 28, 28), np.float32)
    columns[0, 0, :3] = 0.25, -0.5, -5

    sampled = keras.ops.convert_to_numpy(sample_bilinear(*map(keras.ops.convert_to_tensor, (image, rows, columns))))

    assert sampled[0, 0, :3] == pytest.approx([125, 50, 0])


@pytest.mark.parametrize("good", [0, 2])
def test_training_ends_at_the_first_loss_that_is_not_finite(
    tiny: mnist.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], good: int
) -> None:
    train_epoch = fit_module._train_epoch

    def diverging(*arguments: Any) -> tuple[float, float]:
        loss, accuracy = train_epoch(*arguments)
        return (loss if arguments[3] < good else float("nan")), accuracy

    monkeypatch.setattr(fit_module, "_train_epoch", diverging)
    recipe, model = Recipe(epochs=5, seed=1, batch_size=20, extras=EXTRAS), _build()

    if not good:
        with pytest.raises(TrainError, match=r"loss of epoch 1 is not finite.*--learning-rate below .*nothing was"):
            fit_model(model, tiny, recipe, tmp_path / "state")
        assert not (tmp_path / "state").exists()
        return
    history, best_epoch = fit_model(model, tiny, recipe, tmp_path / "state")

    assert len(history) == good
    assert 1 <= best_epoch <= good
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    assert "Warning: the loss of epoch 3 is not finite: training diverged" in capfd.readouterr().err


def test_a_killed_run_resumes_to_the_same_result(
    tiny: mnist.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(epochs=3, seed=1, batch_size=20, extras=EXTRAS)
    whole = _build()
    history, best_epoch = fit_model(whole, tiny, recipe, tmp_path / "whole")
    train_epoch = fit_module._train_epoch

    def killed(
        trainer: keras.Model, images: EpochImages, recipe: Recipe, epoch: int, devices: Devices
    ) -> tuple[float, float]:
        if epoch == 2:
            raise KeyboardInterrupt
        return train_epoch(trainer, images, recipe, epoch, devices)

    monkeypatch.setattr(fit_module, "_train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        fit_model(_build(), tiny, recipe, tmp_path / "killed")
    monkeypatch.setattr(fit_module, "_train_epoch", train_epoch)
    resumed = _build()
    history_again, best_again = fit_model(resumed, tiny, recipe, tmp_path / "killed")

    assert best_again == best_epoch
    assert [epoch.loss for epoch in history_again] == pytest.approx(
        [epoch.loss for epoch in history], abs=RESUME_TOLERANCE
    )
    for mine, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        assert mine == pytest.approx(theirs, abs=RESUME_TOLERANCE)


@pytest.mark.parametrize(
    "other",
    [
        Recipe(epochs=1, seed=2, extras=EXTRAS),
        Recipe(epochs=1, seed=1, extras=EXTRAS + 1),
        Recipe(epochs=1, seed=1, extras=EXTRAS, distortion=Distortion(blur=0)),
    ],
    ids=["seed", "extras", "distortion"],
)
def test_a_run_with_other_settings_is_not_continued(tiny: mnist.Splits, state: Path, other: Recipe) -> None:
    before = state.read_bytes()

    with pytest.raises(TrainError, match="other settings"):
        fit_model(_build(), tiny, other, state)

    assert state.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"no state of anything"], ids=["empty", "zip", "text"]
)
def test_what_is_no_state_is_said_and_left(tiny: mnist.Splits, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)

    with pytest.raises(TrainError, match=r"is not a training state .* Delete it to start again"):
        fit_model(_build(), tiny, Recipe(epochs=1, seed=1, extras=EXTRAS), tmp_path / "state")

    assert (tmp_path / "state").read_bytes() == content


def test_a_state_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    tiny: mnist.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(training_state.np, "savez", fail)

    with pytest.raises(TrainError, match=r"cannot be written \(No space left on device\)"):
        fit_model(_build(), tiny, Recipe(epochs=1, seed=1, extras=EXTRAS), tmp_path / "new folder" / "state")

    assert list((tmp_path / "new folder").iterdir()) == []


def test_validation_loss_counts_what_is_no_digit_as_an_eleventh_class(sample: mnist.Images) -> None:
    logits = np.random.default_rng(0).normal(0, 2, (len(sample), 10)).astype(np.float32)

    loss, accuracy = fit_module.evaluate_model(_Fixed(logits), sample)

    softmax = np.exp(logits.astype(np.float64)) / (1 + np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True))
    right = softmax[np.arange(len(sample)), sample.labels]
    assert loss == pytest.approx(-np.log(right).mean())
    assert accuracy == (logits.argmax(axis=1) == sample.labels).mean()


class _Fixed:
    """Gives the same logits to whoever asks."""

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = logits

    def predict(self, *_: object, **__: object) -> np.ndarray:
        return self.logits


def test_the_card_holds_the_whole_recipe(trained: Path) -> None:
    training = open_bundle(trained).card.training

    assert training is not None
    assert training.recipe == Recipe(epochs=4, seed=1, batch_size=64).as_numbers()
    assert {"extras", "distortion.blur"} <= set(training.recipe)


def test_the_best_epoch_is_chosen_on_validation(tiny: mnist.Splits, tmp_path: Path) -> None:
    model = _build()

    history, best_epoch = fit_model(
        model, tiny, Recipe(epochs=3, seed=1, batch_size=20, extras=EXTRAS), tmp_path / "state"
    )

    best = history[best_epoch - 1]
    assert best.validation_accuracy == max(epoch.validation_accuracy for epoch in history)
    assert fit_module.evaluate_model(model, tiny.validation) == pytest.approx(
        (best.validation_loss, best.validation_accuracy)
    )


def test_the_command_writes_a_bundle_that_says_how(trained: Path) -> None:
    card = open_bundle(trained).card

    assert card.training is not None
    assert card.export is None
    assert card.training.command == (
        f"KERAS_BACKEND={keras.backend.backend()} edge-mnist train "
        "--model standard --data mnist-sample-5k --recipe ours --epochs 4 --seed 1 --seeds 1 --batch-size 64 "
        f"--learning-rate 0.002 --last-augment 0.4 --extras 0.15 --devices 1 --out small"
    )
    assert len(card.training.history) == 4
    assert card.training.train.count == 4_000
    assert {path.name for path in trained.iterdir()} == {"card.json", "model.keras"}
    assert {path.name for path in trained.parent.iterdir()} == {
        trained.name, f"{trained.name}.training.html", f"{trained.name}.training.json",
    }  # fmt: skip


def test_the_shipped_model_was_trained_on_the_55000_and_selected_on_validation(full_mnist: mnist.Splits) -> None:
    training = open_bundle(SHIPPED).card.training

    assert training is not None
    assert training.train == full_mnist.train.describe()
    assert training.validation == full_mnist.validation.describe()
    accuracies = [epoch.validation_accuracy for epoch in training.history]
    assert accuracies[training.best_epoch - 1] == max(accuracies)


def test_without_mnist_training_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)

    result = edge_mnist("train", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "--data-dir" in result.stderr
    assert not list(tmp_path.iterdir())
