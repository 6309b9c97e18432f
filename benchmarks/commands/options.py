"""Options that several commands share, and the check for the packages of reports."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import click

from ...edge.bundle.contract import Precision
from ...edge.bundle.shipped import SHIPPED
from ...edge.commands.options import BUNDLE
from ...edge.runtimes.registry import RUNTIMES
from ..results.peer_inputs import CONVENTIONS, EXPECTED, INVERTED, parse_convention
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


out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder for the reports."
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the JSON report instead of tables.")


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--out` and `--json`: arguments `out` and `as_json`."""
    return out_option(json_option(command))


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


def peer_options(files: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `--peer`, `--peer-input` and `--peer-output`: arguments `peers`, `peer_inputs`, `peer_outputs`.

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
    return lambda command: peer(_peer_input(_peer_output(command)))


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
