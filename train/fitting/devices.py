"""One or several devices, of one or several machines: each batch is shared out, and all have the same weights.

JAX uses `keras.distribution`, TensorFlow uses `tf.distribute`. Several machines need JAX: under TensorFlow's
MultiWorkerMirroredStrategy, Keras 3.15 fails when it reduces the first batch. Only the network in training lives on all
devices; the evaluated one is a plain copy, so only the training step depends on the devices.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import TrainError
from ..recipe import ALL

# Keras reads this variable to connect machines that run JAX.
JAX_ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"


@dataclass(frozen=True)
class Devices:
    """The devices that compute a batch.

    Attributes:
        count: Number of devices over all machines.
        rank: Index of this process among `processes`, one per machine; the first writes the bundle.
        strategy: TensorFlow's strategy, or the distribution of Keras on JAX; None for one device.
    """

    count: int = 1
    rank: int = 0
    processes: int = 1
    strategy: Any = field(default=None, repr=False)

    @contextmanager
    def share(self) -> Iterator[None]:
        """Make variables on all devices and run steps on all, within the block."""
        if self.strategy is None:
            yield
        elif keras.backend.backend() == "tensorflow":
            with self.strategy.scope():
                yield
        else:
            keras.distribution.set_distribution(self.strategy)
            try:
                yield
            finally:
                keras.distribution.set_distribution(None)

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that cannot be shared evenly.

        Raises:
            TrainError: The number of devices does not divide it.
        """
        if batch_size % self.count:
            raise TrainError(f"expected a --batch-size that {self.count} devices can share evenly, got {batch_size}.")

    def own_part(self, count: int, batch_size: int) -> NDArray[np.int64]:
        """Return which of `count` images this process feeds, in order: its part of each batch, without the last few."""
        places = np.arange(count - count % self.count)
        batches = np.split(places, range(batch_size, len(places), batch_size))
        return np.concatenate([np.split(batch, self.processes)[self.rank] for batch in batches])


def find_devices(asked: str) -> Devices:
    """Find the devices to use; must be called before TensorFlow or JAX computes anything.

    Args:
        asked: `all` (of all machines, if the environment names several), or a number of devices of this machine.

    Raises:
        TrainError: There are too few devices, or the backend cannot share a batch.
    """
    if asked == "1":
        return Devices()
    find = {"tensorflow": _find_with_tensorflow, "jax": _find_with_jax}.get(keras.backend.backend())
    if find is None:
        raise TrainError(
            f"--devices: on {keras.backend.backend()} only 1 device is supported. For more, set "
            "KERAS_BACKEND=jax or tensorflow."
        )
    return find(asked)


def _find_with_tensorflow(asked: str) -> Devices:
    import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

    if os.environ.get("TF_CONFIG"):
        raise TrainError(
            "TF_CONFIG names several machines, which needs KERAS_BACKEND=jax; see docs/guides/training.md."
        )
    names = [one.name for one in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")]
    chosen = _choose(names, asked)
    if len(chosen) == 1:
        return Devices()
    return Devices(len(chosen), strategy=tf.distribute.MirroredStrategy(chosen))


def _find_with_jax(asked: str) -> Devices:
    import jax  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - only where it is the backend

    if os.environ.get(JAX_ADDRESSES):
        keras.distribution.initialize()
        if asked != ALL:
            raise TrainError(f"--devices {asked}: with {JAX_ADDRESSES} only {ALL} is supported.")
    chosen = _choose(keras.distribution.list_devices(), asked)
    if len(chosen) == 1:
        return Devices()
    # Each process feeds its own part of the batch, see `own_part`.
    strategy = keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
    return Devices(len(chosen), jax.process_index(), jax.process_count(), strategy)


def _choose(names: list[str], asked: str) -> list[str]:
    if asked == ALL:
        return names
    if int(asked) > len(names):
        raise TrainError(
            f"--devices {asked}: expected at most {len(names)}, the number of devices here ({', '.join(names)})."
        )
    return names[: int(asked)]
