"""How the published descriptions of the starting points trained them, for `--recipe described`.

What a description says is kept, and what it leaves open is chosen here: Adam at Keras's 0.001, as it is, to the end;
batches of 128; no augmentation; the cross-entropy of ten classes, with nothing smoothed, decayed or averaged. The best
epoch is chosen on this project's validation split, which stands in for their early stopping.
"""

from .distortion import Distortion
from .recipe import Recipe

NO_DISTORTION = Distortion().scaled(0)
# Descriptions name turning, shifting and zooming, and no amounts; these are the ones that tutorials take.
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


DESCRIBED = {
    # Nothing is said of it but what it reached.
    "logistic": _adam(epochs=20),
    # "About 20 s for 5 epochs"; batches as Keras makes them.
    "compact-8-16": _adam(epochs=5, batch_size=32, distortion=USUAL_DISTORTION),
    "two-conv-122k": _adam(epochs=5),
    "dropout-cnn": _adam(epochs=30, batch_size=256),
    # The number of epochs is not given.
    "one-hot-cnn": _adam(epochs=10),
    "batchnorm-905k": _adam(epochs=20, distortion=USUAL_DISTORTION),
}
