"""A run as a table for spreadsheets: one line per row, one figure per column. Raw values are in the JSON beside it."""

import csv
import io

import numpy as np

from ...edge.common.pages.markdown import csv_cell
from .peer_inputs import doubt_input
from .schema import Latency, Results, Row

FIGURES = ("p50", "p90", "p99", "p999", "max")


def format_csv(results: Results) -> str:
    """Format the table, with a first line of column names; missing values are empty.

    Accuracies and intervals are shares in [0, 1], drops percentage points, latencies microseconds per call.
    """
    lines = [_line(results, row) for row in results.rows]
    names = dict.fromkeys(name for line in lines for name in line)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in line.items()} for line in lines)
    return table.getvalue()


def _line(results: Results, row: Row) -> dict[str, object]:
    machine = results.machines[row.machine]
    line: dict[str, object] = {
        "started": results.started,
        "quick": results.settings.is_quick,
        "machine": machine.name,
        "processor": machine.host.model,
        "file": row.file,
        "file_sha256": row.file_sha256,
        "format": row.format,
        "precision": row.precision,
        "peer": row.is_peer,
        "size_bytes": row.size_bytes,
        "runtime": row.runtime,
        "runtime_version": row.runtime_version,
        "delegate": row.delegate,
        "threads": row.threads,
        "unavailable": row.unavailable,
        "validity": row.validity if row.latency else None,
        "reasons": "; ".join(row.reasons),
        **_accuracy(row),
        "peer_input": row.input_check and row.input_check.stated,
        "peer_input_doubt": row.input_check and doubt_input(row.input_check),
    }
    timed = {"": row.latency, "bare_": row.bare, "paced_": row.paced}
    timed |= {f"batch{batch.batch}_": batch for batch in row.batches}
    for prefix, latency in timed.items():
        line |= _figures(prefix, latency)
    for name in ("load_ms", "first_ms", "peak_memory_mb"):
        values = getattr(row, name)
        line[name] = float(np.median(values)) if values else None
    return line | {"energy_mj": row.energy_mj, "energy_source": row.energy_source}


def _accuracy(row: Row) -> dict[str, object]:
    accuracy = row.accuracy
    drop_interval = accuracy.drop_interval_pp if accuracy else None
    return {
        "images": accuracy and accuracy.count,
        "correct": accuracy and accuracy.correct,
        "accuracy": accuracy and accuracy.share,
        "accuracy_low": accuracy and accuracy.interval[0],
        "accuracy_high": accuracy and accuracy.interval[1],
        "drop_vs_float_pp": accuracy and accuracy.drop_vs_float_pp,
        "drop_low_pp": drop_interval and drop_interval[0],
        "drop_high_pp": drop_interval and drop_interval[1],
        "p_vs_float": accuracy and accuracy.p_vs_float,
        "drop_vs_keras_pp": accuracy and accuracy.drop_vs_keras_pp,
        "p_vs_keras": accuracy and accuracy.p_vs_keras,
        "agreement": accuracy and accuracy.agreement,
        "lost": accuracy and len(accuracy.lost),
        "gained": accuracy and len(accuracy.gained),
    }


def _figures(prefix: str, latency: Latency | None) -> dict[str, object]:
    if latency is None:
        return {}
    low, high = latency.p50_interval
    return {
        **{f"{prefix}{name}_us": getattr(latency, name) for name in FIGURES},
        f"{prefix}p50_low_us": low,
        f"{prefix}p50_high_us": high,
        f"{prefix}images_per_second": latency.images_per_second,
        f"{prefix}processes": len(latency.rounds),
        f"{prefix}calls": sum(map(len, latency.rounds)),
    }
