"""The outcomes of two files on the same corrupted images: counts, tests, and means."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....edge.common.statistics import mcnemar_p, paired_interval, wilson_interval
from ....edge.runtimes.registry import Runtime
from ...statistics.paired import bootstrap_mean, correct_holm
from .corruptions import CORRUPTIONS, SEVERITIES
from .results import Cell, CellCounts, CorruptedRow, Means, RuntimeRobustness


@dataclass(frozen=True)
class Outcomes:
    """The images that a file read correctly and those accepted, bool [1 + 15 * 5, N]; the first row is clean images."""

    right: NDArray[np.bool_]
    accepted: NDArray[np.bool_]


def compare_files(runtime: Runtime, float32: Outcomes, int8: Outcomes, seed: int) -> RuntimeRobustness:
    """Compare both files' outcomes on a runtime, for each corruption and over all.

    Args:
        runtime: The runtime that computed them.
        float32: Outcomes of the float32 file.
        int8: Outcomes of the int8 file, on the same images.
        seed: Random seed of the resampling.
    """
    cells = [_count(float32, int8, i) for i in range(len(float32.right))]
    rows: list[CorruptedRow] = []
    for i, name in enumerate(CORRUPTIONS):
        part = slice(1 + i * len(SEVERITIES), 1 + (i + 1) * len(SEVERITIES))
        rows.append(compare_outcomes(name, cells[part], float32.right[part], int8.right[part], seed))
    corrected = correct_holm([row.p for row in rows])
    float_errors, int8_errors = ((~one.right[1:]).reshape(len(rows), -1).mean(axis=1) for one in (float32, int8))
    return RuntimeRobustness(
        runtime=runtime.name,
        version=runtime.version,
        clean=cells[0],
        rows=tuple(msgspec.structs.replace(row, p_holm=p) for row, p in zip(rows, corrected, strict=True)),
        float32=_average(float32),
        int8=_average(int8),
        relative_error=float((int8_errors / float_errors).mean()) if float_errors.all() else None,
    )


def _count(float32: Outcomes, int8: Outcomes, i: int) -> Cell:
    return Cell(
        float32=_read(float32, i),
        int8=_read(int8, i),
        only_float32=int((float32.right[i] & ~int8.right[i]).sum()),
        only_int8=int((int8.right[i] & ~float32.right[i]).sum()),
    )


def _read(outcomes: Outcomes, i: int) -> CellCounts:
    right, taken = outcomes.right[i], outcomes.accepted[i]
    low, high = wilson_interval(int(right.sum()), len(right))
    return CellCounts(
        correct=int(right.sum()),
        interval=(round(low, 6), round(high, 6)),
        refused=int((~taken).sum()),
        silent=int((taken & ~right).sum()),
    )


def compare_outcomes(
    name: str, cells: Sequence[Cell], float32: NDArray[np.bool_], int8: NDArray[np.bool_], seed: int
) -> CorruptedRow:
    """Compare outcomes, bool [5, N]. An image counts once, since its five severities are not independent images."""
    differences = float32.sum(axis=0) - int8.sum(axis=0)
    better_float32, better_int8 = int((differences > 0).sum()), int((differences < 0).sum())
    p = mcnemar_p(better_float32, better_int8)
    if differences.any():
        low, high = bootstrap_mean(100 * differences / len(cells), seed)
    else:
        # Resampling ignores what did not happen in the sample.
        low, high = (100 * end for end in paired_interval(0, 0, len(differences)))
    return CorruptedRow(
        corruption=name,
        cells=tuple(cells),
        better_float32=better_float32,
        better_int8=better_int8,
        drop_pp=round(float(100 * differences.mean() / len(cells)), 6),
        drop_interval_pp=(round(low, 6), round(high, 6)),
        p=p,
        p_holm=p,
    )


def _average(outcomes: Outcomes) -> Means:
    wrong, taken = ~outcomes.right[1:], outcomes.accepted[1:]
    published = [i * len(SEVERITIES) + corruption.published - 1 for i, corruption in enumerate(CORRUPTIONS.values())]
    return Means(
        error=float(wrong.mean()),
        published_error=float(wrong[published].mean()),
        refused=float((~taken).mean()),
        silent=float((wrong & taken).mean()),
    )
