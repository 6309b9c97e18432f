"""The options of `run` for many files, and the jobs that they request: processes, files of results, a cluster."""

import functools
import glob
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import click

from ...bundle.folder import open_bundle
from ...common.errors import EdgeMnistError
from ...common.machine import count_cores
from ...common.terminal.output import echo
from ...common.terminal.progress import ProgressBar, above_bars
from ...media.lazy_sources import NamedInput, count_files, iterate_inputs, iterate_list, open_list
from ...media.sources import STANDARD_INPUT, MissingSource
from ...media.videos import Spacing
from ...reading.bulk.addresses import is_remote, iterate_addresses
from ...reading.bulk.formats import WRITERS, check_format, write_result
from ...reading.bulk.parts import BulkJob, PartsFolder, find_finished
from ...reading.bulk.pool import WorkerPool
from ...reading.bulk.ray_engine import read_on_ray
from ...reading.bulk.rows import InputFrames, InputRows, fail_frames, fail_rows, read_frames, read_rows
from ...reading.bulk.worker import ReaderSettings
from ..live_options import ModelChoice
from ..options import option_group, out_option

Command = Callable[..., None]
ENGINES = ("processes", "ray")


class JobsType(click.ParamType):
    """A number of processes, or `auto` for one on each core that this process may use."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the number, or fail as misuse."""
        if value == "auto":
            return count_cores()
        try:
            return click.IntRange(min=1).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither auto nor a number of processes, e.g. 4.", param, ctx)


class ResultPath(click.Path):
    """The name of a file for results, whose suffix states its format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the name to a path, or fail as misuse."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in WRITERS:
            self.fail(f"{value!r} ends in none of {', '.join(WRITERS)}.", param, ctx)
        return path


@dataclass(frozen=True)
class BulkChoice:
    """The values of the options for many files; each attribute is the option of the same name."""

    jobs: int | None = None
    out: Path | None = None
    resume: bool = False
    files_from: str | None = None
    engine: str = ENGINES[0]
    address: str | None = None

    @property
    def is_requested(self) -> bool:
        """Whether any of them was given."""
        return self != BulkChoice()

    def refuse_misuse(self, inputs: tuple[str, ...], drawn: bool, printed: bool) -> None:
        """Refuse options that do not fit together."""
        if not inputs and self.files_from is None:
            raise click.MissingParameter(param_type="argument", param_hint="'INPUT...'")
        if not self.is_requested:
            return
        if drawn:
            raise click.UsageError("--annotate and --show draw one picture after the other: leave out the options "
                                   "under \"Many files\".")  # fmt: skip
        if printed and self.out is not None:
            raise click.UsageError("--json and --explain print; --out FILE has rows of its own.")
        if STANDARD_INPUT in inputs:
            raise click.UsageError("Pictures on standard input cannot be divided: write them to files first. "
                                   "--files-from - takes a list of files.")  # fmt: skip
        if self.resume and self.out is None:
            raise click.UsageError("--resume needs --out FILE.")
        if self.engine == "ray" and self.out is None:
            raise click.UsageError("--engine ray needs --out FILE.")
        if self.address is not None and self.engine != "ray":
            raise click.UsageError("--address needs --engine ray.")


_OPTIONS = (
    click.option("--jobs", type=JobsType(), metavar="N|auto",
                 help="Processes, each with one reader; auto starts one on each core.  [default: 1; with Ray, one on "
                 "each core of the cluster]"),
    out_option(ResultPath(dir_okay=False), metavar="FILE.jsonl|FILE.csv|FILE.parquet",
               help="Write a row for each picture, frame and failure into this file instead of printing."),
    click.option("--resume", is_flag=True, help="Continue a run with --out that was interrupted, or begin one."),
    click.option("--files-from", metavar="FILE|-",
                 help="Read the files in this list, one path on each line; - is standard input."),
    click.option("--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True,
                 help="Read on the cores of this machine, or on a Ray cluster."),
    click.option("--address", metavar="ADDRESS", help="Address of the Ray cluster, e.g. auto or head:6379.  "
                 "[default: a cluster on this machine alone]"),
)  # fmt: skip


def bulk_options(command: Command) -> Command:
    """Add the options; the command receives them as one argument, `bulk`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        choice = BulkChoice(**{field.name: answers.pop(field.name) for field in fields(BulkChoice)})
        command(**answers, bulk=choice)

    return option_group("Many files", *_OPTIONS)(gather)


def read_many(
    inputs: tuple[str, ...], spacing: Spacing, bulk: BulkChoice, model: ModelChoice, explain: bool
) -> Generator[InputFrames, None, None]:
    """Read on several processes, and yield the readings of each input in order."""
    settings = make_settings(model, explain)
    # What the processes would report many times is reported once.
    settings.load()
    with ExitStack() as stack:
        items = _list_inputs(inputs, spacing, bulk, stack)
        bar = stack.enter_context(_count(inputs, bulk))
        pool = WorkerPool(bulk.jobs or 1, settings, read_frames, fail_frames)
        stack.callback(pool.close)
        for _, result in pool.read(items):
            yield result
            bar.update()


