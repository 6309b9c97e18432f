"""What follows from a run's rows: which belong together, which nothing else beats, and how they differ.

Nothing here is measured; everything comes from raw values that the results hold.
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
    """Rows of one file whose accuracies are the same to the image.

    Attributes:
        places: Of the rows, in `Results.rows`.
        accuracy: Theirs.
    """

    places: tuple[int, ...]
    rows: tuple[Row, ...]
    accuracy: Accuracy


def group_alike(results: Results) -> list[AccuracyGroup]:
    """The rows with an accuracy, in the order of the rows: in one group those of a file that read every image alike.

    And that lose and gain the same against float, which need not read alike wherever it is compared.
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
    """Where a group's rows ran: the runtime alone where all of its targets are in the group, else each target."""
    names: list[str] = []
    for row in group.rows:
        alike = [one for one in results.rows if one.accuracy and _is_beside(one, row)]
        machine = f" ({results.machines[row.machine].name})" if len(results.machines) > 1 else ""
        whole = all(any(one is other for other in group.rows) for one in alike)
        names.append(f"{row.runtime}{machine}" if whole else place_label(results, row))
    return "; ".join(dict.fromkeys(names))


def timed_rows(results: Results, machine: int) -> list[tuple[int, Row]]:
    """A machine's rows that were timed, each with its place in `Results.rows`."""
    return [(i, row) for i, row in enumerate(results.rows) if row.machine == machine and row.latency]


def leave_out_doubtful(results: Results) -> Results:
    """The same run with accuracies alone in rows whose latencies are unstable or invalid; these keep their reasons."""
    rows = [
        row
        if row.validity == "valid"
        else replace(row, latency=None, bare=None, paced=None, batches=[], load_ms=[], first_ms=[], energy_mj=None)
        for row in results.rows
    ]
    return replace(results, rows=rows)


def find_left_out(rows: Iterable[Row]) -> list[Row]:
    """Rows that were measured and whose latencies were left out."""
    return [row for row in rows if row.accuracy and not row.latency]


def mark_front(rows: Iterable[tuple[int, Row]]) -> set[int]:
    """Places of the rows that no other one beats in accuracy, median latency and size of the file together.

    Rows whose latencies are invalid are neither on the front nor beat others.
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
    """The float32 file of the same format, on the same target of the same machine."""
    return next(
        (
            one
            for one in results.rows
            if one.precision == "float32" and not one.is_peer and _target(one) == _target(row) and one.latency
        ),
        None,
    )


def find_fastest(rows: Sequence[tuple[int, Row]]) -> Row | None:
    """Of the rows of ours that may be believed, the one with the lowest median."""
    believed = [row for _, row in rows if not row.is_peer and row.validity != "invalid"]
    return min(believed, key=lambda row: row.latency.p50 if row.latency else np.inf, default=None)


def compare_latencies(first: Latency, second: Latency) -> Slowdown:
    """What the second takes longer, asked of processes."""
    return compare_rounds(to_arrays(first), to_arrays(second))


def measure_ratio(first: Latency | None, second: Latency | None) -> Typical | None:
    """How many times as long the second takes where both took turns in the same processes.

    The ratio of the medians of each process: its geometric mean over processes, with Student's interval.

    Returns:
        None where there are not both, or fewer than three processes.
    """
    if first is None or second is None:
        return None
    ratios = [np.median(after) / np.median(before) for before, after in zip(first.rounds, second.rounds, strict=False)]
    return typical_quantile([np.array([one]) for one in ratios], 0.5) if len(ratios) >= FEWEST_PROCESSES else None


def correct_mask(accuracy: Accuracy) -> NDArray[np.bool_]:
    """Of each image, whether it is read right, [N]."""
    right = np.ones(accuracy.count, bool)
    right[[place for place, _ in accuracy.misread]] = False
    return right


def to_arrays(latency: Latency) -> list[NDArray[np.float64]]:
    """Raw values of each process."""
    return [np.asarray(one, np.float64) for one in latency.rounds]


def _is_beside(one: Row, row: Row) -> bool:
    """Whether both are the same file on the same runtime of the same machine, with whatever delegate and threads."""
    return (one.file, one.runtime, one.machine) == (row.file, row.runtime, row.machine)


def _target(row: Row) -> tuple[object, ...]:
    return row.machine, row.format, row.runtime, row.delegate, row.threads
