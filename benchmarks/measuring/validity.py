"""The validity of latencies: changes during the measurement count against it, each with a reason in words.

Latencies measured on a throttled processor are invalid. Latencies that may be right, but would differ at another time,
are unstable. What a machine does not report does not count against it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...edge.doctor.health import HOT_C, SINCE_START, THROTTLE_BITS
from ..results.schema import Latency, Sample, Validity
from ..statistics.quantiles import FEWEST_PROCESSES
from ..targets.job import Measurement

# A processor that slows down by a tenth explains most differences between targets that matter.
FREQUENCY_MOVED = 0.10
# Share of the time of all processors. Idle systems use a few thousandths.
BUSY_ELSEWHERE = 0.10
# Half the width of the median's interval, as a share of the median.
UNCERTAIN = 0.10
# The clock's step, as a share of the median.
COARSE = 0.10
# Student's 97.5 % quantiles for 3 to 31 processes; more take the last. Only for this judgement, on machines without
# SciPy: reports compute intervals with `typical_quantile`.
STUDENT = (
    4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_ORDER: tuple[Validity, ...] = ("valid", "unstable", "invalid")


@dataclass(frozen=True)
class ValidityVerdict:
    """A judgement on latencies: how far to trust them, and what counts against them."""

    validity: Validity = "valid"
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Doubt:
    validity: Validity
    reason: str


def judge_row(
    latency: Latency, measurements: Sequence[Measurement], samples: Sequence[Sample], usual_mhz: float | None
) -> ValidityVerdict:
    """Judge a row by its processes and by the machine's state in each of them.

    Args:
        latency: The summary of all its processes.
        measurements: The measurement of each process.
        samples: The machine's state after each process, with what happened since the sample before.
        usual_mhz: The frequency in most processes of the run; None if unknown.
    """
    doubts = [*_judge_samples(samples), *_judge_frequency(samples, usual_mhz)]
    restless = sum(not one.steady for one in measurements)
    if restless:
        doubts.append(
            _Doubt("unstable", f"latencies were not steady after warming up in {_of(restless, measurements)}")
        )
    coarse = max((one.clock_resolution_us or 0 for one in measurements), default=0)
    if coarse > COARSE * latency.p50:
        doubts.append(_Doubt("unstable", f"its clock has steps of {coarse:g} us, which limits the quantiles"))
    uncertainty = _measure_uncertainty(latency)
    if uncertainty > UNCERTAIN:
        doubts.append(_Doubt("unstable", f"processes differ: the median is only known to ±{100 * uncertainty:.0f} %"))
    return _conclude(doubts)


def _measure_uncertainty(latency: Latency) -> float:
    """Compute half the width of the median's interval, as a share of the median, without SciPy."""
    logarithms = np.log([np.median(one) for one in latency.rounds])
    quantile = STUDENT[min(len(logarithms) - FEWEST_PROCESSES, len(STUDENT) - 1)]
    return math.sinh(quantile * float(logarithms.std(ddof=1)) / math.sqrt(len(logarithms)))


def judge_machine(samples: Sequence[Sample], rows: Sequence[Validity]) -> ValidityVerdict:
    """Judge a whole run by all of the machine's samples and by its rows."""
    doubts = _judge_samples(samples)
    bits = [one.throttled for one in samples if one.throttled is not None]
    for bit, words in THROTTLE_BITS:
        # Throttled between two samples, so that none of them shows it.
        if bits and (bits[-1] & ~bits[0]) >> (bit + SINCE_START) & 1 and not any(one >> bit & 1 for one in bits):
            doubts.append(_Doubt("invalid", f"{words} for a moment while it measured"))
    rises = [one.throttle_count for one in samples if one.throttle_count is not None]
    if rises and rises[-1] > rises[0]:
        doubts.append(_Doubt("invalid", f"processors were throttled by heat {rises[-1] - rises[0]} times"))
    for validity in _ORDER[1:]:
        count = sum(row == validity for row in rows)
        if count:
            doubts.append(_Doubt(validity, f"{_of(count, rows)} rows {'is' if count == 1 else 'are'} {validity}"))
    return _conclude(doubts)


def usual_frequency(samples: Sequence[Sample]) -> float | None:
    """Compute the median over samples of the fastest processor's frequency, in MHz; None if none is reported."""
    fastest = sorted(max(one.frequency_mhz) for one in samples if one.frequency_mhz)
    return fastest[len(fastest) // 2] if fastest else None


def _judge_samples(samples: Sequence[Sample]) -> list[_Doubt]:
    doubts: list[_Doubt] = []
    bits = [one.throttled for one in samples if one.throttled is not None]
    doubts += [
        _Doubt("invalid", f"{words} while it measured")
        for bit, words in THROTTLE_BITS
        if any(one >> bit & 1 for one in bits)
    ]
    hottest = max((one.temperature_c for one in samples if one.temperature_c is not None), default=0.0)
    if hottest >= HOT_C:
        doubts.append(
            _Doubt("unstable", f"it reached {hottest:.0f} °C, and processors throttle from {HOT_C:.0f} °C on")
        )
    busy = [one.busy_elsewhere for one in samples if one.busy_elsewhere is not None]
    if busy and max(busy) > BUSY_ELSEWHERE:
        doubts.append(_Doubt("unstable", f"other processes took up to {100 * max(busy):.0f} % of all processors' time"))
    return doubts


def _judge_frequency(samples: Sequence[Sample], usual_mhz: float | None) -> list[_Doubt]:
    fastest = [max(one.frequency_mhz) for one in samples if one.frequency_mhz]
    if usual_mhz is None or not fastest:
        return []
    furthest = max(fastest, key=lambda one: abs(one - usual_mhz))
    if abs(furthest - usual_mhz) <= FREQUENCY_MOVED * usual_mhz:
        return []
    return [_Doubt("unstable", f"the processor ran at {furthest:.0f} MHz, in most of the run at {usual_mhz:.0f}")]


def _conclude(doubts: Sequence[_Doubt]) -> ValidityVerdict:
    worst = max((_ORDER.index(doubt.validity) for doubt in doubts), default=0)
    return ValidityVerdict(_ORDER[worst], tuple(doubt.reason for doubt in doubts))


def _of(count: int, all_of_them: Sequence[object]) -> str:
    return f"{count} of {len(all_of_them)}"
