"""Results of a benchmark that nobody ran, made up for tests; the same for the same seed."""

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.results.schema import (
    Accuracy,
    BenchmarkSettings,
    Latency,
    MachineRun,
    Results,
    Row,
    Sample,
    StageBudget,
)
from edge_mnist.benchmarks.statistics.paired import measure_drop
from edge_mnist.edge.common.machine import describe_host
from edge_mnist.edge.data.images import Images

COUNT = 2000
# Places of rows in what `make_results` makes.
INT8, INT8_ONNX, PEER, MISSING = 1, 4, 5, 6
LABELS = np.arange(COUNT) % 10
# Median microseconds, by file and then by target; and how many images each file reads wrong.
SPEEDS = {"toy-float32.tflite": 225.0, "toy-int8.tflite": 118.0, "toy-float32.onnx": 231.0, "toy-int8.onnx": 139.0}
WRONG = {"toy-float32.tflite": 9, "toy-int8.tflite": 10, "toy-float32.onnx": 9, "toy-int8.onnx": 30}
SIZES = {
    "toy-float32.tflite": 678_688,
    "toy-int8.tflite": 186_432,
    "toy-float32.onnx": 677_120,
    "toy-int8.onnx": 190_112,
}


@functools.cache
def make_images() -> Images:
    """Pictures for the made-up results: a stroke for each, somewhere else in each."""
    pixels = np.zeros((COUNT, 28, 28, 1), np.uint8)
    for i in range(COUNT):
        pixels[i, 5:23, 6 + i % 15 : 9 + i % 15] = 255
    return Images("made-up-2k", "made-up", pixels, LABELS.astype(np.uint8), np.arange(COUNT))


def make_latency(
    median: float, random: np.random.Generator, processes: int = 5, calls: int = 200, batch: int = 1
) -> Latency:
    """Latencies with a tail, of processes that differ by a percent."""
    rounds = []
    for _ in range(processes):
        values = median * random.normal(1, 0.01) * np.exp(np.abs(random.normal(0, 0.03, calls)))
        values[random.random(calls) < 0.02] *= 1.5
        rounds.append(np.round(values, 3).tolist())
    return summarize_rounds(rounds, batch)


def make_accuracy(wrong: Sequence[int], float_wrong: Sequence[int] | None = None) -> Accuracy:
    """Of a file that calls these images one more than they are, beside a float file that does so with others."""
    read = LABELS.copy()
    read[list(wrong)] = (read[list(wrong)] + 1) % 10
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (LABELS, read), 1)
    base = np.ones(COUNT, bool)
    base[list(float_wrong if float_wrong is not None else wrong)] = False
    drop = measure_drop(base, read == LABELS)
    return Accuracy(
        correct=COUNT - len(wrong),
        count=COUNT,
        confusion=confusion.tolist(),
        misread=[(int(i), int(read[i])) for i in sorted(wrong)],
        drop_vs_keras_pp=drop.points,
        lost_vs_keras=drop.only_first,
        gained_vs_keras=drop.only_second,
        drop_vs_float_pp=drop.points,
        drop_interval_pp=drop.interval,
        lost=np.flatnonzero(base & (read != LABELS)).tolist(),
        gained=np.flatnonzero(~base & (read == LABELS)).tolist(),
        agreement=1 - abs(drop.points) / 100,
    )


