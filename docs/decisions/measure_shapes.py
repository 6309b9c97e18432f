"""Reproduce the table of 0002: latency of candidate shapes with random weights, int8 in LiteRT, one thread.

Usage: python docs/decisions/measure_shapes.py
"""

import time

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from edge_mnist.edge.bundle.contract import SCALING_LAYER
from edge_mnist.edge.data.datasets import load_sample
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats.tflite import convert_int8

# Each layer: filters, kernel, stride, padding.
SHAPES = {
    "32/2, 64, 64/2, 128": [(32, 3, 2, "same"), (64, 3, 1, "same"), (64, 3, 2, "same"), (128, 3, 1, "same")],
    "32/2, 64, 64/2, 64, 128 valid": [
        (32, 3, 2, "same"), (64, 3, 1, "same"), (64, 3, 2, "same"), (64, 3, 1, "same"), (128, 3, 1, "valid"),
    ],
    "32/2, 48, 64/2, 96, 96 valid": [
        (32, 3, 2, "same"), (48, 3, 1, "same"), (64, 3, 2, "same"), (96, 3, 1, "same"), (96, 3, 1, "valid"),
    ],
    "32/2, 64, 64/2, 96, 128/2": [
        (32, 3, 2, "same"), (64, 3, 1, "same"), (64, 3, 2, "same"), (96, 3, 1, "same"), (128, 3, 2, "same"),
    ],
    "32/2, 48, 64/2, 64, 128 valid": [
        (32, 3, 2, "same"), (48, 3, 1, "same"), (64, 3, 2, "same"), (64, 3, 1, "same"), (128, 3, 1, "valid"),
    ],
    "32/2, 32, 64/2, 64, 128 valid": [
        (32, 3, 2, "same"), (32, 3, 1, "same"), (64, 3, 2, "same"), (64, 3, 1, "same"), (128, 3, 1, "valid"),
    ],
    "16/2, 32, 64/2, 64, 128 valid": [
        (16, 3, 2, "same"), (32, 3, 1, "same"), (64, 3, 2, "same"), (64, 3, 1, "same"), (128, 3, 1, "valid"),
    ],
    "32 (5x5)/2, 64, 64/2, 128": [(32, 5, 2, "same"), (64, 3, 1, "same"), (64, 3, 2, "same"), (128, 3, 1, "same")],
}  # fmt: skip
ROUNDS, CALLS = 20, 200


def build(shape: list[tuple[int, int, int, str]]) -> keras.Model:
    """Build a network of this shape that keeps the contract."""
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255, name=SCALING_LAYER)(pixels)
    for filters, kernel, strides, padding in shape:
        x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(pixels, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def main() -> None:
    """Convert all, then time them in turn, so that a slow minute falls on all alike."""
    calibration = choose_calibration(load_sample())
    models = {name: build(shape) for name, shape in SHAPES.items()}
    latencies: dict[str, list[float]] = {name: [] for name in models}
    interpreters = {}
    for name, model in models.items():
        interpreters[name] = Interpreter(model_content=convert_int8(model, calibration), num_threads=1)
        interpreters[name].allocate_tensors()
        interpreters[name].set_tensor(interpreters[name].get_input_details()[0]["index"], calibration.pixels[:1])
    for _ in range(ROUNDS):
        for name, interpreter in interpreters.items():
            for _ in range(CALLS):
                started = time.perf_counter()
                interpreter.invoke()
                latencies[name].append(time.perf_counter() - started)
    for name, model in models.items():
        print(f"{name}: {model.count_params():,} parameters, p50 {1e6 * np.median(latencies[name]):.1f} us")


if __name__ == "__main__":
    main()
