"""Measurements on other machines over SSH: the same code, the same files, the same images, several machines at once.

A machine that fails does not affect the others: it is named, with the reason, and has no rows.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec

from ...edge.bundle.folder import MOST_FILE_BYTES, Bundle
from ...edge.common.errors import EdgeMnistError
from ...edge.common.files import read_file
from ...edge.common.processes.child import first_line
from ...edge.common.scratch import scratch_folder
from ...edge.common.terminal.output import echo
from ...edge.data.held_out import HeldOut
from ...edge.data.images import Images
from ..errors import BenchmarkError
from ..measuring.accuracy import choose_evaluation
from ..measuring.run import run_benchmark
from ..results.schema import BenchmarkSettings, MachineRun, Results, Row, StageBudget
from ..targets.peers import Peer
from .check import Expected, check_results
from .job import pack_job
from .session import Parcel, Session
from .ssh import SshOptions, parse_host
from .wheel import build_wheel, find_constraints

MODULE = "edge_mnist.benchmarks.remote.job"
# The limit of five rounds of two seconds on a slow machine that installs first; scaled for longer runs.
USUAL_LIMIT_S, USUAL_ROUNDS_S, LAST_LIMIT_S = 3600, 10.0, 7 * 24 * 3600


@dataclass(frozen=True)
class RemoteOptions:
    """The settings of remote measurements.

    Attributes:
        ssh: Settings of the connection.
        python: A Python interpreter there with this version of edge-mnist; None makes an environment each time.
        wheel: The wheel to install there; None builds it from this checkout.
        limit_s: Time limit for one machine in seconds, including installation; None for an hour, more for longer runs.
    """

    ssh: SshOptions = field(default_factory=SshOptions)
    python: str | None = None
    wheel: Path | None = None
    limit_s: int | None = None


@dataclass
class RemoteResults:
    """The outcome on each machine, in the order of the hosts.

    Rows and budgets have their machine's number: 1 is the first of these, 0 is reserved for the local machine.
    """

    machines: list[MachineRun] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    budgets: list[StageBudget] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)


def measure_remotely(
    hosts: Sequence[str],
    bundle: Bundle,
    held_out: HeldOut,
    settings: BenchmarkSettings,
    options: RemoteOptions = RemoteOptions(),
    *,
    say: Callable[[str], None] = partial(echo, err=True),  # noqa: B008 - as above
) -> RemoteResults:
    """Measure the bundle on all of these machines at the same time.

    Args:
        hosts: Hosts as the user gave them: `user@host` or `user@host:port`.
        bundle: The bundle to measure.
        held_out: The images that are evaluated on here, to be used there, too.
        settings: The settings of the benchmark.
        options: The settings of remote measurements.
        say: Called with each line of progress.

    Raises:
        BenchmarkError: A host's name is malformed.
        ModelCardError: The bundle lacks the reference for the available images.
    """
    images, _ = choose_evaluation(bundle, held_out)
    sessions = [
        Session(parse_host(name), options.ssh, partial(_report_progress, say, name)) for name in dict.fromkeys(hosts)
    ]
    try:
        parcel = _pack(
            pack_job(bundle, images, held_out.certain, settings), options, options.limit_s or choose_limit_s(settings)
        )
    except EdgeMnistError as error:
        return RemoteResults(unreachable={session.host.name: str(error) for session in sessions})
    expected = _expect(bundle, images, settings)
    return _collect(_run_all(sessions, parcel, expected))


def _report_progress(say: Callable[[str], None], name: str, words: str) -> None:
    say(f"{name}: {words}")


def choose_limit_s(settings: BenchmarkSettings) -> int:
    """Choose the seconds after which to give up on a machine: an hour, more for longer runs, a week at most."""
    usual = settings.rounds * settings.seconds / USUAL_ROUNDS_S
    return math.ceil(min(USUAL_LIMIT_S * max(1.0, usual), LAST_LIMIT_S))


def _pack(files: dict[str, bytes], options: RemoteOptions, limit_s: int) -> Parcel:
    if options.python is not None:
        return Parcel(files, MODULE, limit_s, python=options.python)
    with scratch_folder() as folder:
        wheel, constraints = options.wheel or build_wheel(folder), find_constraints()
        added = {path.name: _read(path) for path in (wheel, constraints) if path}
    names = wheel.name, constraints and constraints.name
    return Parcel({**files, **added}, MODULE, limit_s, *names)


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MOST_FILE_BYTES)
    except EdgeMnistError as error:
        raise BenchmarkError(str(error)) from error


def _expect(bundle: Bundle, images: Images, settings: BenchmarkSettings) -> Expected:
    return Expected(
        edge_mnist=version("edge-mnist"),
        card_sha256=bundle.card_sha256,
        images_sha256=images.sha256,
        image_count=len(images),
        settings=settings,
        files=frozenset((record.name, record.sha256, record.size_bytes) for record in bundle.card.records()),
    )


def _run_all(sessions: list[Session], parcel: Parcel, expected: Expected) -> dict[str, Results | EdgeMnistError]:
    """Run every session; return each machine's results, or the error why it has none."""
    with ThreadPoolExecutor(max(1, len(sessions))) as pool:
        try:
            answers = pool.map(partial(_run, parcel=parcel, expected=expected), sessions)
            return {session.host.name: answer for session, answer in zip(sessions, answers, strict=True)}
        except BaseException:
            # Ctrl-C: the machines stop and clean up when the connection closes.
            for session in sessions:
                session.end("was stopped.")
            raise


