"""The training recipe: everything that decides a model's weights, apart from its architecture and the data."""

import dataclasses
from dataclasses import dataclass

from ..edge.data.images import Images
from .augmentation.distortion import Distortion

# The names of recipes: this project's own, or the one in the network's published description.
RECIPES = ("ours", "described")
# The value that stands for all available devices.
ALL = "all"


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        epochs: Passes over the training images.
        seed: Seed of the weights, the shuffles and the distortions.
        batch_size: Images per step, over all devices.
        learning_rate: Peak of AdamW's rate, reached after `warmup_epochs`, then a half cosine down to `last_rate`.
        last_rate: Final learning rate as a share of the peak; 1 keeps the rate constant.
        weight_decay: Decoupled weight decay, multiplied by the learning rate.
        label_smoothing: Share of the target spread over all ten digits; also keeps logits small, which helps int8.
        ema_share: Share of all steps that the moving average of the weights covers; the average is evaluated and kept.
            0 evaluates and keeps the weights themselves.
        outlier_class: Whether "not a digit" is an eleventh class of the loss, with a logit of 0.
        extras: Extra images drawn per epoch for each training digit, most of them non-digits; see `outliers.py`.
        teacher_weight: With teachers, weight of the distance to their logits in the loss; the rest goes to the labels.
        temperature: Divisor of the logits before teachers and student are compared.
        distortion: Distortion of each training image in the first epoch.
        last_distortion: Share of the distortion that is left in the last epoch; it falls linearly. 1 keeps it constant.
    """

    epochs: int
    seed: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup_epochs: float = 1.0
    last_rate: float = 0.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    ema_share: float = 0.05
    outlier_class: bool = True
    extras: float = 0.15
    teacher_weight: float = 0.9
    temperature: float = 2.0
    distortion: Distortion = dataclasses.field(default_factory=Distortion)
    last_distortion: float = 0.4

    def count_extras(self, train: Images) -> int:
        """Count the images drawn in an epoch beside the training images."""
        return round(self.extras * len(train))

    def count_images(self, train: Images) -> int:
        """Count all images of an epoch."""
        return len(train) + self.count_extras(train)

    def share_of_distortion(self, epoch: int) -> float:
        """Return the share of the distortion in an epoch, counted from 0."""
        return 1 - (1 - self.last_distortion) * epoch / max(1, self.epochs - 1)

    def as_numbers(self) -> dict[str, int | float]:
        """Flatten the recipe for the card: `distortion.rotation_degrees` and so on; True is 1."""
        flat = dataclasses.asdict(self)
        distortion = {f"distortion.{key}": value for key, value in flat.pop("distortion").items()}
        return {**distortion, **flat, "outlier_class": int(self.outlier_class)}


NO_DISTORTION = Distortion().scaled(0)
# Descriptions name rotation, shift and zoom without amounts; these are the common ones of tutorials.
USUAL_DISTORTION = Distortion(
    rotation_degrees=10.0, log_scale=0.1, shear=0.0, shift_px=2.8, elastic_px=0.0, thickness=0.0, blur=0.0
)


def _adam(epochs: int, batch_size: int = 128, distortion: Distortion = NO_DISTORTION) -> Recipe:
    return Recipe(
        epochs=epochs,
        seed=1,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_epochs=0.0,
        last_rate=1.0,
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_share=0.0,
        outlier_class=False,
        extras=0.0,
        distortion=distortion,
        last_distortion=1.0,
    )


PUBLISHED_RECIPES = {
    # The description gives only the accuracy.
    "logistic": _adam(epochs=20),
    # "About 20 s for 5 epochs"; batches of Keras's default size.
    "compact-8-16": _adam(epochs=5, batch_size=32, distortion=USUAL_DISTORTION),
    "two-conv-122k": _adam(epochs=5),
    "dropout-cnn": _adam(epochs=30, batch_size=256),
    # The number of epochs is not given.
    "one-hot-cnn": _adam(epochs=10),
    "batchnorm-905k": _adam(epochs=20, distortion=USUAL_DISTORTION),
}
