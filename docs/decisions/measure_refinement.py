"""Reproduce the table of 0005: noise of the int8 files of the shipped model, with and without refined weights.

Usage:
    python docs/decisions/measure_refinement.py   # needs MNIST and edge-mnist[export]
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_mnist.edge.bundle.contract import PRECISION_KEY
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.datasets import load_mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.drafts import describe_draft
from edge_mnist.export.exporters import list_exporters
from edge_mnist.export.quantize.equalize import equalize
from edge_mnist.export.quantize.rounding import input_moments, input_patches, round_weights
from edge_mnist.export.quantize.sweep import Quantizer, signal_to_noise_db

import keras  # isort: skip - after the stage that chooses its backend


def correct_biases(model: keras.Model, pixels: np.ndarray, levels: int) -> None:
    """Move each batch norm's offset by what rounding to nearest shifts its layer's outputs on average."""
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = keras.Model(model.inputs, [layer.input for layer in convolutions]).predict(pixels, verbose=0)
    for layer, norm, values in zip(convolutions, norms, inputs, strict=True):
        kernel = np.asarray(layer.kernel)
        scales = np.abs(kernel).max(axis=(0, 1, 2)) / levels
        error = (kernel - np.rint(kernel / scales) * scales).reshape(-1, kernel.shape[-1])
        shift = input_patches(layer, values).mean(axis=0) @ error
        gain = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        norm.beta.assign(np.asarray(norm.beta) + shift * gain)


def main() -> None:
    """Print a line for each way."""
    splits = load_mnist()
    model, calibration = load_source(SHIPPED / "model.keras", Path("shipped")), choose_calibration(splits.train)
    pixels, validation = calibration.pixels, splits.validation
    expected = model.predict(validation.pixels, batch_size=500, verbose=0)
    ways: dict[str, list[Callable[[keras.Model, int], object]]] = {
        "as trained": [],
        "biases corrected": [lambda copy, levels: correct_biases(copy, pixels, levels)],
        "equalized": [lambda copy, _: equalize(copy, pixels)],
        "rounded": [lambda copy, levels: round_weights(copy, input_moments(copy, pixels), levels)],
    }
    ways["equalized and rounded"] = [*ways["equalized"], *ways["rounded"]]
    for way, steps in ways.items():
        for exporter in list_exporters():
            if exporter.precision == "int8" and isinstance(exporter.convert, Quantizer):
                copy = keras.models.clone_model(model)
                copy.set_weights(model.get_weights())
                for step in steps:
                    step(copy, exporter.convert.weight_levels)
                content = exporter.convert.convert(copy, calibration, "minmax")
                content = exporter.tools.seal(content, {PRECISION_KEY: "int8"})
                runtime = RUNTIMES[exporter.tools.runtime]
                logits = load_file(runtime, content, describe_draft(exporter, content)).logits(validation.pixels)
                snr_db = signal_to_noise_db(expected, logits)
                errors = int((logits.argmax(axis=1) != validation.labels).sum())
                changed = int((logits.argmax(axis=1) != expected.argmax(axis=1)).sum())
                print(f"{way}, {exporter.format}: {snr_db:.1f} dB, {errors} errors, {changed} digits changed")


if __name__ == "__main__":
    sys.exit(main())