def _run(session: Session, parcel: Parcel, expected: Expected) -> Results | EdgeMnistError:
    try:
        return check_results(session.run(parcel), expected)
    except EdgeMnistError as error:
        return error
    except Exception as error:
        # Any error caused by another machine's answer is reported in its row, and does not affect the other machines.
        return BenchmarkError(f"sent an unusable answer ({type(error).__name__}: {first_line(error):.200}).")


def _collect(answers: dict[str, Results | EdgeMnistError]) -> RemoteResults:
    together = RemoteResults()
    for name, answer in answers.items():
        if isinstance(answer, EdgeMnistError):
            together.unreachable[name] = str(answer)
            continue
        together.machines.append(msgspec.structs.replace(answer.machines[0], name=name))
        number = len(together.machines)
        together.rows += [msgspec.structs.replace(row, machine=number) for row in answer.rows]
        together.budgets += [msgspec.structs.replace(budget, machine=number) for budget in answer.budgets]
    return together


def run_on_all_machines(
    bundle: Bundle,
    held_out: HeldOut,
    settings: BenchmarkSettings,
    peers: Sequence[Peer],
    hosts: Sequence[str],
    options: RemoteOptions,
) -> Results:
    """Measure here, then on the other machines: packing for them would disturb what is timed here.

    Args:
        bundle: The bundle to measure.
        held_out: The images to evaluate on.
        settings: The settings of the benchmark.
        peers: Other projects' files, measured only here; they are not copied to other machines.
        hosts: Hosts as the user gave them.
        options: The settings of remote measurements.

    Raises:
        BenchmarkError: A host's name is malformed.
        ModelCardError: The bundle lacks the reference for the available images.
    """
    results = run_benchmark(bundle, held_out, settings, peers)
    return add_machines(results, measure_remotely(hosts, bundle, held_out, settings, options)) if hosts else results


def add_machines(results: Results, remote: RemoteResults) -> Results:
    """Combine the results of other machines with those of this one."""
    return msgspec.structs.replace(
        results,
        machines=[*results.machines, *remote.machines],
        rows=[*results.rows, *remote.rows],
        budgets=[*results.budgets, *remote.budgets],
        unreachable=remote.unreachable,
    )
