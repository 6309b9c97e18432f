"""Reproduce the table of 0012: latency of int8 files as converted, and in one piece; LiteRT, one thread.

The weights are random. Usage: python docs/decisions/measure_pieces.py
"""

import time
from unittest.mock import patch

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge_mnist.edge.data.datasets import load_sample
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats import tflite
from edge_mnist.export.formats.tflite_edits import slim
from edge_mnist.train.zoo import ZOO

NETWORKS = ("nano", "nano-2890", "max", "compact-8-16", "two-conv-122k", "dropout-cnn")
ROUNDS, CALLS = 100, 50


def main() -> None:
    """Convert all three ways, then time the three in turns."""
    calibration = choose_calibration(load_sample())
    for name in NETWORKS:
        model = ZOO[name]()
        with patch.object(tflite, "_is_plain_average", return_value=False):
            converted = tflite.convert_int8(model, calibration)
        contents = (converted, slim(converted), slim(tflite.convert_int8(model, calibration)))
        interpreters = [Interpreter(model_content=content, num_threads=1) for content in contents]
        for interpreter in interpreters:
            interpreter.allocate_tensors()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], calibration.pixels[:1])
        medians = np.array([[_time(interpreter) for interpreter in interpreters] for _ in range(ROUNDS)])
        latencies, ratios = np.median(medians, axis=0), np.median(medians / medians[:, :1], axis=0)
        print(
            f"{name}: as converted {latencies[0]:.1f} us; nothing flattened {ratios[1]:.3f} of it; "
            f"averages as convolutions, too, {ratios[2]:.3f}"
        )


def _time(interpreter: Interpreter) -> float:
    """Median of a round's calls, microseconds."""
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - started)
    return 1e6 * float(np.median(times))


if __name__ == "__main__":
    main()