def make_row(name: str, random: np.random.Generator, slower: float = 1.0, calls: int = 200, **changes: Any) -> Row:
    """A file of ours on its usual runtime, measured."""
    wrong = _spread(WRONG[name])
    # The int8 TFLite file gains one image and loses two; the other one loses the rest.
    wrong = wrong[1:] if name == "toy-int8.tflite" else wrong
    wrong = [*wrong, 1777] if name == "toy-int8.tflite" else wrong
    speed = slower * SPEEDS[name]
    row = Row(
        file=name,
        file_sha256=(name.encode().hex() * 4)[:64],
        format="tflite" if name.endswith("tflite") else "onnx",
        precision="int8" if "int8" in name else "float32",
        size_bytes=SIZES[name],
        parameters=168_874,
        macs=9_126_272,
        runtime="litert" if name.endswith("tflite") else "onnxruntime",
        runtime_version="2.3.0" if name.endswith("tflite") else "1.31.1",
        accuracy=make_accuracy(wrong, _spread(9)),
        latency=make_latency(speed, random, calls=calls),
        bare=make_latency(0.96 * speed, random, calls=calls),
        paced=make_latency(1.3 * speed, random, calls=calls // 4),
        batches=[make_latency(7 * speed, random, calls=calls // 4, batch=8)],
        load_ms=[12.1, 11.8, 12.5, 12.0, 11.9],
        first_ms=[0.9, 0.8, 1.1, 0.9, 0.9],
        peak_memory_mb=[51.2, 51.0, 51.3, 51.1, 51.2],
    )
    return msgspec.structs.replace(row, **changes)


def make_peer(random: np.random.Generator, calls: int = 200) -> Row:
    """Another project's model: fast and worse."""
    return Row(
        file="peer.tflite",
        file_sha256="ab" * 32,
        format="tflite",
        precision=None,
        size_bytes=43_424,
        is_peer=True,
        runtime="litert",
        runtime_version="2.3.0",
        accuracy=msgspec.structs.replace(
            make_accuracy(_spread(34)), drop_vs_keras_pp=None, lost_vs_keras=None, gained_vs_keras=None,
            drop_vs_float_pp=None, drop_interval_pp=None, agreement=None,
        ),
        latency=make_latency(11.8, random, calls=calls),
        load_ms=[9.0] * 5,
        first_ms=[0.2] * 5,
        peak_memory_mb=[48.0] * 5,
    )  # fmt: skip


def make_machine(name: str = "this machine", seed: int = 1, **changes: Any) -> MachineRun:
    """A machine that gets warm while it measures."""
    random = np.random.default_rng(seed)
    samples = [
        Sample(
            at_s=float(10 * i),
            frequency_mhz=[2400 + 10 * float(random.normal()), 2380 + 10 * float(random.normal())],
            temperature_c=45 + 12 * (1 - float(np.exp(-i / 8))),
            throttled=0,
            load_1m=min(1.0, 0.1 + i / 10),
            busy_elsewhere=abs(float(random.normal(0, 0.01))),
        )
        for i in range(31)
    ]
    host = msgspec.structs.replace(
        describe_host(), model="Made-up processor", system="Linux 6.1", governor="performance", load_1m=0.1, cores=2
    )
    machine = MachineRun(
        name=name,
        host=host,
        affinity=[0, 1],
        versions={"python": "3.11.7", "numpy": "2.2.0"},
        timer_overhead_us=0.041,
        samples=samples,
    )
    return msgspec.structs.replace(machine, **changes)


def make_results(seed: int = 1, slower: dict[str, float] | None = None, calls: int = 200, **changes: Any) -> Results:
    """A run on one machine: four files, one without its delegate, a peer, a runtime that is missing.

    Args:
        seed: Of all that is random.
        slower: By file, how many times as long it takes.
        calls: In each of five processes.
        changes: Fields to replace.
    """
    random = np.random.default_rng(seed)
    rows = [make_row(name, random, (slower or {}).get(name, 1.0), calls) for name in SPEEDS]
    rows.insert(2, make_row("toy-int8.tflite", random, 1.8, calls, delegate="none"))
    rows.append(make_peer(random, calls))
    rows.append(
        Row(
            file="toy-int8.tflite",
            file_sha256="cd" * 32,
            format="tflite",
            precision="int8",
            size_bytes=186_432,
            runtime="tflite-runtime",
            unavailable="not installed: pip install tflite-runtime",
        )
    )
    results = Results(
        edge_mnist="0.1.0",
        name="toy",
        card_sha256="5e" * 32,
        parameters=168_874,
        macs=9_126_272,
        evaluated_on="made-up-2k",
        images_sha256=make_images().sha256,
        image_count=COUNT,
        held_out=True,
        keras_correct=COUNT - 9,
        settings=BenchmarkSettings(rounds=5, calls=calls, seconds=10.0, threads=[1], batches=[1, 8]),
        started="2026-01-02T03:04:05+00:00",
        seconds=301.0,
        machines=[make_machine()],
        rows=rows,
        budgets=[make_budget(random)],
    )
    return msgspec.structs.replace(results, **changes)


def make_budget(random: np.random.Generator) -> StageBudget:
    """Where a frame's time goes."""
    return StageBudget(
        file="toy-int8.tflite",
        runtime="litert",
        width=1280,
        height=720,
        digits=10,
        stages_ms={"paper": 3.1, "find": 2.2, "frame": 1.4, "classify": 1.2, "rows": 0.3},
        total_ms=make_latency(8.4, random, calls=100),
    )


def replace_row(results: Results, place: int, **changes: Any) -> Results:
    """The results with one row changed."""
    rows = list(results.rows)
    rows[place] = msgspec.structs.replace(rows[place], **changes)
    return msgspec.structs.replace(results, rows=rows)


def _spread(wrong: int) -> list[int]:
    """So many images, the same first ones however many."""
    return [(37 * i + 11) % COUNT for i in range(wrong)]
