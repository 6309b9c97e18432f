"""Options that several commands share, and the check for the packages of reports."""

import functools
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import click

from ...edge.bundle.contract import Precision
from ...edge.bundle.shipped import SHIPPED
from ...edge.commands.options import BUNDLE, Decorator, FiniteRange, option_group, out_option
from ...edge.runtimes.registry import RUNTIMES
from ..measuring.settings import (
    FEWEST_CALLS,
    FEWEST_ROUNDS,
    FULL,
    MOST_SECONDS,
    QUICK,
    SMALLEST_BATCH,
    choose_settings,
)
from ..remote.machines import RemoteOptions
from ..remote.ssh import SshOptions
from ..results.peer_inputs import CONVENTIONS, EXPECTED, INVERTED, parse_convention
from ..targets.engines import ENGINES
from ..targets.peers import Peer, describe_peer

# The packages of the extra `report`: intervals and tests, pages, charts.
REPORT_PACKAGES = ("scipy", "jinja2", "matplotlib")


def find_missing_package() -> str | None:
    """Find a package that reports need and this machine lacks; None if it has all."""
    return next((name for name in REPORT_PACKAGES if find_spec(name) is None), None)


def require_report_packages() -> None:
    """Check that reports can be made here, before anything is measured for them.

    Raises:
        ClickException: A package is missing.
    """
    if missing := find_missing_package():
        command = click.get_current_context().info_name
        raise click.ClickException(f"{command} needs the package {missing}: pip install 'edge-mnist[report]'")


bundle_option = click.option(
    "--model",
    type=BUNDLE,
    default=SHIPPED,
    show_default="the shipped one",
    help="Bundle: a folder written by export, or the name of a shipped one.",
)


runtime_option = click.option(
    "--runtime", type=click.Choice(list(RUNTIMES)), help="Runtime.  [default: the first one installed, in this order]"
)


precision_option = click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="int8",
    show_default=True,
    help="Precision of the model file.",
)


reports_option = out_option(
    click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder for the reports."
)


