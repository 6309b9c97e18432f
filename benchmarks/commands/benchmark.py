"""`edge-mnist benchmark`: parse, measure, print the tables, write the reports."""

import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec

from ...edge.bundle.folder import open_bundle
from ...edge.bundle.shipped import SHIPPED
from ...edge.commands.options import BUNDLE, FiniteRange, data_dir_option
from ...edge.common.files import check_writable, write_all
from ...edge.common.terminal.output import echo, echo_json, echo_lines, echo_text
from ...edge.common.terminal.tables import format_table
from ...edge.data.held_out import held_out_images
from ...edge.data.images import Images
from ..measuring.accuracy import choose_evaluation
from ..remote.machines import RemoteOptions, run_on_all_machines
from ..remote.ssh import SshOptions, parse_host
from ..report.summary import describe_doubts, doubt_peers, summarize_run
from ..report.tables import format_plain_tables, format_tables
from ..results.files import encode_results
from ..results.findings import leave_out_doubtful
from ..results.schema import BenchmarkSettings, Results
from ..results.wording import FEWEST_COMPARED
from ..targets.engines import ENGINES
from ..targets.old_runtime import make_old_runtime
from ..targets.targets import ALL_PROCESSORS, list_offers
from .options import find_missing_package, out_option, pair_peers, peer_options


