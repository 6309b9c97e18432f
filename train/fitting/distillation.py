"""Knowledge distillation: a small network learns from the logits of large ones, not from labels alone.

The teachers see the very pixels that the student sees, distorted in the same step, and answer for what is no digit,
too: their eleventh logit is 0 like the student's, so how sure they are that there is a digit is part of the lesson.

Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network" (2015): logits divided by a
temperature, the distance multiplied by its square; several teachers are averaged before the softmax.
"""

from collections.abc import Sequence
from typing import Any

import keras

from ...edge.bundle.card import NUM_CLASSES

ops: Any = keras.ops
# Of each image the student's logits come first, then the teachers'.
LOGITS = NUM_CLASSES + 1
# A logit whose softmax is 0.
NEVER = -1e4


class WithOutlierLogit(keras.layers.Layer):
    """Logits [N, 10] of the digits, and beside them that of "not a digit", which is always 0: [N, 11].

    Ten logits have one degree of freedom that a softmax over them ignores, their common level. This pins it down;
    `NEVER` instead of 0 leaves it free, as in a loss of ten classes.
    """

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level

    def call(self, logits: Any) -> Any:
        """See the class."""
        return ops.pad(ops.cast(logits, "float32"), [[0, 0], [0, 1]], constant_values=self.level)


class Teachers(keras.layers.Layer):
    """Raw pixels, uint8 [N, 28, 28, 1], to the mean of the teachers' logits, float32 [N, 11]; learns nothing."""

    def __init__(self, models: Sequence[keras.Model]) -> None:
        super().__init__()
        self.models = list(models)
        self.extended = WithOutlierLogit()
        # After the models are there: it is passed on to them.
        self.trainable = False

    def call(self, pixels: Any) -> Any:
        """Each teacher answers as it does in use: no dropout, its own batch norm statistics."""
        answers = [self.extended(model(pixels, training=False)) for model in self.models]
        return ops.stop_gradient(sum(answers) / len(answers))


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, and with the softened answers of the teachers.

    Args:
        labels: What the labels alone cost, of targets and logits [N, 11].
        weight: The teachers' share of the loss.
        temperature: Of both softmaxes.
    """

    def __init__(self, labels: keras.losses.Loss, weight: float, temperature: float) -> None:
        super().__init__(name="distillation")
        self.labels, self.weight, self.temperature = labels, weight, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Targets [N, 11], and logits [N, 22] of student and teachers, to the loss of each image."""
        student, teachers = y_pred[:, :LOGITS] / self.temperature, y_pred[:, LOGITS:] / self.temperature
        distance = ops.categorical_crossentropy(ops.softmax(teachers), student, from_logits=True)
        of_labels = self.labels.call(y_true, y_pred[:, :LOGITS])
        return (1 - self.weight) * of_labels + self.weight * self.temperature**2 * distance


def student_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the student names each image's class: targets [N, 11], logits [N, 11] or [N, 22] to float32 [N]."""
    return ops.cast(ops.argmax(y_true, axis=1) == ops.argmax(y_pred[:, :LOGITS], axis=1), "float32")