def write_many(inputs: tuple[str, ...], spacing: Spacing, bulk: BulkChoice, model: ModelChoice, out: Path) -> int:
    """Read on several processes or a cluster and write all rows into a file; return the number of failures."""
    check_format(out)
    _refuse_missing(inputs, spacing)
    settings = make_settings(model)
    # As above.
    reader = settings.load()
    file = open_bundle(model.bundle).file(reader.runtime.format, model.precision)
    job = BulkJob(
        inputs=[*inputs, *([f"--files-from {bulk.files_from}"] if bulk.files_from else [])],
        model_sha256=file.record.sha256,
        runtime=reader.runtime.name,
        every=repr(spacing),
        version=version("edge-mnist"),
    )
    if bulk.resume and (finished := find_finished(out, job)):
        echo(f"{out} is complete: nothing is left to read, {_count_nouns(finished.failures, 'failure')}.", err=True)
        return finished.failures
    with ExitStack() as stack:
        items = _list_inputs(inputs, spacing, bulk, stack)
        folder = PartsFolder(out, job, bulk.resume)
        stack.callback(folder.close)
        try:
            _read_into(folder, items, _choose_engine(bulk, settings, stack), _count(inputs, bulk))
            if not folder.done:
                folder.remove()
                raise EdgeMnistError("No file was listed, and nothing is written.")
            write_result(out, folder.rows())
            folder.finish()
        except OSError as error:
            reason = error.strerror or error
            raise EdgeMnistError(
                f"{out}: cannot be written ({reason}). Free space there, and repeat the command with --resume."
            ) from error
    echo(f"{out}: {_count_nouns(folder.done, 'input')}, {_count_nouns(folder.failures, 'failure')}.", err=True)
    return folder.failures


def _count_nouns(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _refuse_missing(inputs: tuple[str, ...], spacing: Spacing) -> None:
    """Refuse files, folders and patterns that name no picture, before a file for their results begins."""
    for argument in inputs:
        if is_remote(argument):
            continue
        first = next(iterate_inputs((argument,), spacing, lambda _: None), None)
        if first is None or not (isinstance(first.source, MissingSource) or _is_missing(argument)):
            continue
        for reason in first.source.frames():
            raise EdgeMnistError(str(reason))


def _is_missing(argument: str) -> bool:
    return not glob.has_magic(argument) and not Path(argument).exists()


def make_settings(model: ModelChoice, explain: bool = False) -> ReaderSettings:
    """Convert the model options into settings for the processes."""
    return ReaderSettings(model.bundle, model.runtime, model.precision, model.threads, explain)


def _read_into(
    folder: PartsFolder,
    items: Iterator[NamedInput],
    read: Callable[[Iterator[NamedInput]], Iterator[tuple[NamedInput, InputRows]]],
    bar: "ProgressBar[NoReturn]",
) -> None:
    """Read what is not done, and leave the rest in whole parts, whatever happens."""

    def left() -> Iterator[NamedInput]:
        for item in items:
            if folder.is_done(item.key):
                bar.update()
            else:
                yield item

    with bar:
        try:
            for item, result in read(left()):
                folder.add(item.key, result)
                bar.update()
        finally:
            folder.write_part()


def _choose_engine(
    bulk: BulkChoice, settings: ReaderSettings, stack: ExitStack
) -> Callable[[Iterator[NamedInput]], Iterator[tuple[NamedInput, InputRows]]]:
    if bulk.engine == "ray":
        return lambda items: read_on_ray(items, settings, bulk.jobs, bulk.address)
    pool = WorkerPool(bulk.jobs or 1, settings, read_rows, fail_rows)
    stack.callback(pool.close)
    return pool.read


def _list_inputs(inputs: tuple[str, ...], spacing: Spacing, bulk: BulkChoice, stack: ExitStack) -> Iterator[NamedInput]:
    listed = iterate_list(open_list(bulk.files_from, stack), spacing) if bulk.files_from else iter(())
    addresses = tuple(filter(is_remote, inputs))
    local = tuple(one for one in inputs if not is_remote(one))
    return chain(iterate_inputs(local, spacing, _tell), iterate_addresses(addresses), listed)


def _tell(sentence: str) -> None:
    with above_bars():
        echo(sentence, err=True)


def _count(inputs: tuple[str, ...], bulk: BulkChoice) -> "ProgressBar[NoReturn]":
    """Make a progress bar; the files of folders are counted meanwhile, those of lists and addresses are not."""
    bar: ProgressBar[NoReturn] = ProgressBar(unit="file")

    def count() -> None:
        bar.total = count_files(inputs)

    if bulk.files_from is None and not any(map(is_remote, inputs)):
        threading.Thread(target=count, name="count files", daemon=True).start()
    return bar
