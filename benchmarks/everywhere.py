"""A run on this machine and, after it, on others at once: one report of all of them."""

from collections.abc import Sequence

import msgspec

from ..edge.bundle import Bundle
from ..edge.mnist import HeldOut
from .peers import Peer
from .remote import RemoteOptions, RemoteResults, measure_remotely
from .results import Results, Settings
from .run import run_benchmark


def measure_everywhere(
    bundle: Bundle,
    held_out: HeldOut,
    settings: Settings,
    peers: Sequence[Peer],
    hosts: Sequence[str],
    options: RemoteOptions,
) -> Results:
    """Measure here, then there: packing for the others would disturb what is timed here.

    Args:
        bundle: What to measure.
        held_out: On these images.
        settings: How much.
        peers: Measured here only; other projects' files are not copied to other machines.
        hosts: As the user named them.
        options: How they are reached.

    Raises:
        SshError: A host is not named as hosts are.
        ModelCardError: The bundle lacks the reference for the images at hand.
    """
    results = run_benchmark(bundle, held_out, settings, peers)
    return add_machines(results, measure_remotely(hosts, bundle, held_out, settings, options)) if hosts else results


def add_machines(results: Results, remote: RemoteResults) -> Results:
    """Put what other machines found beside what this one did."""
    return msgspec.structs.replace(
        results,
        machines=[*results.machines, *remote.machines],
        rows=[*results.rows, *remote.rows],
        budgets=[*results.budgets, *remote.budgets],
        unreachable=remote.unreachable,
    )
