"""The options that name other projects' models, and what they read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from .job import PeerInput
from .peers import Peer, describe_peer

_peer_input = click.option(
    "--peer-input",
    "peer_inputs",
    type=click.Choice(get_args(PeerInput)),
    multiple=True,
    help="What it reads, 0 being paper: pixels / 255, pixels as floats, or pixels. Once for each peer, or for all.",
)


def peer_options(files: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `--peer` and `--peer-input`: its arguments `peers` and `peer_inputs`.

    Args:
        files: Which ones it measures, for its help.
    """
    peer = click.option(
        "--peer",
        "peers",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        help=f"Another project's {files} file, measured beside ours. May be given several times.",
    )
    return lambda command: peer(_peer_input(command))


def pair_peers(peers: Sequence[Path], inputs: Sequence[PeerInput]) -> list[Peer]:
    """Each peer with what it reads.

    Raises:
        UsageError: There are not as many of one as of the other.
        PeerError: A file is no model, or cannot be read.
    """
    if (peers and len(inputs) not in {1, len(peers)}) or (inputs and not peers):
        raise click.UsageError(
            f"--peer-input goes with --peer, once for all or once for each: {len(peers)} and {len(inputs)} given."
        )
    each = inputs if len(inputs) == len(peers) else (*inputs,) * len(peers)
    return [describe_peer(*one) for one in zip(peers, each, strict=True)]
