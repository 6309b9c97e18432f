"""The report: the same table for the terminal and for Markdown, and the files it is kept in."""

import os
import tempfile
from pathlib import Path

import msgspec
from tabulate import tabulate

from .results import Results, Row

HEADERS = [
    "file",
    "runtime",
    "accuracy (95 % interval)",
    "drop vs float, points",
    "agrees with Keras",
    "p50 us",
    "p90 us",
    "p99 us",
    "images/s",
    "bytes",
    "load ms",
    "peak MB",
]
# Accuracies closer than what chance explains at this level are called equal.
SIGNIFICANCE = 0.05


def format_table(results: Results, style: str) -> str:
    """All rows as a table; `style` is one of tabulate's, `simple` for people at a terminal, `github` for Markdown."""
    return tabulate([_cells(row) for row in results.rows], HEADERS, tablefmt=style, disable_numparse=True)


def format_report(results: Results) -> str:
    """The Markdown report: table, what it says, how it was measured."""
    share = results.keras_correct / results.image_count
    lines = [
        f"# {results.name}: accuracy and latency",
        "",
        format_table(results, "github"),
        "",
        *(f"- {sentence}" for sentence in summarize(results)),
        "",
        "## How it was measured",
        "",
        f"- **Accuracy**: {results.image_count:,} images, {results.evaluated_on}"
        + ("" if results.held_out else " (whether the model was trained on them is not known)")
        + f". The Keras model itself: {share:.2%}. Intervals are Wilson's; drops are paired, p is exact McNemar's.",
        f"- **Latency**: batch 1, {_count(results.num_threads, 'thread')}, through this package's Python layer, "
        f"{_count(results.rounds, 'fresh process', 'fresh processes')} a row in random order, {results.calls:,} "
        "calls each after warm-up; loading excluded. Every raw value is in the JSON file beside this report.",
        "- **Load** includes importing the runtime; **peak MB** is the whole process's, in 10**6 bytes.",
        f"- **Machine**: {results.host_before.model}, {_count(results.host_before.cores, 'core')}, "
        f"{results.host_before.system}, Python {results.host_before.python}, "
        f"governor {results.host_before.governor or 'not told'}, "
        f"load average {_told(results.host_before.load_1m)} before and {_told(results.host_after.load_1m)} after, "
        f"temperature {_told(results.host_before.temperature_c)} and {_told(results.host_after.temperature_c)} °C.",
        f"- **Versions**: edge-mnist {results.edge_mnist}, "
        + ", ".join(sorted({f"{row.runtime} {row.runtime_version}" for row in results.rows if row.runtime_version}))
        + f". Started {results.started}.",
    ]
    return "\n".join(lines) + "\n"


def summarize(results: Results) -> list[str]:
    """What the table says about quantization, a sentence for each int8 file that ran beside its float file."""
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


def write_reports(results: Results, folder: Path) -> tuple[Path, Path]:
    """Write `NAME.json` with every raw value and `NAME.md`; returns both paths.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path, markdown_path = folder / f"{results.name}.json", folder / f"{results.name}.md"
    _write(json_path, msgspec.json.encode(results) + b"\n")
    _write(markdown_path, format_report(results).encode())
    return json_path, markdown_path


def _cells(row: Row) -> list[str]:
    name = f"{row.runtime} {row.runtime_version or ''}".strip()
    if row.accuracy is None or row.latency is None:
        return [row.file, name, row.unavailable or "not measured", *[""] * (len(HEADERS) - 3)]
    low, high = row.accuracy.interval
    drop = row.accuracy.drop_vs_float_pp
    return [
        row.file,
        name,
        f"{row.accuracy.share:.2%} ({low:.2%} to {high:.2%})",
        "" if drop is None or row.precision == "float32" else f"{drop:+.2f}",
        f"{row.accuracy.agreement:.2%}",
        f"{row.latency.p50:.1f}",
        f"{row.latency.p90:.1f}",
        f"{row.latency.p99:.1f}",
        f"{row.latency.images_per_second:,.0f}",
        f"{row.size_bytes:,}",
        f"{row.load_ms:.0f}",
        f"{row.peak_memory_mb:.0f}",
    ]


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _told(value: float | None) -> str:
    return "not told" if value is None else f"{value:g}"
