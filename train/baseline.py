"""What anything convolutional has to beat: multinomial logistic regression, fitted in seconds.

It is fitted anew for each report, to the very training images of the run, so the gain that the report names is never
against other data. In NumPy, because it then is the same whatever backend trained the network, and quick.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..edge.card import NUM_CLASSES
from ..edge.mnist import Images

# Enough that validation accuracy has stopped rising on MNIST: 92.86 %, as after 10 epochs of 128.
EPOCHS = 8
# So small that OpenBLAS multiplies on one thread: with more of them, a machine with other work takes 50 times as long.
BATCH = 100
LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Baseline:
    """Its weights, float32 [785, 10], the last row the biases, and how long they took."""

    weights: NDArray[np.float32]
    seconds: float

    def classify(self, images: Images) -> NDArray[np.int64]:
        """The likeliest class of each image, int64 [N]."""
        return (_flatten(images.pixels) @ self.weights).argmax(axis=1)


def fit_baseline(train: Images, seed: int) -> Baseline:
    """Fit to training images as they are, without distortion, by Adam with a learning rate that falls to 0.

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization" (ICLR 2015).
    """
    started, random = time.perf_counter(), np.random.default_rng(seed)
    weights = np.zeros((train.pixels[0].size + 1, NUM_CLASSES), np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    steps = [part for _ in range(EPOCHS) for part in _shuffled_batches(len(train), random)]
    for step, chosen in enumerate(steps, 1):
        gradient = _gradient(weights, _flatten(train.pixels[chosen]), train.labels[chosen])
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        rate = LEARNING_RATE * (1 - (step - 1) / len(steps))
        weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return Baseline(weights, time.perf_counter() - started)


def _shuffled_batches(count: int, random: np.random.Generator) -> list[NDArray[np.int64]]:
    return np.array_split(random.permutation(count), -(-count // BATCH))


def _gradient(
    weights: NDArray[np.float32], inputs: NDArray[np.float32], labels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Of the mean cross-entropy of a softmax."""
    logits = inputs @ weights
    errors = np.exp(logits - logits.max(axis=1, keepdims=True))
    errors /= errors.sum(axis=1, keepdims=True)
    errors[np.arange(len(labels)), labels] -= 1
    return inputs.T @ errors / np.float32(len(labels))


def _flatten(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Raw pixels [N, 28, 28, 1] as float32 [N, 785] in [0, 1], the last column 1."""
    flat = np.ones((len(pixels), pixels[0].size + 1), np.float32)
    flat[:, :-1] = pixels.reshape(len(pixels), -1) / np.float32(255)
    return flat
