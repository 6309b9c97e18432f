"""A benchmark's JSON: encoding, and reading with one sentence on what is wrong with a file."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...edge.bundle.contract import NUM_CLASSES
from ...edge.common.errors import EdgeMnistError
from ...edge.common.files import read_file, write_all
from ...edge.common.processes.child import first_line
from ..errors import BenchmarkError
from ..statistics.quantiles import FEWEST_PROCESSES
from .schema import SCHEMA_VERSION, Accuracy, Latency, Results

# Version 2 has figures that version 3 computes from the raw values.
READABLE = (2, SCHEMA_VERSION)
# Tolerance for the rounding of numbers in JSON.
CLOSE = 1e-6
# A full benchmark's file has a few megabytes.
MOST_BYTES = 256_000_000
# A full run has 200,000 values in 2,000 lists. These limits correspond to half a gigabyte.
MOST_VALUES, MOST_LISTS = 16_000_000, 500_000


class _Versioned(msgspec.Struct):
    """The fields that every version of the schema has."""

    schema_version: int
    rows: list[msgspec.Raw]
    card_sha256: str
    image_count: int


def read_results(path: Path) -> Results:
    """Read results written by `edge-mnist benchmark`.

    Raises:
        BenchmarkError: The file cannot be read, is damaged, is something else, has another version of the schema, or
            lacks raw values that its figures come from.
    """
    try:
        content = read_file(path, MOST_BYTES)
    except EdgeMnistError as error:
        raise BenchmarkError(str(error)) from error
    return decode_results(content, str(path))


def decode_results(content: bytes, origin: str) -> Results:
    """Decode results written by `edge-mnist benchmark`.

    Args:
        content: The JSON document.
        origin: The name of its source, for error messages.

    Raises:
        BenchmarkError: The content cannot be used, see `read_results`.
    """
    results = _decode(content, origin)
    fault = next(_find_faults(results), None)
    if fault:
        raise BenchmarkError(f"{origin}: {fault}. Take the file as edge-mnist benchmark wrote it, or measure again.")
    return results


def encode_results(results: Results) -> bytes:
    """Encode results as the JSON document that `read_results` reads."""
    return msgspec.json.encode(results) + b"\n"


def _decode(content: bytes, origin: str) -> Results:
    # Before anything is decoded: a list in Python takes 30 times the memory of `[1],`.
    values, lists = content.count(b","), content.count(b"[") + content.count(b"{")
    if values > MOST_VALUES or lists > MOST_LISTS:
        raise BenchmarkError(
            f"{origin}: holds {values:,} values in {lists:,} lists, more than {MOST_VALUES:,} or {MOST_LISTS:,}: no "
            "benchmark writes that many."
        )
    try:
        found = msgspec.json.decode(content, type=_Versioned).schema_version
    except msgspec.ValidationError as error:
        raise BenchmarkError(f"{origin}: these are not the results of edge-mnist benchmark ({error}).") from error
    except Exception as error:
        # Also raised for JSON that is nested a hundred thousand times.
        raise BenchmarkError(f"{origin}: damaged, this is not whole JSON ({first_line(error)}).") from error
    if found not in READABLE:
        raise BenchmarkError(
            f"{origin}: expected schema_version {' or '.join(map(str, READABLE))}, got {found}; this version of "
            "edge-mnist cannot read it. Measure again."
        )
    try:
        return replace(msgspec.json.decode(content, type=Results), schema_version=SCHEMA_VERSION)
    except Exception as error:
        raise BenchmarkError(f"{origin}: damaged, it does not follow schema {found} ({first_line(error)}).") from error


def write_with_json(results: msgspec.Struct, stem: Path, **texts: str) -> tuple[Path, ...]:
    """Write `STEM.json` and each text, as `STEM.` and its keyword, into an existing folder; return the paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    contents = {"json": msgspec.json.encode(results) + b"\n"} | {name: text.encode() for name, text in texts.items()}
    return write_all({stem.with_name(f"{stem.name}.{name}"): content for name, content in contents.items()})


def _find_faults(results: Results) -> Iterator[str]:
    """Yield what the schema cannot check: contradictions between the figures and the values behind them."""
    count = len(results.machines)
    for i, row in enumerate(results.rows):
        if not 0 <= row.machine < count:
            yield f"rows[{i}] is of machine {row.machine}, and there are {count}"
        if row.accuracy:
            yield from _check_accuracy(f"rows[{i}].accuracy", row.accuracy, results.image_count)
        elif row.unavailable is None:
            yield f"rows[{i}] has neither an accuracy nor a reason for having none"
        check = row.input_check
        if check and (check.count <= 0 or not {check.stated, check.better or check.stated} <= check.correct.keys()):
            yield f"rows[{i}].input_check has no count by the convention that it names"
        named = {"latency": row.latency, "bare": row.bare, "paced": row.paced}
        named |= {f"batches[{j}]": batch for j, batch in enumerate(row.batches)}
        for name, latency in named.items():
            if latency:
                yield from _check_latency(f"rows[{i}].{name}", latency)
    for i, budget in enumerate(results.budgets):
        if not 0 <= budget.machine < count:
            yield f"budgets[{i}] is of machine {budget.machine}, and there are {count}"
        yield from _check_latency(f"budgets[{i}].total_ms", budget.total_ms)
    if results.keras_correct > results.image_count:
        yield f"keras_correct is {results.keras_correct} of {results.image_count} images"
    if not count:
        yield "machines is empty, and whatever was measured was measured on one"


