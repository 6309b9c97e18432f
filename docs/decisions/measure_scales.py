"""Print the gap between the two largest logits of small networks, in the range of training and in others.

python docs/decisions/measure_scales.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

from edge_mnist.edge.data.datasets import load_mnist

TRAINED_ON, LOOKED_AT, EPOCHS = 12_000, 500, (1, 6)
RANGES = {"0-1": (1 / 255, 0.0), "0-255": (1.0, 0.0), "-1-1": (1 / 127.5, -1.0)}
KINDS = {
    "dense": lambda: [layers.Flatten(), layers.Dense(128, activation="relu")],
    "convolutions": lambda: [
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
    ],
    "logistic": list,
    "batch norm": lambda: [layers.Conv2D(8, 3, 2, use_bias=False), layers.BatchNormalization(), layers.ReLU()],
}


def main() -> None:
    """Print a row for each network, range and number of epochs."""
    splits = load_mnist()
    images, labels = splits.train.pixels[:TRAINED_ON].astype(np.float32), splits.train.labels[:TRAINED_ON]
    seen = splits.validation.take(np.arange(0, 5_000, 5_000 // LOOKED_AT))
    for kind, make in KINDS.items():
        for name, (scale, offset) in RANGES.items():
            for epochs in EPOCHS:
                keras.utils.set_random_seed(1)
                model = keras.Sequential([keras.Input((28, 28, 1)), *make(), layers.Flatten(), layers.Dense(10)])
                model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
                model.fit(images * scale + offset, labels, epochs=epochs, batch_size=64, verbose=0)
                figures = [_look(model, seen.pixels * s + o, seen.labels) for s, o in RANGES.values()]
                print(
                    f"{kind}, trained on {name}, {epochs} epochs:",
                    *map(": ".join, zip(RANGES, figures, strict=True)),
                    sep="  ",
                )


def _look(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> str:
    logits = model.predict(images.astype(np.float32), verbose=0)
    second, first = np.sort(logits, axis=1)[:, -2:].T
    return f"{100 * (logits.argmax(axis=1) == labels).mean():.1f} %, margin {np.median(first - second):.2f}"


if __name__ == "__main__":
    main()
