"""Knowledge distillation: a small network learns from the logits of large ones, not only from labels.

The teachers see the same pixels as the student, distorted in the same step, also of non-digits: their eleventh logit is
0 like the student's, so the student also learns how certain they are that there is a digit.

Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network" (2015): logits divided by a
temperature, the distance multiplied by its square; several teachers are averaged before the softmax.
"""

from collections.abc import Sequence
from typing import Any

import keras

from ...edge.bundle.contract import NUM_CLASSES

ops: Any = keras.ops
# For each image, the student's logits come first, then the teachers'.
LOGITS = NUM_CLASSES + 1
# A logit whose softmax is 0.
NEVER = -1e4


class WithOutlierLogit(keras.layers.Layer):
    """A layer that appends the logit of "not a digit", always 0, to the logits [N, 10] of the digits: [N, 11].

    Ten logits have one degree of freedom that a softmax over them ignores, their common level. The eleventh fixes it;
    `NEVER` instead of 0 leaves it free, as in a loss of ten classes.
    """

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level

    def call(self, logits: Any) -> Any:
        """Append the logit, see the class."""
        return ops.pad(ops.cast(logits, "float32"), [[0, 0], [0, 1]], constant_values=self.level)


class Teachers(keras.layers.Layer):
    """A fixed layer from raw pixels, uint8 [N, 28, 28, 1], to the mean of the teachers' logits, float32 [N, 11]."""

    def __init__(self, models: Sequence[keras.Model]) -> None:
        super().__init__()
        self.models = list(models)
        self.extended = WithOutlierLogit()
        # After the models are assigned, so that it applies to them, too.
        self.trainable = False

    def call(self, pixels: Any) -> Any:
        """Run each teacher as in use: no dropout, its own batch norm statistics."""
        answers = [self.extended(model(pixels, training=False)) for model in self.models]
        return ops.stop_gradient(sum(answers) / len(answers))


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, and with the softened outputs of the teachers.

    Args:
        labels: The loss against the labels alone, of targets and logits [N, 11].
        weight: Weight of the teachers in the loss, in [0, 1].
        temperature: Temperature of both softmaxes.
    """

    def __init__(self, labels: keras.losses.Loss, weight: float, temperature: float) -> None:
        super().__init__(name="distillation")
        self.labels, self.weight, self.temperature = labels, weight, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each image from targets [N, 11] and the logits [N, 22] of student and teachers."""
        student, teachers = y_pred[:, :LOGITS] / self.temperature, y_pred[:, LOGITS:] / self.temperature
        distance = ops.categorical_crossentropy(ops.softmax(teachers), student, from_logits=True)
        of_labels = self.labels.call(y_true, y_pred[:, :LOGITS])
        return (1 - self.weight) * of_labels + self.weight * self.temperature**2 * distance


def student_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Compute whether the student names each image's class: targets [N, 11], logits [N, 11 or 22] to float32 [N]."""
    return ops.cast(ops.argmax(y_true, axis=1) == ops.argmax(y_pred[:, :LOGITS], axis=1), "float32")
