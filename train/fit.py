"""Fit a model of the zoo: the recipe, the loop over epochs, and a state file that an interrupted run resumes from.

Only `keras` and `keras.ops` are used, so TensorFlow, JAX or PyTorch can do the work (`KERAS_BACKEND`). Each epoch's
shuffle depends on the seed and the epoch alone and every random state is saved, so a resumed run follows the
same course as one that was never interrupted, up to the order in which the hardware adds numbers.
"""

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..edge.card import IMAGE_SHAPE, NUM_CLASSES, Epoch
from ..edge.errors import EdgeMnistError
from ..edge.mnist import Images, Splits
from .augment import Augment, Distortion
from .outliers import draw_extras

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, apart from the architecture and the data.

    Attributes:
        epochs: Passes over the training images.
        seed: Of the weights, the shuffles and the distortions.
        batch_size: Images a step.
        learning_rate: AdamW's peak, reached after `warmup_epochs`, then a half cosine down to 0.
        weight_decay: Decoupled, times the learning rate.
        label_smoothing: Share of the target spread over all ten digits; also keeps logits small, which int8 likes.
        ema_share: Share of all steps that the moving average of the weights looks back on; the average is what is
            evaluated and kept.
        extras: Images an epoch that are drawn for each training digit, most of which are no digits; see `outliers.py`.
        distortion: How far each training image is distorted.
    """

    epochs: int
    seed: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup_epochs: float = 1.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    ema_share: float = 0.05
    extras: float = 3 / 11
    distortion: Distortion = dataclasses.field(default_factory=Distortion)

    def count_extras(self, train: Images) -> int:
        """How many images are drawn beside these."""
        return round(self.extras * len(train))

    def as_numbers(self) -> dict[str, int | float]:
        """Flat, for the card: `distortion.rotation_degrees` and so on."""
        flat = dataclasses.asdict(self)
        return {**{f"distortion.{key}": value for key, value in flat.pop("distortion").items()}, **flat}


class WithOutlierLogit(keras.layers.Layer):
    """Logits [N, 10] of the digits, and beside them that of "not a digit", which is always 0: [N, 11].

    Ten logits have one degree of freedom that a softmax over them ignores, their common level. This pins it down.
    """

    def call(self, logits: Any) -> Any:
        """See the class."""
        return keras.ops.pad(logits, [[0, 0], [0, 1]])


class ResumeError(EdgeMnistError):
    """An interrupted run lies there, but not of this model, recipe, backend and data."""


@dataclass
class _Progress:
    """How far a run has come, and the best weights so far."""

    history: list[Epoch]
    best_epoch: int
    best_weights: list[NDArray[np.float32]]


def fit(model: keras.Model, splits: Splits, recipe: Recipe, state_path: Path) -> tuple[tuple[Epoch, ...], int]:
    """Train `model` in place, leaving it with the averaged weights of the epoch that validation liked best.

    Args:
        model: From the zoo, freshly built; raw uint8 pixels [N, 28, 28, 1] in, logits [N, 10] out.
        splits: Only `train` and `validation` are touched.
        recipe: What to do.
        state_path: Rewritten after every epoch; a run that finds it goes on from there. The caller removes it.

    Returns:
        One record an epoch, and the best epoch, counted from 1.

    Raises:
        ResumeError: `state_path` holds a run with other settings.
    """
    count = len(splits.train) + recipe.count_extras(splits.train)
    trainer = _make_trainer(model, recipe, steps_per_epoch=-(-count // recipe.batch_size))
    identity = _identity(model, splits, recipe)
    progress = _load_state(state_path, trainer, identity)
    for epoch in range(len(progress.history), recipe.epochs):
        started = time.perf_counter()
        loss, accuracy = _train_epoch(trainer, splits.train, recipe, epoch)
        with _averaged_weights(trainer):
            validation_loss, validation_accuracy = evaluate(model, splits.validation)
            weights = model.get_weights()
        progress.history.append(
            Epoch(
                loss=loss,
                accuracy=accuracy,
                validation_loss=validation_loss,
                validation_accuracy=validation_accuracy,
                seconds=round(time.perf_counter() - started, 1),
            )
        )
        if _best_epoch(progress.history) == epoch + 1:
            progress.best_epoch, progress.best_weights = epoch + 1, weights
        _save_state(state_path, trainer, progress, identity)
        click.echo(_describe(progress, recipe.epochs), err=True)
    model.set_weights(progress.best_weights)
    return tuple(progress.history), progress.best_epoch


def evaluate(model: Any, images: Images) -> tuple[float, float]:
    """Mean cross-entropy (nats, no smoothing, outliers a class) and accuracy in [0, 1] of the model on these digits."""
    logits = model.predict(images.pixels, batch_size=EVALUATION_BATCH, verbose=0).astype(np.float64)
    shifted = np.concatenate([logits, np.zeros((len(logits), 1))], axis=1)
    shifted -= shifted.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probability[np.arange(len(images)), images.labels].mean()
    return float(loss), float((logits.argmax(axis=1) == images.labels).mean())


def describe_device() -> str:
    """The backend and the device that it puts a new tensor on, as it calls it: `jax on cuda:0`."""
    tensor: Any = keras.ops.zeros(1)
    return f"{keras.backend.backend()} on {str(tensor.device).rpartition('device:')[2]}"


def _make_trainer(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> keras.Model:
    """The model behind the augmentation, compiled; they share weights, so training one trains the other."""
    pixels = keras.Input(IMAGE_SHAPE, dtype="uint8")
    logits = model(Augment(recipe.distortion, recipe.seed)(pixels))
    trainer = keras.Model(pixels, WithOutlierLogit()(logits))
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = int(recipe.warmup_epochs * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, steps - warmup_steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,  # pyright: ignore[reportArgumentType] - documented, but annotated as a float
        weight_decay=recipe.weight_decay,
        use_ema=True,
        ema_momentum=1 - 1 / max(2, recipe.ema_share * steps),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(trainer.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    trainer.compile(optimizer, loss, metrics=["accuracy"])
    return trainer


def _train_epoch(trainer: Any, train: Images, recipe: Recipe, epoch: int) -> tuple[float, float]:
    random = np.random.default_rng([recipe.seed, epoch])
    extras = draw_extras(train, recipe.count_extras(train), random)
    order = random.permutation(len(train) + len(extras.labels))
    targets = np.eye(NUM_CLASSES + 1, dtype=np.float32)[np.concatenate([train.labels, extras.labels])[order]]
    outcome = trainer.fit(
        np.concatenate([train.pixels, extras.pixels])[order],
        targets,
        batch_size=recipe.batch_size,
        shuffle=False,
        verbose=0,
        callbacks=[_ProgressBar(f"epoch {epoch + 1}/{recipe.epochs}")],
    )
    return float(outcome.history["loss"][-1]), float(outcome.history["accuracy"][-1])


@contextmanager
def _averaged_weights(trainer: keras.Model) -> Iterator[None]:
    """Put the optimizer's moving average in the weights' place for a while."""
    current = [np.array(keras.ops.convert_to_numpy(variable)) for variable in trainer.trainable_variables]
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    for variable in trainer.trainable_variables:
        # A copy: on JAX the average and the weight would be one buffer, which evaluating gives away.
        variable.assign(np.array(keras.ops.convert_to_numpy(variable)))
    try:
        yield
    finally:
        for variable, value in zip(trainer.trainable_variables, current, strict=True):
            variable.assign(value)


def _best_epoch(history: list[Epoch]) -> int:
    """Most validation images right; among equals the lowest validation loss. Counted from 1."""
    return 1 + max(range(len(history)), key=lambda i: (history[i].validation_accuracy, -history[i].validation_loss))


def _describe(progress: _Progress, epochs: int) -> str:
    last = progress.history[-1]
    mark = "  best so far" if progress.best_epoch == len(progress.history) else ""
    return (
        f"epoch {len(progress.history):>3}/{epochs}  loss {last.loss:.4f}  train {last.accuracy:.2%}  "
        f"validation {last.validation_accuracy:.2%} (loss {last.validation_loss:.4f})  {last.seconds:.0f} s{mark}"
    )


def _identity(model: keras.Model, splits: Splits, recipe: Recipe) -> str:
    """What must be equal for one run to be the continuation of another."""
    return json.dumps(
        {
            "model": model.name,
            "data": splits.train.sha256,
            "backend": keras.backend.backend(),
            "recipe": recipe.as_numbers(),
        },
        sort_keys=True,
    )


def _save_state(path: Path, trainer: keras.Model, progress: _Progress, identity: str) -> None:
    arrays: dict[str, Any] = {
        f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state_variables(trainer))
    }
    arrays |= {f"best_{i}": weights for i, weights in enumerate(progress.best_weights)}
    history = [[getattr(epoch, field) for field in Epoch.__struct_fields__] for epoch in progress.history]
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        np.savez(file, identity=identity, history=np.array(history), best_epoch=progress.best_epoch, **arrays)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _load_state(path: Path, trainer: keras.Model, identity: str) -> _Progress:
    if not path.exists():
        return _Progress([], 0, [])
    with np.load(path, allow_pickle=False) as state:
        if str(state["identity"]) != identity:
            raise ResumeError(
                f"{path}: an interrupted run with other settings. Repeat its options to resume it, or delete the file."
            )
        for i, variable in enumerate(_state_variables(trainer)):
            variable.assign(state[f"variable_{i}"])
        best_weights = [state[f"best_{i}"] for i in range(sum(name.startswith("best_") for name in state.files) - 1)]
        history = [Epoch(**dict(zip(Epoch.__struct_fields__, row, strict=True))) for row in state["history"].tolist()]
        progress = _Progress(history, int(state["best_epoch"]), best_weights)
    click.echo(f"Resuming after epoch {len(history)}: {path}", err=True)
    return progress


def _state_variables(trainer: keras.Model) -> list[keras.Variable]:
    return [*trainer.variables, *trainer.optimizer.variables]


class _ProgressBar(keras.callbacks.Callback):
    """One bar an epoch on stderr, which vanishes when the epoch's line is printed."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the bar; `disable=None` keeps it out of files and pipes."""
        steps = (self.params or {}).get("steps")
        self.bar = tqdm(total=steps, desc=self.label, unit="step", leave=False, disable=None)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Advance by one step."""
        self.bar.update()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the bar."""
        self.bar.close()
