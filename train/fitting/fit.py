"""Fitting of a model of the zoo: the loop over epochs, which resumes an interrupted run.

Only `keras` and `keras.ops` are used, so TensorFlow, JAX or PyTorch can run it (`KERAS_BACKEND`). Each epoch's images
depend only on the seed and the epoch, and every random state is saved, so a resumed run follows the same course as an
uninterrupted one, up to the order in which the hardware adds numbers.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import IMAGE_SHAPE
from ...edge.bundle.training_record import Epoch, TrainingPrecision
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.output import echo
from ...edge.common.terminal.progress import ProgressBar
from ...edge.common.terminal.verbosity import note
from ...edge.data.images import Images, Splits
from ..augmentation.augment import Augment
from ..epochs import EpochFeed, EpochImages, draw_epoch
from ..errors import TrainError
from ..recipe import Recipe
from ..schedule import make_schedule
from .averaging import STATISTICS_IMAGES, NormStatistics, copy_network, put_average
from .backend import in_batches, predict_batches, use_xla
from .checkpoint import TrainingProgress, load_state, save_state
from .devices import Devices
from .distillation import NEVER, DistillationLoss, Teachers, WithOutlierLogit, student_accuracy
from .parents import Parent

EVALUATION_BATCH = 500
ONE_DEVICE = Devices()


@dataclass(frozen=True)
class FitSetup:
    """The settings of a run beside its recipe.

    Attributes:
        start: The bundle that the model's weights come from; None for random weights.
        teachers: The bundles whose logits the model learns to match.
        precision: Precision in which the layers compute, the teachers' too; weights are always float32.
        devices: The devices to train on.
    """

    start: Parent | None = None
    teachers: tuple[Parent, ...] = ()
    precision: TrainingPrecision = "float32"
    devices: Devices = ONE_DEVICE


def fit_model(
    model: keras.Model, splits: Splits, recipe: Recipe, state_path: Path, setup: FitSetup | None = None
) -> tuple[tuple[Epoch, ...], int]:
    """Train `model` in place, and leave it with the averaged weights of the best epoch on validation.

    Args:
        model: A model of the zoo; raw uint8 pixels [N, 28, 28, 1] in, logits [N, 10] out.
        splits: The data; only `train` and `validation` are used.
        recipe: The settings of the training.
        state_path: The resume file, written after every epoch; if it exists, the run continues from it. The caller
            removes it.
        setup: Further settings; None for the defaults.

    Returns:
        One record per epoch, and the best epoch, counted from 1. An epoch whose loss is not finite ends the training;
            the epochs before it are kept.

    Raises:
        TrainError: `state_path` belongs to a run with other settings, the devices cannot share a batch evenly, or the
            loss of the first epoch is not finite.
    """
    setup = setup or FitSetup()
    devices = setup.devices
    devices.check_batch(recipe.batch_size)
    count = recipe.count_images(splits.train)
    with devices.share():
        trained = copy_network(model, setup.precision)
        augment = Augment(recipe.distortion, recipe.seed)
        teachers = [copy_network(teacher.model, setup.precision) for teacher in setup.teachers]
        trainer = _make_trainer(trained, augment, recipe, -(-count // recipe.batch_size), teachers, setup.precision)
    statistics = NormStatistics(model, _distort_some(splits.train, recipe))
    variables, identity = _list_state(trainer, teachers), _identify(model, splits, recipe, setup)
    progress = load_state(state_path, variables, identity, model.get_weights())
    with EpochFeed(lambda epoch: draw_epoch(splits.train, recipe, epoch), recipe.epochs) as feed:
        for epoch in range(len(progress.history), recipe.epochs):
            started = time.perf_counter()
            images = feed.get(epoch)
            with devices.share():
                augment.share.assign(recipe.share_of_distortion(epoch))
                loss, accuracy = _train_epoch(trainer, images, recipe, epoch, devices)
            put_average(model, trained, trainer.optimizer)
            statistics.renew()
            validation_loss, validation_accuracy = evaluate_model(model, splits.validation, outlier_logit(recipe))
            if not math.isfinite(loss + validation_loss):
                stop_diverged(progress, recipe)
                break
            seconds = round(time.perf_counter() - started, 1)
            progress.add(Epoch(
                loss=loss, accuracy=accuracy, validation_loss=validation_loss,
                validation_accuracy=validation_accuracy, seconds=seconds,
            ), model.get_weights())  # fmt: skip
            save_state(state_path, variables, progress, identity)
            note(_describe(progress, recipe.epochs))
    model.set_weights(progress.best_weights)
    return tuple(progress.history), progress.best_epoch


def stop_diverged(progress: TrainingProgress, recipe: Recipe) -> None:
    """Warn that the loss is no longer finite, and that the best epoch so far is kept.

    Raises:
        TrainError: There is no earlier epoch.
    """
    epoch = len(progress.history) + 1
    said = (
        f"the loss of epoch {epoch} is not finite: training diverged and was stopped. Choose a --learning-rate "
        f"below {recipe.learning_rate:g}"
    )
    if not progress.history:
        raise TrainError(f"{said[0].upper()}{said[1:]}; nothing was written.")
    echo(f"Warning: {said}. The best earlier epoch is kept: epoch {progress.best_epoch}.", err=True)


def outlier_logit(recipe: Recipe) -> float:
    """Return the logit of "not a digit" beside the ten: 0 if that is a class of the loss."""
    return 0.0 if recipe.outlier_class else NEVER


def evaluate_model(model: Any, images: Images, outlier: float = 0.0) -> tuple[float, float]:
    """Compute mean cross-entropy (nats, no smoothing) and accuracy in [0, 1] of the model on digits.

    Args:
        model: A model with raw pixels in, logits out.
        images: Digits to evaluate on.
        outlier: The eleventh logit, see `outlier_logit`.
    """
    logits = predict_batches(model, images.pixels, EVALUATION_BATCH).astype(np.float64)
    shifted = np.concatenate([logits, np.full((len(logits), 1), outlier)], axis=1)
    # If training diverged, the outputs are not finite, and the caller stops.
    with np.errstate(invalid="ignore", over="ignore"):
        shifted -= shifted.max(axis=1, keepdims=True)
        log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probability[np.arange(len(images)), images.labels].mean()
    return float(loss), float((logits.argmax(axis=1) == images.labels).mean())


def describe_device() -> str:
    """Describe the backend and the device on which it puts a new tensor, in its own words: `jax on cuda:0`."""
    tensor: Any = keras.ops.zeros(1)
    return f"{keras.backend.backend()} on {str(tensor.device).rpartition('device:')[2]}"


def _make_trainer(
    model: keras.Model,
    augment: Augment,
    recipe: Recipe,
    steps_per_epoch: int,
    teachers: Sequence[keras.Model] = (),
    precision: TrainingPrecision = "float32",
) -> keras.Model:
    """Compile the model behind the augmentation; they share weights, so training one trains the other."""
    pixels = keras.Input(IMAGE_SHAPE, dtype="uint8")
    distorted = augment(pixels)
    outputs: Any = WithOutlierLogit(outlier_logit(recipe))(model(distorted))
    loss: keras.losses.Loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.label_smoothing
    )
    if teachers:
        outputs = keras.layers.Concatenate()([outputs, Teachers(teachers)(distorted)])
        loss = DistillationLoss(loss, recipe.teacher_weight, recipe.temperature)
    trainer = keras.Model(pixels, outputs)
    accuracy = keras.metrics.MeanMetricWrapper(student_accuracy, name="accuracy")
    optimizer = _make_optimizer(trainer, recipe, steps_per_epoch, precision)
    jit_compile: Any = use_xla()
    trainer.compile(optimizer, loss, metrics=[accuracy], jit_compile=jit_compile)
    return trainer


def _make_optimizer(
    trainer: keras.Model, recipe: Recipe, steps_per_epoch: int, precision: TrainingPrecision
) -> keras.optimizers.Optimizer:
    optimizer: Any = keras.optimizers.AdamW(
        make_schedule(  # pyright: ignore[reportArgumentType] - documented, but annotated as a float
            recipe.learning_rate, recipe.epochs, recipe.warmup_epochs, steps_per_epoch, recipe.last_rate
        ),
        weight_decay=recipe.weight_decay,
        use_ema=True,
        ema_momentum=1 - 1 / max(1, recipe.ema_share * recipe.epochs * steps_per_epoch),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if precision == "mixed_float16":
        # Small gradients would underflow in half precision.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(trainer.trainable_variables)
    return optimizer


def _train_epoch(
    trainer: Any, images: EpochImages, recipe: Recipe, epoch: int, devices: Devices
) -> tuple[float, float]:
    if devices.count > 1:
        images = images.take(devices.own_part(len(images.pixels), recipe.batch_size))
    outcome = trainer.fit(
        **in_batches(recipe.batch_size // devices.processes, images.pixels, images.targets),
        shuffle=False,
        verbose=0,
        callbacks=[_ProgressBar(f"epoch {epoch + 1}/{recipe.epochs}")],
    )
    return float(outcome.history["loss"][-1]), float(outcome.history["accuracy"][-1])


def _distort_some(train: Images, recipe: Recipe) -> NDArray[np.uint8]:
    """Distort some training images as in the last epoch, the same for all weights: uint8 [N, 28, 28, 1]."""
    step = -(-recipe.count_images(train) // STATISTICS_IMAGES)
    # Drawn for the epoch after the last, so that none is trained on these extras.
    some = draw_epoch(train.take(np.arange(0, len(train), step)), recipe, recipe.epochs)
    augment = Augment(recipe.distortion, recipe.seed)
    augment.share.assign(recipe.last_distortion)
    distorted: Any = keras.ops.convert_to_numpy(augment(some.pixels, training=True))
    return distorted


def _list_state(trainer: keras.Model, teachers: Sequence[keras.Model]) -> list[Any]:
    """List all variables that change from step to step; the teachers' do not."""
    constant = {id(variable) for teacher in teachers for variable in teacher.variables}
    return [v for v in [*trainer.variables, *trainer.optimizer.variables] if id(v) not in constant]


