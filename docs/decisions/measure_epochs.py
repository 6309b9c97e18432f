"""Time the same epochs with Keras's defaults and with ours, in 32 and 16 bits: seconds per epoch, alternating.

python docs/decisions/measure_epochs.py nano standard
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

from edge_mnist.train.fitting.averaging import copy_network
from edge_mnist.train.fitting.backend import in_batches, use_xla
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
        with_xla, plain = _compile(name, "auto"), _compile(name, use_xla())
        ways = {
            "by default": (with_xla, by_default),
            "without autotuner": (with_xla, handed_over),
            "nor XLA": (plain, handed_over),
            "and in bfloat16": (_compile(name, use_xla(), "mixed_bfloat16"), handed_over),
        }
        # The first turn compiles.
        turns = [[_time(*way) for way in ways.values()] for _ in range(ROUNDS + 1)][1:]
        seconds = zip(ways, np.median(turns, axis=0), strict=True)
        print(f"{name}: " + ", ".join(f"{way} {median:.1f} s" for way, median in seconds), flush=True)


def _compile(name: str, jit_compile: object, precision: str = "float32") -> keras.Model:
    model = copy_network(ZOO[name](), precision)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=jit_compile)  # pyright: ignore[reportArgumentType]
    return model


def _time(model: keras.Model, data: dict[str, object]) -> float:
    started = time.perf_counter()
    model.fit(**data, verbose=0)  # pyright: ignore[reportArgumentType]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
