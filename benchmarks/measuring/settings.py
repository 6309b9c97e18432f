"""The two usual extents of a benchmark, full and quick, and the limits of their settings."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...edge.common.errors import ArgumentError, check_choice
from ..results.schema import BenchmarkSettings
from ..results.wording import FEWEST_COMPARED
from ..targets.engines import ENGINES
from ..targets.targets import ALL_PROCESSORS

# A full run of the shipped bundle: ten thousand inferences per row in minutes. A quick one: less than a minute.
FULL = BenchmarkSettings(
    rounds=5, calls=1000, seconds=2.0, threads=[1, ALL_PROCESSORS], batches=[8, 32], paced_calls=20
)
QUICK = BenchmarkSettings(
    rounds=FEWEST_COMPARED, calls=200, seconds=0.5, threads=[1], batches=[], paced_calls=0, is_quick=True
)
FEWEST_ROUNDS, FEWEST_CALLS, SMALLEST_BATCH, MOST_SECONDS = 3, 10, 2, 3600.0
_LEAST = {
    "rounds": FEWEST_ROUNDS,
    "calls": FEWEST_CALLS,
    "batches": SMALLEST_BATCH,
    "threads": ALL_PROCESSORS,
    "seed": 0,
}


def choose_settings(quick: bool = False, **changes: Any) -> BenchmarkSettings:
    """Choose the settings: those of a full or a quick run, with changes.

    Args:
        quick: Whether to start from `QUICK`.
        changes: Values by name of the setting, see `BenchmarkSettings`; None and empty lists change nothing.

    Raises:
        ArgumentError: A value is outside its range, or there is no such runtime.
    """
    given = {name: value for name, value in changes.items() if value or value == 0}
    for name, least in _LEAST.items():
        for value in _list(given.get(name, ())):
            if value < least:
                raise ArgumentError(f"expected {name} of at least {least}, got {value}.")
    if not 0 < given.get("seconds", MOST_SECONDS) <= MOST_SECONDS:
        raise ArgumentError(f"expected seconds above 0 and at most {MOST_SECONDS:.0f}, got {given['seconds']}.")
    for runtime in given.get("runtimes", ()):
        check_choice("a runtime", runtime, ENGINES)
    return msgspec.structs.replace(QUICK if quick else FULL, **given)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) else [value]
