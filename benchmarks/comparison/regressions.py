"""Two runs side by side: did anything become slower or less accurate from the first to the second?

Runs that were measured under different conditions are refused: the machine might explain any difference. Latencies are
compared by processes, accuracies image by image.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np

from ..errors import BenchmarkError
from ..results.findings import compare_latencies, correct_mask
from ..results.schema import Accuracy, Results, Row
from ..results.wording import FEWEST_COMPARED
from ..statistics.paired import Drop, measure_drop
from ..statistics.slowdowns import Slowdown
from ..targets.targets import LEFT_OUT
from .conditions import find_differences

COMPARISON_VERSION = 1
# Smaller differences occur between two days on the same machine.
THRESHOLD_PERCENT = 5.0

Speed = Literal["regression", "slower", "faster", "same", "not judged"]
Reading = Literal["regression", "better", "same", "not judged"]


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """The change of a row from the first run to the second.

    Attributes:
        same_file: Whether the model file is identical; True for a row that is gone.
        p50_us: Medians in both runs, microseconds; None for a run without one.
        slowdown: Slowdown of the second run; None if it is not judged.
        speed: `regression` is slower by more than the threshold, with the whole interval, or gone although the second
            run was to measure it; `slower` and `faster` are measurable and within the threshold; `same` means no
            measurable difference.
        accuracies: Accuracies in both runs, in [0, 1].
        drop: Drop from the first run to the second, image by image; None if it is not judged.
        reading: Change of the accuracy; `regression` is measurably less accurate.
        notes: Reasons why something is not judged, and other changes.
    """

    machine: str
    file: str
    runtime: str
    delegate: str
    threads: int
    same_file: bool
    p50_us: tuple[float, float] | None = None
    slowdown: Slowdown | None = None
    speed: Speed = "not judged"
    accuracies: tuple[float, float] | None = None
    drop: Drop | None = None
    reading: Reading = "not judged"
    notes: list[str] = []

    @property
    def is_regression(self) -> bool:
        """Whether the row is slower by more than the threshold, or measurably less accurate, or gone."""
        return "regression" in {self.speed, self.reading}


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All rows that both runs have and at least one could measure, and those that are gone.

    Attributes:
        threshold_percent: Slowdown in percent that the whole interval must exceed to be a regression.
        differences: Conditions that differ, as sentences; empty unless the comparison was forced.
        only_first: Rows that the second run lacks entirely; those that the first one measured are in `rows`, too.
        only_second: Rows that the first run lacks.
    """

    comparison_version: int = COMPARISON_VERSION
    first: str
    second: str
    threshold_percent: float
    differences: list[str]
    rows: list[RowChange]
    only_first: list[str]
    only_second: list[str]

    @property
    def regressions(self) -> list[RowChange]:
        """The rows that became worse."""
        return [row for row in self.rows if row.is_regression]


def compare_runs(
    first: Results, second: Results, threshold_percent: float = THRESHOLD_PERCENT, force: bool = False
) -> RunComparison:
    """Compare two runs, with the first as the reference.

    Args:
        first: The reference run.
        second: The run that may be worse.
        threshold_percent: Slowdown in percent that counts as a regression, >= 0.
        force: Whether to compare runs made under different conditions, too; the comparison then lists them.

    Raises:
        BenchmarkError: Conditions differ, or the runs have no row in common.
    """
    differences = find_differences(first, second)
    if differences and not force:
        raise BenchmarkError(
            f"these runs were made under different conditions ({'; '.join(differences)}): the machine may have "
            "caused the differences. Measure both under the same conditions, or compare them anyway with "
            "--force."
        )
    before, after = dict(_name_rows(first)), dict(_name_rows(second))
    # A row that ran in neither run carries no information.
    rows_to_compare = [
        name for name, row in before.items() if not (row.unavailable and (name not in after or after[name].unavailable))
    ]
    if not any(name in after for name in rows_to_compare):
        raise BenchmarkError(
            "these runs have no row in common: no file ran on the same target in both. Choose runs of the same "
            "bundle and targets."
        )
    same_images = first.images_sha256 == second.images_sha256
    rows = [
        _compare_rows(name[0], before[name], after[name], threshold_percent, same_images)
        if name in after
        else _describe_gone(name[0], before[name], first, second)
        for name in rows_to_compare
    ]
    return RunComparison(
        first=f"{first.name}, {first.started}",
        second=f"{second.name}, {second.started}",
        threshold_percent=threshold_percent,
        differences=differences,
        rows=rows,
        only_first=[_describe(name) for name in before if name not in after],
        only_second=[_describe(name) for name in after if name not in before],
    )


