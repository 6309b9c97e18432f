"""A folder of runs in the order of their time: how each row's latency and accuracy went from one to the next."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ..edge.errors import EdgeMnistError
from .result_files import ResultsError, read_results
from .results import Results, Row
from .run_conditions import find_differences
from .wording import name_row


class HistoryError(EdgeMnistError):
    """A folder holds no runs."""


@dataclass(frozen=True)
class Run:
    """A run and what is different about it.

    Attributes:
        changes: Conditions in which it differs from the run before.
    """

    path: Path
    results: Results
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """Runs, the oldest first.

    Attributes:
        skipped: Files that are no such runs, a sentence each.
    """

    folder: Path
    runs: tuple[Run, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Trend:
    """A row over all runs.

    Attributes:
        name: The file, its target and the machine.
        rows: Of each run; None where it was not measured.
    """

    name: str
    rows: tuple[Row | None, ...]


def read_history(folder: Path) -> History:
    """Read all runs in a folder and in those within it.

    Raises:
        HistoryError: There is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise HistoryError(f"{folder}: not a folder. Expected one with the JSON files of edge-mnist benchmark.")
    paths = sorted(folder.rglob("*.json"))
    read: list[tuple[Path, Results]] = []
    skipped: list[str] = []
    for path in paths:
        try:
            read.append((path, read_results(path)))
        except ResultsError as error:
            skipped.append(str(error))
    if not read:
        found = f" (skipped: {' '.join(skipped)})" if skipped else ""
        raise HistoryError(f"{folder}: no run in it{found}. Collect the JSON files of edge-mnist benchmark there.")
    read.sort(key=lambda pair: (_when(pair[1]), pair[0]))
    runs = [Run(*read[0])]
    for (_, before), (path, after) in pairwise(read):
        runs.append(Run(path, after, tuple(find_differences(before, after))))
    return History(folder, tuple(runs), tuple(skipped))


def trace_rows(history: History) -> list[Trend]:
    """Every row that any run measured, in the order in which they first appear."""
    found: dict[str, dict[int, Row]] = {}
    for i, run in enumerate(history.runs):
        for row in run.results.rows:
            if row.latency or row.accuracy:
                machine = run.results.machines[row.machine].name
                found.setdefault(f"{name_row(row)}, {machine}", {})[i] = row
    return [Trend(name, tuple(rows.get(i) for i in range(len(history.runs)))) for name, rows in found.items()]


def _when(results: Results) -> datetime:
    """When it started; what is not a time comes first."""
    try:
        started = datetime.fromisoformat(results.started)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return started if started.tzinfo else started.replace(tzinfo=UTC)
