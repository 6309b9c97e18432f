"""Times the same epochs as Keras runs them by default and as train/execution.py does: seconds an epoch, in turns.

python docs/decisions/measure_epochs.py nano standard
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

from edge_mnist.train.execution import in_batches, wants_xla
from edge_mnist.train.zoo import ZOO

IMAGES, BATCH, ROUNDS = 25_600, 128, 3


def main() -> None:
    """Print a row for each model named."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (IMAGES, 28, 28, 1), np.uint8)
    targets = np.eye(10, dtype=np.float32)[random.integers(0, 10, IMAGES)]
    by_default = {"x": pixels, "y": targets, "batch_size": BATCH}
    handed_over = in_batches(BATCH, pixels, targets)
    for name in sys.argv[1:]:
        with_xla, plain = _compile(name, "auto"), _compile(name, wants_xla())
        turns = [
            (_time(with_xla, by_default), _time(with_xla, handed_over), _time(plain, handed_over))
            for _ in range(ROUNDS + 1)
        ]
        # The first turn compiles.
        default, no_tuner, both = np.median(turns[1:], axis=0)
        print(f"{name}: by default {default:.1f} s, without autotuner {no_tuner:.1f} s, nor XLA {both:.1f} s")


def _compile(name: str, jit_compile: object) -> keras.Model:
    model = ZOO[name].build()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=jit_compile)  # pyright: ignore[reportArgumentType]
    return model


def _time(model: keras.Model, data: dict[str, object]) -> float:
    started = time.perf_counter()
    model.fit(**data, verbose=0)  # pyright: ignore[reportArgumentType]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
