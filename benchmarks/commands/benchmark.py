"""`edge-mnist benchmark`: parse, measure, print the tables, write the reports."""

import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ...edge.bundle.folder import open_bundle
from ...edge.bundle.shipped import SHIPPED
from ...edge.commands.options import BUNDLE, GroupedCommand, add_verbosity, data_dir_option, option_group
from ...edge.common.files import check_writable, write_all
from ...edge.common.terminal.output import echo, echo_json, echo_lines, echo_text
from ...edge.common.terminal.tables import format_table
from ...edge.common.terminal.verbosity import note
from ...edge.data.held_out import held_out_images
from ...edge.data.images import Images
from ..measuring.accuracy import choose_evaluation
from ..remote.machines import RemoteOptions, run_on_all_machines
from ..remote.ssh import parse_host
from ..report.summary import describe_doubts, doubt_peers, summarize_run
from ..report.tables import format_plain_tables, format_tables
from ..results.files import encode_results
from ..results.findings import leave_out_doubtful
from ..results.schema import BenchmarkSettings, Results
from ..targets.old_runtime import make_old_runtime
from ..targets.peers import Peer
from ..targets.targets import list_offers
from .options import (
    find_missing_package,
    peer_options,
    remote_options,
    reports_option,
    require_report_packages,
    setting_options,
    summary_option,
)


class CommandWithSubcommands(GroupedCommand):
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
            subcommand = add_verbosity(getattr(import_module(module, __package__), function))
            return subcommand.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command that the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands below the options."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.subcommands.items()])


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


_LIST_TARGETS = click.option(
    "--list-targets",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_targets,
    help="List the runtimes available here, and how to install the others.",
)
_OLD_RUNTIME = click.option(
    "--old-runtime",
    is_flag=True,
    help="Make an environment with tflite-runtime 2.14 if there is none. Later runs measure it, too.",
)


@click.command(cls=Benchmark)
@click.argument("bundle", type=BUNDLE, default=SHIPPED, required=False)
@setting_options
@data_dir_option
@peer_options(".tflite or .onnx")
@option_group("Runtimes", _LIST_TARGETS, _OLD_RUNTIME)
@remote_options
@click.option(
    "--stable-only",
    is_flag=True,
    help="Leave out latencies measured while the machine was busy or changed its clock. Accuracies stay, and the "
    "report lists what was left out and why.",
)
@summary_option
@reports_option
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report with all raw values instead of tables.")
@click.option("--photos", hidden=True, callback=_name_photos, expose_value=False)
def benchmark(  # noqa: PLR0913 - an argument for each group of options
    *,
    bundle: Path,
    settings: BenchmarkSettings,
    data_dir: Path | None,
    peers: list[Peer],
    old_runtime: bool,
    hosts: tuple[str, ...],
    remote: RemoteOptions,
    stable_only: bool,
    summary: bool,
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
      edge-mnist benchmark --target litert --threads 1 --stable-only --summary
      edge-mnist benchmark --peer a.onnx --peer-input 0.1/0.3 --peer-output y
      edge-mnist benchmark --list-targets
      edge-mnist benchmark photos my-photos
      edge-mnist benchmark report pi/standard.json --out reports
      edge-mnist benchmark compare before.json after.json
    """
    if summary:
        require_report_packages()
    opened = open_bundle(bundle)
    for host in hosts:
        parse_host(host)
    check_writable(out)
    if old_runtime:
        make_old_runtime()
    held_out = held_out_images(opened.card.training.dataset if opened.card.training else None, data_dir)
    results = run_on_all_machines(opened, held_out, settings, peers, hosts, remote)
    if stable_only:
        results = leave_out_doubtful(results)
    (_show_raw if find_missing_package() else _show)(results, out, choose_evaluation(opened, held_out)[0], as_json)
    if summary:
        _write_summary(results, out)
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
    note(f"Reports: {', '.join(map(str, write_reports(results, out, images)))}")


def _write_summary(results: Results, out: Path) -> None:
    from ..report.report import write_summary  # noqa: PLC0415 - needs the extra `report`

    note(f"Summary: {write_summary(results, out)}")


def _show_raw(results: Results, out: Path, _images: Images, as_json: bool) -> None:
    """Print the tables without intervals, and write the raw values: all that the base installation can do."""
    if as_json:
        _print_json(results)
    else:
        echo_text(format_plain_tables(results))
        echo_lines(["", *describe_doubts(results)])
    path = out / f"{results.name}.json"
    write_all({path: encode_results(results)})
    note(
        f"Raw values: {path}. For the page, with intervals and comparisons: pip install 'edge-mnist[report]', here or "
        f"on another machine, then edge-mnist benchmark report {path}",
    )


def _print_json(results: Results) -> None:
    echo_json(results)
    for doubt in doubt_peers(results):
        echo(f"Warning: {doubt}", err=True)
