"""Reproduce the table of 0014: accuracy that int8 loses under each corruption, on validation, in both formats.

Usage:
    python docs/decisions/measure_degraded.py standard nano      # needs MNIST and edge-mnist[onnx]
    edge-mnist export standard --clean-calibration --out clean   # needs edge-mnist[export]
    python docs/decisions/measure_degraded.py clean
"""

import sys

import numpy as np
from numpy.typing import NDArray

from edge_mnist.benchmarks.studies.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from edge_mnist.edge.bundle.folder import find_bundle, open_bundle
from edge_mnist.edge.data.datasets import load_mnist
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import choose_runtime

SEED = 1


def measure(name: str, validation: Images) -> NDArray[np.float64]:
    """Right answers in percent, mean over severities: float TFLite, its int8, float ONNX, its int8; [4, 15]."""
    bundle = open_bundle(find_bundle(name))
    classifiers = [
        load_classifier(bundle, choose_runtime(runtime), precision)
        for runtime in ("litert", "onnxruntime")
        for precision in ("float32", "int8")
    ]
    right = np.zeros((len(classifiers), len(CORRUPTIONS)))
    for place, corruption in enumerate(CORRUPTIONS):
        for severity in SEVERITIES:
            pixels = corrupt(validation.pixels, corruption, severity, SEED)
            for row, classifier in enumerate(classifiers):
                right[row, place] += (classifier.logits(pixels).argmax(axis=1) == validation.labels).mean()
    return 100 * right / len(SEVERITIES)


def main() -> None:
    """Print a table for each bundle that is named."""
    validation = load_mnist().validation
    for name in sys.argv[1:]:
        right = measure(name, validation)
        print(f"{name}: float32 right, %; points that int8 loses in TFLite and in ONNX")
        for place, corruption in enumerate(CORRUPTIONS):
            float_tflite, int8_tflite, float_onnx, int8_onnx = right[:, place]
            print(
                f"{corruption:14} {float_tflite:6.2f} {float_tflite - int8_tflite:+6.2f} {float_onnx - int8_onnx:+6.2f}"
            )


if __name__ == "__main__":
    main()