def _identify(model: keras.Model, splits: Splits, recipe: Recipe, setup: FitSetup) -> dict[str, Any]:
    """Collect what must be equal for one run to continue another."""
    return {
        "model": model.name,
        "data": splits.train.sha256,
        "backend": keras.backend.backend(),
        "recipe": recipe.as_numbers(),
        "start": setup.start and setup.start.record.sha256,
        "teachers": [teacher.record.sha256 for teacher in setup.teachers],
        "precision": setup.precision,
        "devices": setup.devices.count,
    }


def _describe(progress: TrainingProgress, epochs: int) -> str:
    last = progress.history[-1]
    mark = "  best so far" if progress.best_epoch == len(progress.history) else ""
    return (
        f"epoch {len(progress.history):>3}/{epochs}  loss {last.loss:.4f}  train {format_percent(last.accuracy)}  "
        f"validation {format_percent(last.validation_accuracy)} (loss {last.validation_loss:.4f})  "
        f"{last.seconds:.0f} s{mark}"
    )


class _ProgressBar(keras.callbacks.Callback):
    """Progress within an epoch on stderr; a bar vanishes when the epoch's line is printed."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the bar."""
        steps = (self.params or {}).get("steps")
        self.bar = ProgressBar(total=steps, label=self.label, unit="step")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Advance by one step."""
        self.bar.update()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the bar."""
        self.bar.close()
