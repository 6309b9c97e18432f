"""Read on a Ray cluster: the same rows as on the cores of one machine, from actors with a reader each.

Ray Data moves batches to actors and their rows back, and reads again what was lost with a machine.
"""

import itertools
import logging
import os
import pickle
import re
import socket
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ...common.errors import EdgeMnistError, MissingPackageError
from ...common.network.time_limits import CONNECT_S
from ...media.lazy_sources import NamedInput
from .formats import load_pyarrow
from .pool import ChunkSizer
from .rows import InputRows, read_rows
from .worker import ReaderSettings

# Inputs that are read here first, so that their pixels are known, by which batches are sized.
SAMPLE = 4


class ItemReader:
    """One actor: a reader, which reads batches of inputs into rows."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._reader = settings.load()

    def __call__(self, batch: Any) -> Any:
        """Read a table of inputs; return a table of the inputs with their results."""
        items = batch.column("item").to_pylist()
        results = [pickle.dumps(read_rows(self._reader, pickle.loads(item))) for item in items]  # noqa: S301 - the driver's
        return load_pyarrow("--engine ray").table({"item": items, "result": results})


def read_on_ray(
    inputs: Iterator[NamedInput], settings: ReaderSettings, jobs: int | None, address: str | None
) -> Iterator[tuple[NamedInput, InputRows]]:
    """Yield each input with its rows, in the order in which they are read.

    Args:
        inputs: Inputs that every machine can read: paths of a shared folder, or addresses.
        settings: How each actor loads its reader.
        jobs: Number of actors, one core each; None for as many as the cluster has cores.
        address: Address of the cluster; None starts one on this machine.

    Raises:
        MissingPackageError: Ray is not installed.
        EdgeMnistError: The cluster cannot be reached, or ended.
    """
    reader, sizer = settings.load(), ChunkSizer()
    for item in itertools.islice(inputs, SAMPLE):
        result = read_rows(reader, item)
        sizer.add([result])
        yield item, result
    first = next(inputs, None)
    if first is None:
        return
    ray = _connect(address)
    try:
        rows = _read(ray, itertools.chain([first], inputs), settings, jobs, sizer.size)
        for batch in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
            for item, result in zip(batch.column("item"), batch.column("result"), strict=True):
                yield pickle.loads(item.as_py()), pickle.loads(result.as_py())  # noqa: S301 - of our own actors
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise EdgeMnistError(f"Ray could not finish ({reason}). Repeat the command with --resume.") from error
    finally:
        ray.shutdown()


def _read(ray: Any, inputs: Iterator[NamedInput], settings: ReaderSettings, jobs: int | None, size: int) -> Any:
    """Make the data set of results, which is computed when it is iterated over."""
    pyarrow = load_pyarrow("--engine ray")
    blocks = []
    while items := list(itertools.islice(inputs, size)):
        blocks.append(pyarrow.table({"item": [pickle.dumps(item) for item in items]}))
    actors = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
    return ray.data.from_arrow(blocks).map_batches(
        ItemReader,
        fn_constructor_args=(settings,),
        batch_size=size,
        batch_format="pyarrow",
        # The fewest that may be there: an actor of a lost machine may have no place any more.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
        num_cpus=1,
    )


def _connect(address: str | None) -> Any:
    # No statistics leave the machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        raise MissingPackageError("--engine ray needs the package ray: pip install 'edge-mnist[ray]'") from error
    try:
        if address is not None and re.fullmatch(r"[^:/]+:\d+", address):
            # Ray would end this process when nothing answers.
            host, _, port = address.partition(":")
            socket.create_connection((host, int(port)), CONNECT_S).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        # It raises them all, plain `Exception` too.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        where = "on this machine cannot be started" if address is None else f"at {address} cannot be reached"
        raise EdgeMnistError(f"A Ray cluster {where}: {reason}. `ray start --head` starts one.") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
