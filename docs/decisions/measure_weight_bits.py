"""Reproduce the table of 0004: errors, noise and latency of ONNX int8 variants, here and on emulated processors.

Usage:
    python docs/decisions/measure_weight_bits.py write FOLDER   # needs MNIST and edge-mnist[export]
    python docs/decisions/measure_weight_bits.py run FOLDER     # here; on an aarch64 machine, numpy and onnxruntime do
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
    """Quantize the shipped model in each way; keep validation images, labels and Keras's logits beside the files."""
    from onnxruntime.quantization import QuantType, quantize_static  # noqa: PLC0415 - not where the files are only run

    from edge_mnist.edge.bundle.shipped import SHIPPED  # noqa: PLC0415
    from edge_mnist.edge.data.datasets import load_mnist  # noqa: PLC0415
    from edge_mnist.export.adoption.source import load_source  # noqa: PLC0415
    from edge_mnist.export.calibration import choose_calibration, unit_images  # noqa: PLC0415
    from edge_mnist.export.formats import onnx  # noqa: PLC0415
    from edge_mnist.export.quantize.sweep import AS_TRAINED, REFINED, WeightVariants  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    splits = load_mnist()
    model, calibration = load_source(SHIPPED / "model.keras", SHIPPED), choose_calibration(splits.train)
    weights = WeightVariants(model, calibration)
    for name, weight_type in onnx.WEIGHT_TYPES.items():
        for kind, words in ((AS_TRAINED, "as-trained"), (REFINED, "refined")):
            network = weights.models(weight_type.levels)[kind]
            (folder / f"uint8-x-{name}-{words}.onnx").write_bytes(onnx.convert_int8(network, calibration, weights=name))
    # Signed activations cannot take raw pixels: this one reads floats.
    onnx.prepare_for_quantization(weights.models(127)[REFINED], folder / "prepared")
    images = iter([{onnx.INPUT: image} for image in unit_images(calibration)])
    reader = type("Reader", (), {"get_next": lambda _: next(images, None)})()
    quantize_static(
        folder / "prepared",
        folder / "int8-x-int8-refined.onnx",
        reader,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    validation = splits.validation
    logits = model.predict(validation.pixels, batch_size=500, verbose=0)
    np.savez(folder / "validation.npz", pixels=validation.pixels, labels=validation.labels, logits=logits)


def run(folder: Path) -> None:
    """Count errors on the validation images, measure the logits' noise, and time single images, one thread."""
    import onnxruntime  # noqa: PLC0415 - after the line that forbids it to phone home

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with np.load(folder / "validation.npz", allow_pickle=False) as images:
        pixels, labels, expected = images["pixels"], images["labels"], images["logits"]
    for path in sorted(folder.glob("*.onnx")):
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        inputs = pixels if session.get_inputs()[0].type == "tensor(uint8)" else pixels.astype(np.float32) / 255
        logits = session.run(None, {"pixels": inputs})[0]
        errors = int((logits.argmax(axis=1) != labels).sum())
        snr_db = 10 * np.log10((expected**2).sum() / ((logits - expected) ** 2).sum())
        latencies = []
        for _ in range(CALLS):
            started = time.perf_counter()
            session.run(None, {"pixels": inputs[:1]})
            latencies.append(time.perf_counter() - started)
        p50_us = 1e6 * np.median(latencies)
        print(f"{path.stem}: {errors} errors of {len(labels):,}, {snr_db:.1f} dB, p50 {p50_us:.0f} us")


if __name__ == "__main__":
    {"write": write, "run": run}[sys.argv[1]](Path(sys.argv[2]))
