"""Findings from a run's rows: which belong together, which no other row beats, and how they differ.

Nothing is measured here; everything is derived from raw values in the results.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ..statistics.quantiles import FEWEST_PROCESSES, Typical, typical_quantile
from ..statistics.slowdowns import Slowdown, compare_rounds
from .schema import Accuracy, Latency, Results, Row
from .wording import place_label


@dataclass(frozen=True)
class AccuracyGroup:
    """Rows of one file with the same accuracy, image by image.

    Attributes:
        places: Indices of the rows in `Results.rows`.
        accuracy: The accuracy of these rows.
    """

    places: tuple[int, ...]
    rows: tuple[Row, ...]
    accuracy: Accuracy


def group_alike(results: Results) -> list[AccuracyGroup]:
    """Group the rows with an accuracy, in the order of the rows: a group has one file and reads every image alike.

    Rows of a group also lose and gain the same images against float, which may read differently on another target.
    """
    groups: dict[bytes, list[int]] = {}
    for place, row in enumerate(results.rows):
        if one := row.accuracy:
            compared = one.lost, one.gained, one.drop_vs_float_pp
            alike = repr((row.file, row.file_sha256, one.confusion, one.misread, *compared))
            groups.setdefault(alike.encode(), []).append(place)
    return [
        AccuracyGroup(tuple(places), tuple(results.rows[place] for place in places), accuracy)
        for places in groups.values()
        if (accuracy := results.rows[places[0]].accuracy)
    ]


def name_group(results: Results, group: AccuracyGroup) -> str:
    """Name the place of a group: the runtime alone if all of its targets are in the group, else each target."""
    names: list[str] = []
    for row in group.rows:
        alike = [one for one in results.rows if one.accuracy and _is_beside(one, row)]
        machine = f" ({results.machines[row.machine].name})" if len(results.machines) > 1 else ""
        whole = all(any(one is other for other in group.rows) for one in alike)
        names.append(f"{row.runtime}{machine}" if whole else place_label(results, row))
    return "; ".join(dict.fromkeys(names))


def timed_rows(results: Results, machine: int) -> list[tuple[int, Row]]:
    """List a machine's timed rows, each with its index in `Results.rows`."""
    return [(i, row) for i, row in enumerate(results.rows) if row.machine == machine and row.latency]


def leave_out_doubtful(results: Results) -> Results:
    """Return the run without latencies that are unstable or invalid; their rows keep the accuracy and the reasons."""
    rows = [
        row
        if row.validity == "valid"
        else replace(row, latency=None, bare=None, paced=None, batches=[], load_ms=[], first_ms=[], energy_mj=None)
        for row in results.rows
    ]
    return replace(results, rows=rows)


def find_left_out(rows: Iterable[Row]) -> list[Row]:
    """List the rows that were measured and whose latencies were left out."""
    return [row for row in rows if row.accuracy and not row.latency]


def mark_front(rows: Iterable[tuple[int, Row]]) -> set[int]:
    """Return the indices of the rows that no other row beats in accuracy, median latency and file size together.

    Rows with invalid latencies are neither on the front nor beat others.
    """
    costs = {
        place: (-row.accuracy.share, row.latency.p50, row.size_bytes)
        for place, row in rows
        if row.accuracy and row.latency and row.validity != "invalid"
    }
    return {
        place
        for place, mine in costs.items()
        if not any(
            theirs != mine and all(one <= other for one, other in zip(theirs, mine, strict=True))
            for theirs in costs.values()
        )
    }


def find_float(results: Results, row: Row) -> Row | None:
    """Find the float32 file of the same format, on the same target of the same machine."""
    return next(
        (
            one
            for one in results.rows
            if one.precision == "float32" and not one.is_peer and _target(one) == _target(row) and one.latency
        ),
        None,
    )


def find_fastest(rows: Sequence[tuple[int, Row]]) -> Row | None:
    """Find our row with the lowest median among those with valid latencies."""
    believed = [row for _, row in rows if not row.is_peer and row.validity != "invalid"]
    return min(believed, key=lambda row: row.latency.p50 if row.latency else np.inf, default=None)


def compare_latencies(first: Latency, second: Latency) -> Slowdown:
    """Compare the latencies of two targets by their processes."""
    return compare_rounds(to_arrays(first), to_arrays(second))


def measure_ratio(first: Latency | None, second: Latency | None) -> Typical | None:
    """Measure the ratio of the second latency to the first, where both took turns in the same processes.

    The ratio of each process's medians: its geometric mean over processes, with Student's interval.

    Returns:
        None if a latency is missing, or there are fewer than three processes.
    """
    if first is None or second is None:
        return None
    ratios = [np.median(after) / np.median(before) for before, after in zip(first.rounds, second.rounds, strict=False)]
    return typical_quantile([np.array([one]) for one in ratios], 0.5) if len(ratios) >= FEWEST_PROCESSES else None


def correct_mask(accuracy: Accuracy) -> NDArray[np.bool_]:
    """Return the mask of the correctly read images, bool [N]."""
    right = np.ones(accuracy.count, bool)
    right[[place for place, _ in accuracy.misread]] = False
    return right


def to_arrays(latency: Latency) -> list[NDArray[np.float64]]:
    """Return the raw values of each process, [N] each."""
    return [np.asarray(one, np.float64) for one in latency.rounds]


def _is_beside(one: Row, row: Row) -> bool:
    """Whether both rows are of the same file, runtime and machine, with any delegate and threads."""
    return (one.file, one.runtime, one.machine) == (row.file, row.runtime, row.machine)


def _target(row: Row) -> tuple[object, ...]:
    return row.machine, row.format, row.runtime, row.delegate, row.threads
