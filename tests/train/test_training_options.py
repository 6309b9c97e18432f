"""The options of training: each does what it says, its traces are in the card, and what cannot be is refused."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.training_record import Training
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.train.augmentation.distortion import Distortion
from edge_mnist.train.errors import TrainError
from edge_mnist.train.fitting import fit as fit_module
from edge_mnist.train.fitting import seeds as seeds_module
from edge_mnist.train.fitting.parents import inherit_weights, load_parent, load_teachers
from edge_mnist.train.zoo import ZOO
from tests.conftest import ONE_CALIBRATION, edge_mnist

QUICK = ("--model", "nano-2890", "--data", "mnist-sample-5k", "--epochs", 1, "--batch-size", 250, "--extras", 0.01)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a moment's training."""
    out = tmp_path_factory.mktemp("parents") / "small"
    result = edge_mnist("train", *QUICK, "--out", out)
    assert result.exit_code == 0, result.output
    return out


def _training(bundle: Path) -> Training:
    training = open_bundle(bundle).card.training
    assert training is not None
    return training


def test_everything_at_once_is_in_the_card_and_in_the_command(small: Path, tmp_path: Path) -> None:
    result = edge_mnist(
        "train", *QUICK, "--seeds", 2, "--augment", 0.5, "--paper", 2, "--mixed-precision", "bfloat16",
        "--teacher", small, "--teacher", small, "--from", small, "--out", tmp_path / "out",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    training, parent = _training(tmp_path / "out"), open_bundle(small).card
    assert [one.sha256 for one in training.teachers] == 2 * [parent.source.sha256]
    assert training.start is not None
    assert (training.start.name, training.start.datasets) == ("nano-2890", (mnist.SAMPLE,))
    assert training.precision == "mixed_bfloat16"
    assert training.recipe["distortion.rotation_degrees"] == Distortion().rotation_degrees / 2
    assert (training.recipe["distortion.paper"], training.recipe["distortion.noise"]) == (0.8, 0.2)
    assert training.command.endswith(
        "--seeds 2 --batch-size 250 --learning-rate 0.002 --augment 0.5 --last-augment 0.4 --paper 2.0 --extras 0.01 "
        "--teacher small --teacher small --from small --mixed-precision bfloat16 --devices 1 --out out"
    )
    assert training.seeds is not None
    accuracies = [run.validation_accuracy for run in training.seeds.runs]
    assert [run.seed for run in training.seeds.runs] == [1, 2]
    assert training.seeds.mean == pytest.approx(np.mean(accuracies))
    assert training.seeds.deviation == pytest.approx(np.std(accuracies, ddof=1))
    assert training.history[training.best_epoch - 1].validation_accuracy == max(accuracies)
    model = keras.saving.load_model(tmp_path / "out" / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in model.layers[1:]} == {"float32"}
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.training.html", "out.training.json"}


def test_seeds_go_on_where_they_were_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", *QUICK, "--model", "logistic", "--seeds", 2, "--out", tmp_path / "out")
    trained: list[int] = []
    train_epoch = fit_module._train_epoch

    def counted(trainer: keras.Model, images: object, recipe: fit_module.Recipe, *rest: object) -> object:
        trained.append(recipe.seed)
        if trained == [1, 2]:
            raise KeyboardInterrupt
        return train_epoch(trainer, images, recipe, *rest)

    monkeypatch.setattr(fit_module, "_train_epoch", counted)
    killed = edge_mnist(*command)
    again = edge_mnist(*command)

    assert killed.exit_code != 0
    assert "seed-1" in killed.stderr
    assert again.exit_code == 0, again.output
    assert trained == [1, 2, 2]
    assert not list(tmp_path.glob("*training-state*"))


def test_fine_tuning_begins_with_the_parents_weights(small: Path) -> None:
    splits = mnist.split_sample_for_training()
    parent, model = load_parent(small, splits), ZOO["nano-2890"]()

    anew = inherit_weights(model, parent, splits.labels)

    assert anew == []
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), parent.model.get_weights(), strict=True))


def test_other_classes_get_a_head_of_their_own(small: Path) -> None:
    parent, model = load_parent(small, mnist.split_sample_for_training()), ZOO["nano-2890"]()
    head = model.layers[-1].get_weights()

    assert inherit_weights(model, parent, tuple("abcdefghij")) == ["logits"]

    assert all(np.array_equal(*pair) for pair in zip(model.layers[-1].get_weights(), head, strict=True))


def test_layers_of_another_shape_start_anew_and_nothing_in_common_is_refused(small: Path) -> None:
    splits = mnist.split_sample_for_training()
    parent = load_parent(small, splits)

    anew = inherit_weights(ZOO["nano"](), parent, splits.labels)

    # Both have sixteen channels after the third convolution, and other numbers before it.
    assert anew[:4] == ["conv2d", "batch_normalization", "conv2d_1", "batch_normalization_1"]
    assert "batch_normalization_2" not in anew
    with pytest.raises(TrainError, match="none of its layers fits logistic"):
        inherit_weights(ZOO["logistic"](), parent, ())


