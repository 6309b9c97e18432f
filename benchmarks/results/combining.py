"""Runs of several machines in one report, if they measured the same bundle in the same way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from ..errors import BenchmarkError
from .schema import HERE, MachineRun, Results, Row, StageBudget

# What a report states once, for all of its machines.
SHARED = ("edge_mnist", "name", "card_sha256", "images_sha256", "keras_correct", "held_out")


def combine_runs(runs: Mapping[Path, Results]) -> Results:
    """Combine runs into one, with the machines of all. `this machine` of each run is named by its file.

    Args:
        runs: At least one run, by the file that it was read from.

    Raises:
        BenchmarkError: A run has another bundle, version, set of images, or other settings than the first one.
    """
    (first_path, first), *others = runs.items()
    for path, run in others:
        _check_alike(first_path, first, path, run)
    machines, rows, budgets = list[MachineRun](), list[Row](), list[StageBudget]()
    for path, run in runs.items():
        start = len(machines)
        machines += run.machines if not others else _name_machines(path, run.machines, machines)
        rows += [replace(row, machine=start + row.machine) for row in run.rows]
        budgets += [replace(budget, machine=start + budget.machine) for budget in run.budgets]
    return replace(
        first,
        started=min(run.started for run in runs.values()),
        seconds=sum(run.seconds for run in runs.values()),
        machines=machines,
        rows=rows,
        budgets=budgets,
        unreachable={name: reason for run in runs.values() for name, reason in run.unreachable.items()},
    )


def _check_alike(first_path: Path, first: Results, path: Path, run: Results) -> None:
    """Check what a report states only once. Runtimes and threads may differ: each row names its own."""
    named = {name: (getattr(first, name), getattr(run, name)) for name in SHARED}
    named["settings"] = replace(first.settings, threads=[], runtimes=[]), replace(run.settings, threads=[], runtimes=[])
    other = next((name for name, (mine, theirs) in named.items() if mine != theirs), None)
    if other:
        raise BenchmarkError(
            f"{path}: expected a run like that of {first_path}, got another {other}. A report is of one bundle, "
            "measured alike everywhere: draw this file on its own."
        )


def _name_machines(path: Path, machines: Sequence[MachineRun], before: Sequence[MachineRun]) -> list[MachineRun]:
    taken = {HERE, *(machine.name for machine in before)}
    names = [str(path) if one.name == HERE else f"{one.name} of {path}" if one.name in taken else one.name
             for one in machines]  # fmt: skip
    return [replace(machine, name=name) for machine, name in zip(machines, names, strict=True)]
