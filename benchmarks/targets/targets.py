"""The targets: every file on every runtime of its format, with each delegate and number of threads."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import Precision
from ...edge.bundle.export_record import ModelFile
from ...edge.bundle.folder import Bundle
from ...edge.common.machine import count_cores
from ..results.peer_inputs import InputCheck
from ..results.schema import BenchmarkSettings, Delegate, RowFormat
from .browser import explain_absence, find_browser
from .engines import ENGINES, WEB_RUNTIME, Engine
from .job import Measurement
from .keras import has_gpu, thread_environment
from .launcher import Launcher
from .old_runtime import VERSION, find_old_runtime
from .peers import Peer

LEFT_OUT = "left out of a quick run: it takes seconds to load"
ALL_PROCESSORS = 0


@dataclass(frozen=True)
class MeasuredFile:
    """A file to measure: one of the bundle's, its Keras model, or a peer."""

    name: str
    sha256: str
    format: RowFormat
    precision: Precision | None
    size_bytes: int
    bundle: Path | None = None
    peer: Peer | None = None


@dataclass
class Target:
    """A file on a runtime, and the measurements of its processes so far.

    Attributes:
        launcher: The way to start its process.
        unavailable: The reason why it is not, or no longer, measured.
        places: Indices of its processes' samples of the machine, in the order of measuring.
    """

    subject: MeasuredFile
    runtime: str
    delegate: Delegate
    threads: int
    launcher: Launcher = field(default_factory=Launcher)
    unavailable: str | None = None
    measurements: list[Measurement] = field(default_factory=list)
    logits: NDArray[np.float32] | None = None
    input_check: InputCheck | None = None
    places: list[int] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The text for the progress bar."""
        return f"{self.subject.name} on {self.runtime}"

    @property
    def is_plain(self) -> bool:
        """Whether it is the usual configuration: one thread, and the delegate that the runtime chooses."""
        return self.threads == 1 and self.delegate == "default"


def list_targets(
    bundle: Bundle, peers: Sequence[Peer], settings: BenchmarkSettings, old_runtime: Launcher | None = None
) -> list[Target]:
    """List all possible targets; those that are not available have the reason.

    Args:
        bundle: The bundle whose files and Keras model are measured.
        peers: Peers, measured on the most common runtime of their format.
        settings: The runtimes and threads to measure with, and whether the run is quick.
        old_runtime: Starts a worker in an environment with tflite-runtime; None if there is none.
    """
    subjects = [_describe(bundle, file) for file in bundle.files]
    source = bundle.card.source
    subjects.append(
        MeasuredFile(source.name, source.sha256, "keras", "float32", source.size_bytes, bundle.path.resolve())
    )
    targets = [
        target
        for subject in subjects
        for engine in ENGINES.values()
        if engine.format == subject.format and engine.name in (settings.runtimes or ENGINES)
        for target in _spread(subject, engine, settings, old_runtime)
    ]
    taken = {subject.name for subject in subjects}
    for peer in peers:
        targets.append(_describe_peer(peer, taken))
        taken.add(targets[-1].subject.name)
    return targets


def _describe(bundle: Bundle, file: ModelFile) -> MeasuredFile:
    record = file.record
    return MeasuredFile(
        record.name, record.sha256, file.format, file.precision, record.size_bytes, bundle.path.resolve()
    )


def _describe_peer(peer: Peer, taken: set[str]) -> Target:
    """Describe a peer under its file name, or under its whole path if that name is taken."""
    # The JSON of results cannot hold bytes that are not UTF-8.
    name = os.fsencode(peer.path if peer.path.name in taken else peer.path.name).decode(errors="backslashreplace")
    subject = MeasuredFile(name, peer.sha256, peer.format, None, peer.size_bytes, peer=peer)
    engine = ENGINES["litert" if peer.format == "tflite" else "onnxruntime"]
    return Target(subject, engine.name, "default", 1, unavailable=None if engine.installed else _missing(engine))


def _spread(
    subject: MeasuredFile, engine: Engine, settings: BenchmarkSettings, old_runtime: Launcher | None
) -> list[Target]:
    """Make a target for each delegate and number of threads that the engine is measured with."""
    if engine.name == "keras-gpu" and not has_gpu():
        return []
    launcher, unavailable = _launch(engine, old_runtime)
    if settings.is_quick and engine.is_heavy and not unavailable:
        unavailable = LEFT_OUT
    if unavailable:
        return [Target(subject, engine.name, "default", 1, launcher, unavailable)]
    delegates = engine.delegates[:1] if settings.is_quick else engine.delegates
    threads = resolve_threads(settings.threads) if engine.takes_threads else [1]
    return [Target(subject, engine.name, delegate, count, launcher) for delegate in delegates for count in threads]


def resolve_threads(threads: Sequence[int]) -> list[int]:
    """Resolve numbers of threads, where 0 means all processors that may be used; without duplicates."""
    return list(dict.fromkeys(count_cores() if count == ALL_PROCESSORS else count for count in threads))


def _launch(engine: Engine, old_runtime: Launcher | None) -> tuple[Launcher, str | None]:
    """Choose how to start the engine's process, and the reason if that is not possible here."""
    if engine.name == WEB_RUNTIME:
        return Launcher(
            module="edge_mnist.benchmarks.measuring.browser_worker", has_lasting_children=True, memory_bytes=0
        ), explain_absence()
    if engine.name == "tflite-runtime" and not engine.installed and old_runtime:
        return old_runtime, None
    environment = thread_environment(1, on_gpu=engine.name == "keras-gpu") if engine.format == "keras" else {}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2"} if engine.is_heavy else {}
    launcher = Launcher(environment=environment | quiet)
    if engine.name == "keras-gpu":
        launcher = replace(launcher, memory_bytes=0)
    return launcher, None if engine.installed else _missing(engine)


def _missing(engine: Engine) -> str:
    if engine.name == "tflite-runtime":
        return f"not installed: --old-runtime creates an environment with {VERSION}"
    return f"not installed: {engine.install_hint}"


@dataclass(frozen=True)
class TargetListing:
    """A target for `--list-targets`; `here` is a version or None, `note` a description or the command to install it."""

    name: str
    here: str | None
    note: str


def list_offers() -> list[TargetListing]:
    """List every kind of target, whether it is available here, and how to install it if not."""
    ssh = shutil.which("ssh")
    elsewhere = "--host USER@HOST also measures there" if ssh else "apt install openssh-client"
    return [*map(_offer, ENGINES.values()), TargetListing("other machines", ssh, elsewhere)]


def _offer(engine: Engine) -> TargetListing:
    here, how = engine.version if engine.installed else None, engine.install_hint
    if engine.name == "tflite-runtime" and here is None:
        here = f"{VERSION}, in its own environment" if find_old_runtime() else None
        how = f"edge-mnist benchmark --old-runtime creates an environment with {VERSION}, once"
    elif engine.name == "keras-gpu" and here and not has_gpu():
        here, how = None, "no GPU found"
    elif engine.name == WEB_RUNTIME:
        absence = explain_absence()
        here, how = (None, absence) if absence else (f"in {find_browser()}", "")
    delegates = ", with and without its delegate" if len(engine.delegates) > 1 else ""
    threads = ", on one thread and on all processors" if engine.takes_threads else ""
    quick = "; not in a quick run" if engine.is_heavy else ""
    return TargetListing(engine.name, here, f"{engine.format} files{delegates}{threads}{quick}" if here else how)
