"""Distillation: what the teachers say counts as it should, and nothing of them is changed, saved or exchanged."""

from pathlib import Path

import keras
import numpy as np
import pytest

from edge_mnist.edge.bundle.training_record import Ancestor
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.errors import TrainError
from edge_mnist.train.fitting.distillation import LOGITS, DistillationLoss, Teachers, student_accuracy
from edge_mnist.train.fitting.fit import FitSetup, fit_model
from edge_mnist.train.fitting.parents import Parent
from edge_mnist.train.recipe import Recipe
from edge_mnist.train.zoo import ZOO

RECIPE = Recipe(epochs=1, seed=1, batch_size=25, extras=0.25)


@pytest.fixture
def tiny(sample: mnist.Images) -> mnist.Splits:
    return mnist.Splits("tiny", *(sample.take(np.arange(start, 5_000, 50)) for start in (0, 1, 2)))


def _teacher(name: str, seed: int = 1) -> Parent:
    keras.utils.set_random_seed(seed)
    return Parent(ZOO[name](), Ancestor(name=name, sha256=f"{seed:064x}", datasets=("tiny",)), ())


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_the_loss_is_that_of_the_paper() -> None:
    random = np.random.default_rng(0)
    targets = np.eye(LOGITS, dtype=np.float32)[random.integers(0, LOGITS, 5)]
    student, teachers = random.normal(0, 3, (2, 5, LOGITS)).astype(np.float32)
    of_labels = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)

    loss = DistillationLoss(of_labels, weight=0.7, temperature=3.0)(targets, np.concatenate([student, teachers], 1))

    smoothed = 0.9 * targets + 0.1 / LOGITS
    hard = -(smoothed * np.log(_softmax(student))).sum(axis=1)
    soft = -(_softmax(teachers / 3) * np.log(_softmax(student / 3))).sum(axis=1)
    assert float(loss) == pytest.approx(float((0.3 * hard + 0.7 * 9 * soft).mean()), rel=1e-5)


def test_teachers_are_averaged_and_their_eleventh_logit_is_0(sample: mnist.Images) -> None:
    models = [_teacher("logistic", seed).model for seed in (1, 2)]

    said = keras.ops.convert_to_numpy(Teachers(models)(sample.pixels[:6]))

    mean = (models[0].predict(sample.pixels[:6], verbose=0) + models[1].predict(sample.pixels[:6], verbose=0)) / 2
    assert said[:, :10] == pytest.approx(mean, abs=1e-5)
    assert (said[:, 10] == 0).all()


def test_a_teacher_does_not_drop_out_and_learns_nothing(sample: mnist.Images) -> None:
    teachers = Teachers([_teacher("dropout-cnn").model])

    once, again = (keras.ops.convert_to_numpy(teachers(sample.pixels[:6], training=True)) for _ in range(2))

    assert np.array_equal(once, again)
    assert teachers.trainable_variables == []


def test_accuracy_is_the_students() -> None:
    targets = np.eye(LOGITS, dtype=np.float32)[[0, 1, 10]]
    student = np.eye(LOGITS, dtype=np.float32)[[0, 2, 10]]
    teachers = np.eye(LOGITS, dtype=np.float32)[[5, 1, 5]] * 9

    hits = keras.ops.convert_to_numpy(student_accuracy(targets, np.concatenate([student, teachers], axis=1)))

    assert hits.tolist() == [1, 0, 1]


def test_teachers_are_neither_changed_nor_saved(tiny: mnist.Splits, tmp_path: Path) -> None:
    teacher, student = _teacher("batchnorm-905k"), ZOO["logistic"]()
    before = [weights.copy() for weights in teacher.model.get_weights()]

    fit_model(student, tiny, RECIPE, tmp_path / "state", FitSetup(teachers=(teacher,)))

    assert all(np.array_equal(*pair) for pair in zip(before, teacher.model.get_weights(), strict=True))
    with np.load(tmp_path / "state") as state:
        assert sum(state[name].size for name in state.files if name.startswith("variable_")) < 10 * 7_850


def test_a_student_follows_its_teacher_alone_where_only_the_teacher_counts(tiny: mnist.Splits, tmp_path: Path) -> None:
    teacher, student = _teacher("logistic"), ZOO["logistic"]()
    *weights, bias = teacher.model.get_weights()
    teacher.model.set_weights([*(0 * one for one in weights), bias + 5 * np.eye(10, dtype=np.float32)[3]])
    recipe = Recipe(epochs=3, seed=1, batch_size=10, learning_rate=0.1, extras=0, teacher_weight=1, temperature=1)

    fit_model(student, tiny, recipe, tmp_path / "state", FitSetup(teachers=(teacher,)))

    assert (student.predict(tiny.validation.pixels, verbose=0).argmax(axis=1) == 3).mean() > 0.9


def test_teachers_compute_in_the_precision_of_the_student(
    tiny: mnist.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Teachers] = []
    monkeypatch.setattr(
        "edge_mnist.train.fitting.fit.Teachers", lambda models: made.append(Teachers(models)) or made[0]
    )

    fit_model(
        ZOO["logistic"](), tiny, RECIPE, tmp_path / "state",
        FitSetup(teachers=(_teacher("nano"),), precision="mixed_bfloat16"),
    )  # fmt: skip

    (answering,) = made[0].models
    assert {layer.compute_dtype for layer in answering.layers if layer.weights} == {"bfloat16", "float32"}
    assert answering.layers[-1].compute_dtype == "float32"


def test_another_teacher_does_not_resume(tiny: mnist.Splits, tmp_path: Path) -> None:
    fit_model(ZOO["logistic"](), tiny, RECIPE, tmp_path / "state", FitSetup(teachers=(_teacher("logistic", 1),)))

    with pytest.raises(TrainError, match=r"other settings .*teachers"):
        fit_model(ZOO["logistic"](), tiny, RECIPE, tmp_path / "state", FitSetup(teachers=(_teacher("logistic", 2),)))