summary_option = click.option(
    "--summary",
    is_flag=True,
    help="Also write NAME-summary.html, one page to print: which file to deploy here, its costs, and how sure that is.",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the JSON report instead of tables.")


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--out` and `--json`: arguments `out` and `as_json`."""
    return reports_option(json_option(command))


class ConventionType(click.ParamType):
    """The convention of a peer's input, as parsed by `parse_convention`."""

    name = "CONVENTION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text itself, after checking it."""
        try:
            parse_convention(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


_peer_input = click.option(
    "--peer-input",
    "peer_inputs",
    type=ConventionType(),
    multiple=True,
    help=f"Input convention of the peer, with 0 = paper: {', '.join(CONVENTIONS)} (with MNIST's mean 0.1307 and "
    f"deviation 0.3081: standardized), or a pair MEAN/DEVIATION of pixels in [0, 1]; {INVERTED} may follow "
    "each. Once for each peer, or once for all.",
)
_peer_output = click.option(
    "--peer-output",
    "peer_outputs",
    metavar="NAME",
    multiple=True,
    help="Output with the ten scores, if several outputs have ten numbers. Once for each peer, or once for all.",
)


def peer_options(files: str) -> Decorator:
    """Give a command `--peer`, `--peer-input` and `--peer-output`: one argument, `peers`, a list of `Peer`.

    Args:
        files: The files that it measures, for its help.
    """
    peer = click.option(
        "--peer",
        "peers",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        help=f"Another project's {files} file, measured beside ours. May be repeated.",
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gather(**answers: Any) -> None:
            take = answers.pop
            peers = pair_peers(take("peers"), take("peer_inputs"), take("peer_outputs"))
            command(**answers, peers=peers)

        return option_group("Other projects' models", peer, _peer_input, _peer_output)(gather)

    return add


_SETTINGS = (
    click.option("--quick", is_flag=True,
                 help="Measure fewer calls and processes, in less than a minute. The report is marked as quick."),
    click.option("--rounds", type=click.IntRange(min=FEWEST_ROUNDS),
                 help=f"Fresh processes per row.  [default: {FULL.rounds}; quick: {QUICK.rounds}]"),
    click.option("--calls", type=click.IntRange(min=FEWEST_CALLS),
                 help="Timed calls per process, after warming up.  "
                 f"[default: {FULL.calls}; quick: {QUICK.calls}]"),
    click.option("--seconds", type=FiniteRange(min=0, max=MOST_SECONDS, min_open=True),
                 help="Seconds after which a process makes no more timed calls.  "
                 f"[default: {FULL.seconds}; quick: {QUICK.seconds}]"),
    click.option("--threads", type=click.IntRange(min=0), multiple=True,
                 help="Threads of one inference; 0 is all processors. May be repeated.  "
                 "[default: 1 and 0; quick: 1]"),
    click.option("--batch", "batches", type=click.IntRange(min=SMALLEST_BATCH), multiple=True,
                 help="Also time calls with this number of images. May be repeated.  "
                 "[default: 8 and 32; quick: none]"),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                 help="Random seed of the order of processes."),
    click.option("--target", "runtimes", multiple=True, type=click.Choice(list(ENGINES)), metavar="NAME",
                 help="Measure on this runtime only. May be repeated.  [default: all; see --list-targets]"),
)  # fmt: skip


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a benchmark's extent: one argument, `settings`, a `BenchmarkSettings`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        several = {name: [*take(name)] for name in ("threads", "batches", "runtimes")}
        single = {name: take(name) for name in ("rounds", "calls", "seconds", "seed")}
        settings = choose_settings(take("quick"), **several, **single)
        command(**answers, settings=settings)

    return option_group("Extent", *_SETTINGS)(gather)


_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_REMOTE = (
    click.option("--host", "hosts", metavar="USER@HOST[:PORT]", multiple=True,
                 help="Also measure on this machine, over SSH with a key. May be repeated; machines measure at the "
                 "same time."),
    click.option("--ssh-key", type=_EXISTING, help="Private key for --host.  [default: chosen by ssh]"),
    click.option("--known-hosts", type=_EXISTING, help="File with the known host keys.  [default: the user's]"),
    click.option("--remote-python", metavar="PATH",
                 help="Python on --host with this version of edge-mnist.  [default: a new environment for each run]"),
    click.option("--wheel", type=_EXISTING,
                 help="Wheel that --host installs.  [default: built from this checkout]"),
)  # fmt: skip


def remote_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of other machines: two arguments, `hosts` and `remote`, a `RemoteOptions`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        ssh = SshOptions(key=take("ssh_key"), known_hosts=take("known_hosts"))
        remote = RemoteOptions(ssh=ssh, python=take("remote_python"), wheel=take("wheel"))
        command(**answers, remote=remote)

    return option_group("Other machines", *_REMOTE)(gather)


def pair_peers(peers: Sequence[Path], inputs: Sequence[str], outputs: Sequence[str]) -> list[Peer]:
    """Pair each peer with its input convention, and with the output that has its scores.

    Raises:
        UsageError: The numbers of peers, inputs and outputs differ.
        BenchmarkError: A file is not a model, or cannot be read.
    """
    if peers and not inputs:
        raise click.UsageError(f"--peer needs --peer-input: {EXPECTED}.")
    return [
        describe_peer(*one)
        for one in zip(
            peers, _for_each(peers, inputs, "--peer-input"), _for_each(peers, outputs, "--peer-output"), strict=True
        )
    ]


def _for_each(peers: Sequence[Path], values: Sequence[str], option: str) -> Sequence[Any]:
    """Return as many values as peers; None for all if there are no values."""
    if (values and len(values) not in {1, len(peers)}) or (values and not peers):
        raise click.UsageError(
            f"{option} must be given once for all peers or once for each --peer: got {len(values)} for "
            f"{len(peers)} peers."
        )
    return values if len(values) == len(peers) else [*(values or [None])] * len(peers)
