"""The report: the same tables for the terminal and for Markdown, and the files it is kept in."""

from pathlib import Path

import msgspec
from tabulate import tabulate

from .files import write_whole
from .results import Latency, Results, Row

ACCURACY_HEADERS = ["file", "runtime", "accuracy %", "95 % interval", "drop vs float", "agrees with Keras %"]
LATENCY_HEADERS = ["file", "runtime", "p50 us", "p90 us", "p99 us", "images/s", "kB", "load ms", "peak MB"]
# Accuracies closer than what chance explains at this level are called equal.
SIGNIFICANCE = 0.05


def format_tables(results: Results, style: str) -> str:
    """Accuracy and latency as tables, and why a row has none.

    Args:
        results: A run.
        style: One of tabulate's: `simple` for people at a terminal, `github` for Markdown.
    """
    accuracy = [_accuracy_cells(row) for row in results.rows]
    latency = [_latency_cells(row, row.latency) for row in results.rows if row.latency]
    missing = [f"- {row.file} on {row.runtime}: {row.unavailable}" for row in results.rows if row.unavailable]
    parts = [_tabulate(accuracy, ACCURACY_HEADERS, style), _tabulate(latency, LATENCY_HEADERS, style)]
    return "\n\n".join([*parts, "\n".join(missing)] if missing else parts)


def format_report(results: Results) -> str:
    """The Markdown report: tables, what they say, how it was measured."""
    findings = "\n".join(f"- {sentence}" for sentence in summarize(results))
    conditions = "\n".join(f"- {sentence}" for sentence in describe_conditions(results))
    sections = [
        f"# {results.name}: accuracy and latency",
        format_tables(results, "github"),
        findings,
        "## How it was measured",
        conditions,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def summarize(results: Results) -> list[str]:
    """What the tables say about quantization, a sentence for each int8 file that ran beside its float file."""
    floats = {row.runtime: row for row in results.rows if row.precision == "float32" and row.latency}
    sentences: list[str] = []
    for row in results.rows:
        base = floats.get(row.runtime)
        if row.precision == "int8" and row.latency and row.accuracy and base and base.latency:
            p = row.accuracy.p_vs_float if row.accuracy.p_vs_float is not None else 1.0
            drop = row.accuracy.drop_vs_float_pp or 0.0
            verdict = "no measurable difference in accuracy" if p > SIGNIFICANCE else f"{-drop:+.2f} points of accuracy"
            sentences.append(
                f"int8 on {row.runtime}: {verdict} (drop {drop:+.2f} points, p = {p:.2f}), "
                f"{base.latency.p50 / row.latency.p50:.2f} times as fast as float32, "
                f"{base.size_bytes / row.size_bytes:.1f} times smaller."
            )
    return sentences


def describe_conditions(results: Results) -> list[str]:
    """How it was measured, on what, with what."""
    host, after = results.host_before, results.host_after
    doubt = "" if results.held_out else " (whether the model was trained on them is not known)"
    versions = sorted({f"{row.runtime} {row.runtime_version}" for row in results.rows if row.runtime_version})
    return [
        f"**Accuracy**: {results.image_count:,} images, {results.evaluated_on}{doubt}. The Keras model itself: "
        f"{results.keras_correct / results.image_count:.2%}. Intervals are Wilson's; drops are percentage points "
        "against the float32 file on the same runtime, image by image, and p is exact McNemar's.",
        f"**Latency**: batch 1, {_count(results.num_threads, 'thread', 'threads')}, through this package's Python "
        f"layer; {_count(results.rounds, 'fresh process', 'fresh processes')} a row in random order, "
        f"{results.calls:,} calls in each after warm-up, loading excluded. The JSON file has every raw value.",
        "**Load** includes importing the runtime; **peak MB** is of the whole process. kB and MB are powers of ten.",
        f"**Machine**: {host.model}, {_count(host.cores, 'core', 'cores')}, {host.system}, Python {host.python}, "
        f"governor {host.governor or 'not told'}, load average {_told(host.load_1m)} before and "
        f"{_told(after.load_1m)} after, temperature {_told(host.temperature_c, ' °C')} and "
        f"{_told(after.temperature_c, ' °C')}.",
        f"**Versions**: edge-mnist {results.edge_mnist}, {', '.join(versions)}. Started {results.started}.",
    ]


def write_reports(results: Results, folder: Path) -> tuple[Path, Path]:
    """Write `NAME.json` with every raw value and `NAME.md`; returns both paths.

    Raises:
        OSError: The folder cannot be written.
    """
    json_path, markdown_path = folder / f"{results.name}.json", folder / f"{results.name}.md"
    write_whole(json_path, msgspec.json.encode(results) + b"\n")
    write_whole(markdown_path, format_report(results).encode())
    return json_path, markdown_path


def _accuracy_cells(row: Row) -> list[str]:
    if row.accuracy is None:
        return [row.file, row.runtime, "", "not measured", "", ""]
    low, high = row.accuracy.interval
    drop = row.accuracy.drop_vs_float_pp
    return [
        row.file,
        row.runtime,
        f"{100 * row.accuracy.share:.2f}",
        f"{100 * low:.2f} to {100 * high:.2f}",
        "" if drop is None or row.precision == "float32" else f"{drop:+.2f}",
        f"{100 * row.accuracy.agreement:.2f}",
    ]


def _latency_cells(row: Row, latency: Latency) -> list[str]:
    return [
        row.file,
        row.runtime,
        f"{latency.p50:.0f}",
        f"{latency.p90:.0f}",
        f"{latency.p99:.0f}",
        f"{latency.images_per_second:,.0f}",
        f"{row.size_bytes / 1000:.0f}",
        f"{row.load_ms:.0f}",
        f"{row.peak_memory_mb:.0f}",
    ]


def _tabulate(rows: list[list[str]], headers: list[str], style: str) -> str:
    """Names to the left, figures to the right."""
    align = ("left", "left", *["right"] * (len(headers) - 2))
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True, colalign=align if rows else None)


def _count(number: int, noun: str, plural: str) -> str:
    return f"{number} {noun if number == 1 else plural}"


def _told(value: float | None, unit: str = "") -> str:
    return "not told" if value is None else f"{value:g}{unit}"