class CommandWithSubcommands(click.Command):
    """A command that runs itself unless its first argument names one of its subcommands.

    Attributes:
        subcommands: Subcommands by name: module, function in it, and one line for --help. Imported when they are used.
    """

    subcommands: Mapping[str, tuple[str, str, str]] = {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the subcommand's context if the first argument names one, else this command's."""
        if args and args[0] in self.subcommands:
            module, function, _ = self.subcommands[args[0]]
            subcommand: click.Command = getattr(import_module(module, __package__), function)
            return subcommand.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command that the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands below the options."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.subcommands.items()])


# A full run of the shipped bundle: ten thousand inferences per row in minutes. A quick one: less than a minute.
FULL = BenchmarkSettings(
    rounds=5, calls=1000, seconds=2.0, threads=[1, ALL_PROCESSORS], batches=[8, 32], paced_calls=20
)
QUICK = BenchmarkSettings(
    rounds=FEWEST_COMPARED, calls=200, seconds=0.5, threads=[1], batches=[], paced_calls=0, is_quick=True
)


class Benchmark(CommandWithSubcommands):
    """A command that measures, compares, and shows the history."""

    subcommands = {  # noqa: RUF012 - never changed
        "compare": (".comparisons", "compare_two_runs", "Compare two runs, e.g. in continuous integration."),
        "photos": (".photos", "photos", "Score the reader on labelled photographs."),
        "report": (".reports", "report", "Draw the page of runs, measured here or elsewhere."),
        "history": (".comparisons", "history", "Draw latency and accuracy over a folder of runs."),
        "schema": (".reports", "schema", "Print the JSON schema of benchmark results."),
    }


def _print_targets(ctx: click.Context, _parameter: click.Parameter, is_set: bool) -> None:
    if is_set:
        rows = [(offer.name, offer.here or "not available", offer.note) for offer in list_offers()]
        echo_text(format_table(rows, ["target", "here", "what it is, or how to install it"], "simple"))
        ctx.exit()


def _name_photos(_context: click.Context, _parameter: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        raise click.UsageError(f"--photos is now a command: run edge-mnist benchmark photos {shlex.quote(folder)}")


@click.command(cls=Benchmark)
@click.argument("bundle", type=BUNDLE, default=SHIPPED, required=False)
@data_dir_option
@click.option(
    "--quick",
    is_flag=True,
    help="Measure fewer calls and processes, in less than a minute. The report is marked as quick.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=3),
    help=f"Fresh processes per row.  [default: {FULL.rounds}; quick: {QUICK.rounds}]",
)
@click.option(
    "--calls",
    type=click.IntRange(min=10),
    help=f"Timed calls per process, after warming up.  [default: {FULL.calls}; quick: {QUICK.calls}]",
)
@click.option(
    "--seconds",
    type=FiniteRange(min=0, max=3600, min_open=True),
    help=f"Seconds after which a process makes no more timed calls.  [default: {FULL.seconds}; quick: {QUICK.seconds}]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    multiple=True,
    help="Threads of one inference; 0 is all processors. May be repeated.  [default: 1 and 0; quick: 1]",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(min=2),
    multiple=True,
    help="Also time calls with this number of images. May be repeated.  [default: 8 and 32; quick: none]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of the order of processes."
)
@peer_options(".tflite or .onnx")
@click.option(
    "--old-runtime",
    is_flag=True,
    help="Make an environment with tflite-runtime 2.14 if there is none. Later runs measure it, too.",
)
@click.option(
    "--host",
    "hosts",
    metavar="USER@HOST[:PORT]",
    multiple=True,
    help="Also measure on this machine, over SSH with a key. May be repeated; machines measure at the same time.",
)
@click.option(
    "--ssh-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key for --host.  [default: chosen by ssh]",
)
@click.option(
    "--known-hosts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the known host keys.  [default: the user's]",
)
@click.option(
    "--remote-python",
    metavar="PATH",
    help="Python on --host with this version of edge-mnist.  [default: a new environment for each run]",
)
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Wheel that --host installs.  [default: built from this checkout]",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(list(ENGINES)),
    metavar="NAME",
    help="Measure on this runtime only. May be repeated.  [default: all; see --list-targets]",
)
@click.option(
    "--stable-only",
    is_flag=True,
    help="Leave out latencies measured while the machine was busy or changed its clock. Accuracies stay, and the "
    "report lists what was left out and why.",
)
@click.option(
    "--list-targets",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_targets,
    help="List the runtimes available here, and how to install the others.",
)
@out_option
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report with all raw values instead of tables.")
@click.option("--photos", hidden=True, callback=_name_photos, expose_value=False)
def benchmark(  # noqa: PLR0913, PLR0917 - an argument for each option
    bundle: Path,
    data_dir: Path | None,
    quick: bool,
    rounds: int | None,
    calls: int | None,
    seconds: float | None,
    threads: tuple[int, ...],
    batches: tuple[int, ...],
    seed: int,
    peers: tuple[Path, ...],
    peer_inputs: tuple[str, ...],
    peer_outputs: tuple[str, ...],
    old_runtime: bool,
    hosts: tuple[str, ...],
    ssh_key: Path | None,
    known_hosts: Path | None,
    remote_python: str | None,
    wheel: Path | None,
    targets: tuple[str, ...],
    stable_only: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Measure each file of a bundle on each runtime installed here, and other projects' models beside them.

    Accuracy is reported with its 95 % interval and the paired drop against float. Latency is measured in fresh
    processes in random order: back to back, at a camera's rate, and with several images per call. The report also has
    the overhead of this package's layer, load time, memory, and energy where the machine has a counter. Without
    BUNDLE, the shipped model is measured. A target that cannot be measured is listed with the reason.

    \b
    Examples:
      edge-mnist benchmark
      edge-mnist benchmark my-model --rounds 10 --calls 5000 --out reports
      edge-mnist benchmark --quick --peer theirs.tflite --peer-input float01
      edge-mnist benchmark --target litert --threads 1 --stable-only
      edge-mnist benchmark --peer a.onnx --peer-input 0.1/0.3 --peer-output y
      edge-mnist benchmark --list-targets
      edge-mnist benchmark photos my-photos
      edge-mnist benchmark report pi/standard.json --out reports
      edge-mnist benchmark compare before.json after.json
    """
    described = pair_peers(peers, peer_inputs, peer_outputs)
    opened = open_bundle(bundle)
    for host in hosts:
        parse_host(host)
    check_writable(out)
    if old_runtime:
        make_old_runtime()
    given = {"rounds": rounds, "calls": calls, "seconds": seconds, "threads": [*threads], "batches": [*batches],
             "runtimes": [*targets]}  # fmt: skip
    chosen = {name: value for name, value in given.items() if value}
    held_out = held_out_images(opened.card.training.dataset if opened.card.training else None, data_dir)
    results = run_on_all_machines(
        opened,
        held_out,
        msgspec.structs.replace(QUICK if quick else FULL, seed=seed, **chosen),
        described,
        hosts,
        RemoteOptions(ssh=SshOptions(key=ssh_key, known_hosts=known_hosts), python=remote_python, wheel=wheel),
    )
    if stable_only:
        results = leave_out_doubtful(results)
    (_show_raw if find_missing_package() else _show)(results, out, choose_evaluation(opened, held_out)[0], as_json)
    if results.unreachable:
        # The report has everything else; the user who requested these machines must notice.
        raise click.ClickException(
            " ".join(f"{name} was not measured: {reason}" for name, reason in results.unreachable.items())
        )


def _show(results: Results, out: Path, images: Images, as_json: bool) -> None:
    """Print the tables and findings, and write all reports."""
    from ..report.report import write_reports  # noqa: PLC0415 - needs the extra `report`

    if as_json:
        _print_json(results)
    else:
        echo_text(format_tables(results, "simple"))
        echo_lines(["", *summarize_run(results)])
    echo(f"Reports: {', '.join(map(str, write_reports(results, out, images)))}", err=True)


def _show_raw(results: Results, out: Path, _images: Images, as_json: bool) -> None:
    """Print the tables without intervals, and write the raw values: all that the base installation can do."""
    if as_json:
        _print_json(results)
    else:
        echo_text(format_plain_tables(results))
        echo_lines(["", *describe_doubts(results)])
    path = out / f"{results.name}.json"
    write_all({path: encode_results(results)})
    echo(
        f"Raw values: {path}. For the page, with intervals and comparisons: pip install 'edge-mnist[report]', here or "
        f"on another machine, then edge-mnist benchmark report {path}",
        err=True,
    )


def _print_json(results: Results) -> None:
    echo_json(results)
    for doubt in doubt_peers(results):
        echo(f"Warning: {doubt}", err=True)
