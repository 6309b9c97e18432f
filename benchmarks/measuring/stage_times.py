"""The reader's time on one frame, by stage: find, frame, infer. In fresh processes, like every latency here.

Run as `python -m edge_mnist.benchmarks.measuring.stage_times FOLDER`, see `JobFolder` in `targets/job.py`.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from ...edge.bundle.contract import Precision
from ...edge.bundle.folder import Bundle
from ...edge.common.errors import RuntimeUnavailableError
from ...edge.common.processes.child_start import EXIT_UNAVAILABLE
from ..errors import BenchmarkError
from ..results.schema import StageBudget
from ..targets.engines import ENGINES
from ..targets.job import JobFolder
from ..targets.launcher import Launcher, run_worker
from .rows import summarize_rounds
from .timing import warm_up

MODULE = "edge_mnist.benchmarks.measuring.stage_times"
# The size of a webcam's frame.
SIZE = (640, 480)
DIGITS = 10
CALLS = 60
QUICK_CALLS = 20
PAGE_SEED = 1
# The precisions that users read with; the first that exists is measured.
PRECISIONS: tuple[Precision, ...] = ("int8", "float32")
RUNTIMES = ("litert", "onnxruntime")


class StageTimesJob(msgspec.Struct, frozen=True, kw_only=True):
    """The file and runtime to read with, and the number of readings."""

    bundle: str
    runtime: str
    precision: Precision
    calls: int


class StageTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of every call: of each stage by the reader's own clock, and of the whole by a separate one."""

    stages_ms: dict[str, list[float]]
    total_ms: list[float]


def list_jobs(bundle: Bundle, is_quick: bool) -> list[StageTimesJob]:
    """List the jobs worth measuring for this bundle: its int8 file (else its float32 one) on each runtime."""
    there = {(file.format, file.precision) for file in bundle.files}
    calls = QUICK_CALLS if is_quick else CALLS
    jobs: list[StageTimesJob] = []
    for name in RUNTIMES[:1] if is_quick else RUNTIMES:
        fitting: list[Precision] = [one for one in PRECISIONS if (ENGINES[name].format, one) in there]
        if ENGINES[name].installed and fitting:
            jobs.append(
                StageTimesJob(bundle=str(bundle.path.resolve()), runtime=name, precision=fitting[0], calls=calls)
            )
    return jobs


def measure_budget(job: StageTimesJob) -> StageTimes | None:
    """Measure one process's share of a budget; None if it failed, which its file's row then reports, too."""
    try:
        return run_worker(Launcher(module=MODULE), job, StageTimes)[0]
    except BenchmarkError:
        return None


def make_budget(bundle: Bundle, job: StageTimesJob, parts: Sequence[StageTimes | None]) -> StageBudget | None:
    """Combine the measurements of all processes into a budget; None if any of them failed."""
    whole = [part for part in parts if part is not None]
    if not whole or len(whole) < len(parts):
        return None
    stages = {
        name: float(np.median(np.concatenate([part.stages_ms[name] for part in whole]))) for name in whole[0].stages_ms
    }
    engine = ENGINES[job.runtime]
    file = next(file for file in bundle.files if (file.format, file.precision) == (engine.format, job.precision))
    return StageBudget(
        file=file.record.name,
        runtime=job.runtime,
        width=SIZE[0],
        height=SIZE[1],
        digits=DIGITS,
        stages_ms=stages,
        total_ms=summarize_rounds([part.total_ms for part in whole], units_per_second=1e3),
    )


def read_frames(job: StageTimesJob) -> StageTimes:
    """Read the same frame repeatedly and time each stage.

    Raises:
        RuntimeUnavailableError: The runtime cannot run the file.
    """
    from ...edge.reading.reader import Reader  # noqa: PLC0415 - only in the process that reads
    from ..scenes.sized_pages import draw_sized_page  # noqa: PLC0415 - the same

    frame = draw_sized_page(SIZE, DIGITS, PAGE_SEED).frame
    reader = Reader(Path(job.bundle), job.runtime, job.precision)
    warm_up(lambda: reader.read(frame), limit_s=2.0)
    stages: dict[str, list[float]] = {}
    totals: list[float] = []
    for _ in range(job.calls):
        started = time.perf_counter()
        reading = reader.read(frame)
        totals.append(round(1000 * (time.perf_counter() - started), 4))
        for name, spent_ms in reading.timing_ms.items():
            stages.setdefault(name, []).append(spent_ms)
    return StageTimes(stages_ms=stages, total_ms=totals)


def main() -> None:
    """Read the job, measure, write the answer."""
    job_folder = JobFolder(Path(sys.argv[1]))
    try:
        budget = read_frames(msgspec.json.decode(job_folder.job.read_bytes(), type=StageTimesJob))
    except RuntimeUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from error
    job_folder.answer.write_bytes(msgspec.json.encode(budget))


if __name__ == "__main__":
    main()
