"""Reproduces the table of 0004: errors and latency of ONNX int8 variants, here and on an emulated processor.

Usage:
    python docs/decisions/measure_weight_bits.py write FOLDER   # needs MNIST and edge-mnist[export]
    python docs/decisions/measure_weight_bits.py run FOLDER     # here
    qemu-x86_64 -cpu Haswell "$(readlink -f "$(command -v python3)")" docs/decisions/measure_weight_bits.py run FOLDER
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
CALLS = 300


def write(folder: Path) -> None:
    """Quantize the shipped model in each way; keep the validation images and labels beside the files."""
    from onnxruntime.quantization import QuantType  # noqa: PLC0415 - not where the files are only run

    from edge_mnist.edge.bundle import SHIPPED  # noqa: PLC0415
    from edge_mnist.edge.mnist import load_mnist  # noqa: PLC0415
    from edge_mnist.export import onnx  # noqa: PLC0415
    from edge_mnist.export.calibrate import choose_calibration  # noqa: PLC0415
    from edge_mnist.export.source import load_source  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    splits, quantize = load_mnist(), onnx.quantize_static
    model, calibration = load_source(SHIPPED / "model.keras", SHIPPED), choose_calibration(splits.train)
    variants = {
        "int8-8-bits": {"weight_type": QuantType.QInt8, "reduce_range": False},
        "int8-7-bits": {"weight_type": QuantType.QInt8, "reduce_range": True},
        "uint8": {"weight_type": QuantType.QUInt8, "reduce_range": False},
    }
    for name, changes in variants.items():
        # The exporter's own call, with these options in place of its own.
        onnx.quantize_static = lambda *files, _changes=changes, **options: quantize(*files, **{**options, **_changes})
        (folder / f"{name}.onnx").write_bytes(onnx.convert_int8(model, calibration))
    np.savez(folder / "validation.npz", pixels=splits.validation.pixels, labels=splits.validation.labels)


def run(folder: Path) -> None:
    """Count errors on the validation images and time single images, one thread."""
    import onnxruntime  # noqa: PLC0415 - after the line that forbids it to phone home

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with np.load(folder / "validation.npz", allow_pickle=False) as images:
        pixels, labels = images["pixels"], images["labels"]
    for path in sorted(folder.glob("*.onnx")):
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        errors = int((session.run(None, {"pixels": pixels})[0].argmax(axis=1) != labels).sum())
        latencies = []
        for _ in range(CALLS):
            started = time.perf_counter()
            session.run(None, {"pixels": pixels[:1]})
            latencies.append(time.perf_counter() - started)
        print(f"{path.stem}: {errors} errors of {len(labels):,}, p50 {1e6 * np.median(latencies):.0f} us")


if __name__ == "__main__":
    {"write": write, "run": run}[sys.argv[1]](Path(sys.argv[2]))