def test_a_changed_parent_is_refused(small: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(small, tmp_path / "broken")
    content = bytearray((broken / "model.keras").read_bytes())
    content[-100] ^= 1
    (broken / "model.keras").write_bytes(content)

    result = edge_mnist("train", *QUICK, "--from", broken, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "model.keras: not the file the card describes" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"broken"}


def test_an_h5_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"\x89HDF")

    result = edge_mnist("train", *QUICK, "--from", path, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "may run code" in result.stderr


def test_validation_stays_unseen_by_ancestors(small: Path, full_mnist: mnist.Splits) -> None:
    with pytest.raises(TrainError, match="mnist's validation split"):
        load_teachers((small,), full_mnist)
    assert load_parent(SHIPPED, full_mnist).record.datasets == (mnist.MNIST,)


def test_teachers_of_other_classes_are_refused(small: Path) -> None:
    splits = mnist.split_sample_for_training()
    letters = mnist.Splits(splits.name, splits.train, splits.validation, splits.test, tuple("abcdefghij"))

    with pytest.raises(TrainError, match="expected a teacher of the classes a, b"):
        load_teachers((small,), letters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "no-such-folder"), "expected mnist, mnist-sample-5k, fashion-mnist or a folder"),
        (("--devices", "0"), "expected all or a number"),
        (("--devices", "two"), "expected all or a number"),
        (("--seeds", "0"), "--seeds"),
        (("--data", "fashion-mnist", "--extras", "0.1"), "--extras: expected 0 for fashion-mnist"),
    ],
)
def test_misuse_exits_with_2(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = edge_mnist("train", *options, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def letters(sample: mnist.Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits under other names, enough to calibrate on."""
    folder = tmp_path_factory.mktemp("data") / "letters"
    for label, name in enumerate("abcdefghij"):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(sample.pixels[sample.labels == label][:80]):
            Image.fromarray(image[..., 0]).save(folder / name / f"{i}.png")
    return folder


def test_pictures_of_ones_own_are_trained_on_and_exported(letters: Path, tmp_path: Path) -> None:
    options = ("--model", "nano-2890", "--epochs", 1, "--batch-size", 64, "--data", letters)
    trained = edge_mnist("train", *options, "--out", tmp_path / "mine")
    assert trained.exit_code == 0, trained.output
    assert f"--int8 --data-dir {letters}" in trained.stdout

    without = edge_mnist("export", tmp_path / "mine", "--format", "tflite")
    asked = ("export", tmp_path / "mine", "--format", "tflite", *ONE_CALIBRATION)
    exported = edge_mnist(*asked, "--data-dir", letters)

    assert without.exit_code == 1
    assert "--data-dir" in without.stderr
    assert exported.exit_code == 0, exported.output
    card = open_bundle(tmp_path / "mine").card
    assert card.labels == tuple("abcdefghij")
    assert card.training is not None
    assert card.training.command.count("--data letters ") == 1
    assert card.training.recipe["extras"] == 0
    assert card.export is not None
    assert card.export.evaluations[0].images.name == "folder:letters-test"
    file = tmp_path / "mine" / card.export.files[0].record.name
    said = inspect_file(file.read_bytes(), file.name).model.properties["edge_mnist.description"]
    assert said.startswith("Classifies small pictures into ten classes")

    next((letters / "a").iterdir()).unlink()
    changed = edge_mnist(*asked, "--data-dir", letters)
    assert changed.exit_code == 1
    assert "not those that the model was trained on" in changed.stderr


def test_among_seeds_validation_decides_and_then_the_loss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    epochs = {
        1: fit_module.Epoch(loss=1, accuracy=0.9, validation_loss=0.1, validation_accuracy=0.97, seconds=1),
        2: fit_module.Epoch(loss=1, accuracy=0.9, validation_loss=0.3, validation_accuracy=0.98, seconds=1),
        3: fit_module.Epoch(loss=1, accuracy=0.9, validation_loss=0.2, validation_accuracy=0.98, seconds=1),
    }
    monkeypatch.setattr(seeds_module, "fit_model", lambda _model, _splits, recipe, *_: ((epochs[recipe.seed],), 1))

    runs = seeds_module.train_seeds(
        lambda _: ZOO["logistic"](),
        mnist.split_sample_for_training(),
        fit_module.Recipe(epochs=1, seed=1),
        fit_module.FitSetup(),
        {seed: tmp_path / str(seed) for seed in epochs},
    )

    trials = seeds_module.compare_seeds(runs)
    assert seeds_module.choose_best(runs).recipe.seed == 3
    assert trials is not None
    assert trials.mean == pytest.approx((0.97 + 0.98 + 0.98) / 3)