def _name_rows(results: Results) -> Iterator[tuple[tuple[str, tuple[str, str, str, int]], Row]]:
    for row in results.rows:
        yield (results.machines[row.machine].name, row.key), row


def _describe(name: tuple[str, tuple[str, str, str, int]]) -> str:
    machine, (file, runtime, delegate, threads) = name
    return f"{file} on {runtime} (delegate {delegate}, threads {threads}, {machine})"


def _name_change(machine: str, row: Row, same_file: bool) -> RowChange:
    """Identify the row, with nothing judged yet."""
    return RowChange(
        machine=machine,
        file=row.file,
        runtime=row.runtime,
        delegate=row.delegate,
        threads=row.threads,
        same_file=same_file,
    )


def _describe_gone(machine: str, before: Row, first: Results, second: Results) -> RowChange:
    """Describe a row that the first run measured and the second one lacks."""
    reason = second.unreachable.get(machine)
    gone = _name_change(machine, before, same_file=True)
    if reason:
        notes = [f"is missing: {machine} was not measured in the second run ({reason.rstrip('.')})"]
    elif _was_left_out(before, first, second):
        return msgspec.structs.replace(gone, notes=["was left out of the second run, which covers fewer settings"])
    else:
        notes = ["is missing from the second run"]
    return msgspec.structs.replace(gone, speed="regression", notes=notes)


def _was_left_out(before: Row, first: Results, second: Results) -> bool:
    """Whether the second run covers less: a quick one after a full one, or other numbers of threads."""
    if second.settings.is_quick and not first.settings.is_quick:
        return True
    threads = {row.threads for row in second.rows if row.runtime == before.runtime}
    return first.settings.threads != second.settings.threads and before.threads not in threads


def _compare_rows(machine: str, before: Row, after: Row, threshold: float, same_images: bool) -> RowChange:
    change = _name_change(machine, after, before.file_sha256 == after.file_sha256)
    if before.unavailable is not None:
        return msgspec.structs.replace(change, notes=[f"was not measured in the first run: {before.unavailable}"])
    if after.unavailable == LEFT_OUT:
        return msgspec.structs.replace(change, notes=["was left out of the second run, which is quick"])
    if after.unavailable is not None:
        # A file that no longer runs is a regression, too.
        return msgspec.structs.replace(
            change, speed="regression", notes=[f"does not run in the second run: {after.unavailable}"]
        )
    return _judge_reading(_judge_speed(change, before, after, threshold), before.accuracy, after.accuracy, same_images)


def _judge_speed(change: RowChange, before: Row, after: Row, threshold: float) -> RowChange:
    if before.latency is None or after.latency is None:
        return change
    medians = before.latency.p50, after.latency.p50
    change = msgspec.structs.replace(change, p50_us=medians)
    doubts = [
        (
            f"latency is {row.validity} in the {name} run ({'; '.join(row.reasons) or 'unknown reason'}); measure "
            "it again"
        )
        for name, row in (("first", before), ("second", after))
        if row.validity != "valid"
    ]
    if doubts:
        return msgspec.structs.replace(change, notes=doubts)
    slowdown = compare_latencies(before.latency, after.latency)
    if min(slowdown.processes) < FEWEST_COMPARED:
        notes = [f"{min(slowdown.processes)} processes are too few: at least {FEWEST_COMPARED} in each run are needed"]
        return msgspec.structs.replace(change, notes=notes)
    return msgspec.structs.replace(change, slowdown=slowdown, speed=_call(slowdown, threshold))


def _call(slowdown: Slowdown, threshold: float) -> Speed:
    low = slowdown.interval_percent[0] if slowdown.interval_percent else -np.inf
    if not slowdown.measurable:
        return "same"
    if low > threshold:
        return "regression"
    return "slower" if slowdown.percent > 0 else "faster"


def _judge_reading(change: RowChange, before: Accuracy | None, after: Accuracy | None, same_images: bool) -> RowChange:
    if before is None or after is None:
        return change
    shares = before.share, after.share
    if not same_images:
        notes = [*change.notes, "the accuracies were measured on different images"]
        return msgspec.structs.replace(change, accuracies=shares, notes=notes)
    drop = measure_drop(correct_mask(before), correct_mask(after))
    reading: Reading = "same" if not drop.measurable else "regression" if drop.points > 0 else "better"
    return msgspec.structs.replace(change, accuracies=shares, drop=drop, reading=reading)