def _check_accuracy(name: str, accuracy: Accuracy, images: int) -> Iterator[str]:
    if accuracy.count <= 0 or not 0 <= accuracy.correct <= accuracy.count:
        yield f"{name} has {accuracy.correct} correct of {accuracy.count}"
    if len(accuracy.misread) != accuracy.count - accuracy.correct:
        yield (
            f"raw values are missing: {name} has {accuracy.count - accuracy.correct} wrong images, and misread names "
            f"{len(accuracy.misread)}"
        )
    if accuracy.count != images:
        yield f"{name} is of {accuracy.count} images, and image_count says {images}"
    named = {"misread": [place for place, _ in accuracy.misread], "lost": accuracy.lost, "gained": accuracy.gained}
    for part, places in named.items():
        beyond = next((place for place in places if not 0 <= place < images), None)
        if beyond is not None:
            yield f"{name}.{part} names image {beyond}, and there are {images}"
        elif len(set(places)) < len(places):
            yield f"{name}.{part} names an image twice"
    yield from _check_table(f"{name}.confusion", accuracy)
    if accuracy.drop_interval_pp:
        yield from _check_interval(f"{name}.drop_interval_pp", accuracy.drop_interval_pp, accuracy.drop_vs_float_pp)
    flips = {"float": (len(accuracy.lost), len(accuracy.gained))}
    if accuracy.lost_vs_keras is not None and accuracy.gained_vs_keras is not None:
        flips["keras"] = accuracy.lost_vs_keras, accuracy.gained_vs_keras
    for other, (lost, gained) in flips.items():
        stated, drop = getattr(accuracy, f"drop_vs_{other}_pp"), 100 * (lost - gained) / max(1, accuracy.count)
        if stated is not None and abs(drop - stated) > CLOSE:
            yield f"{name} has a drop_vs_{other}_pp of {stated:g}, and the images lost and gained make {drop:g}"


def _check_table(name: str, accuracy: Accuracy) -> Iterator[str]:
    table = accuracy.confusion
    if len(table) != NUM_CLASSES or any(len(line) != NUM_CLASSES for line in table):
        yield f"{name} is not {NUM_CLASSES} by {NUM_CLASSES}"
        return
    count, correct = sum(map(sum, table)), sum(table[i][i] for i in range(NUM_CLASSES))
    if (count, correct) != (accuracy.count, accuracy.correct):
        yield f"{name} is of {correct} correct of {count}, and it should be {accuracy.correct} of {accuracy.count}"


def _check_interval(name: str, interval: tuple[float, float], estimate: float | None) -> Iterator[str]:
    low, high = interval
    if low > high or (estimate is not None and not low - CLOSE <= estimate <= high + CLOSE):
        yield f"{name} is {low:g} to {high:g}" + ("" if estimate is None else f", and its figure {estimate:g}")


def _check_latency(name: str, latency: Latency) -> Iterator[str]:
    if not all(latency.rounds):
        yield f"raw values are missing: {name}.rounds has none of at least one process"
        return
    if len(latency.rounds) < FEWEST_PROCESSES:
        count = len(latency.rounds)
        yield f"raw values are missing: {name}.rounds is of {count} processes, and it takes {FEWEST_PROCESSES}"
        return
    smallest = min(map(min, latency.rounds))
    largest = max(map(max, latency.rounds))
    if smallest <= 0:
        yield f"{name}.rounds holds {smallest:g}, which is no time"
    elif abs(largest - latency.max) > CLOSE * largest:
        yield f"raw values are missing: the largest of {name}.rounds is {largest:g}, and its max says {latency.max:g}"
    if not smallest * (1 - CLOSE) <= latency.p50 <= largest * (1 + CLOSE):
        yield f"{name} has a p50 of {latency.p50:g}, and its rounds are from {smallest:g} to {largest:g}"
    tail = (smallest, latency.p90, latency.p99, latency.p999, latency.max)
    if any(after < before * (1 - CLOSE) for before, after in pairwise(tail)):
        yield f"{name}.p90, p99, p999 and max are not in this order: {', '.join(f'{one:g}' for one in tail[1:])}"
