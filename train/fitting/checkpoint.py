"""The file that an interrupted run resumes from: every variable, every random state, and the best weights so far."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.training_record import Epoch
from ...edge.common.files import atomic_file, open_file
from ...edge.common.npz import read_npz
from ...edge.common.processes.child import first_line
from ...edge.common.terminal.verbosity import note
from ..errors import TrainError

MOST_OTHER_BYTES = 1_000_000


@dataclass
class TrainingProgress:
    """The progress of a run, and the best weights so far. Epochs count from 1."""

    history: list[Epoch]
    best_epoch: int
    best_weights: list[NDArray[np.float32]]

    def add(self, epoch: Epoch, weights: list[NDArray[np.float32]]) -> None:
        """Record a finished epoch; keep its weights if they are the best on validation."""
        self.history.append(epoch)
        if best_epoch(self.history) == len(self.history):
            self.best_epoch, self.best_weights = len(self.history), weights


def best_epoch(history: list[Epoch]) -> int:
    """Find the epoch with most validation images right, and the lowest validation loss among equals. Counted from 1."""
    return 1 + max(range(len(history)), key=lambda i: (history[i].validation_accuracy, -history[i].validation_loss))


def save_state(path: Path, variables: list[Any], progress: TrainingProgress, identity: dict[str, Any]) -> None:
    """Write the state completely, or leave the earlier file.

    Raises:
        TrainError: The file cannot be written.
    """
    arrays: dict[str, Any] = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    arrays |= {f"best_{i}": weights for i, weights in enumerate(progress.best_weights)}
    history = np.array([[getattr(epoch, field) for field in Epoch.__struct_fields__] for epoch in progress.history])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            np.savez(file, identity=_encode(identity), history=history, best_epoch=progress.best_epoch, **arrays)
    except OSError as error:
        raise TrainError(
            f"{path}: the training state cannot be written ({error.strerror}). Free disk space or choose "
            "another --out, and repeat the command."
        ) from error


def load_state(
    path: Path, variables: list[Any], identity: dict[str, Any], weights: list[NDArray[np.float32]]
) -> TrainingProgress:
    """Restore the variables to the point of interruption; without a file, return the progress of a fresh run.

    Args:
        path: The resume file.
        variables: All variables that the run changes.
        identity: The settings of the run, which must equal those in the file.
        weights: The model's weights, which have the shapes of the best ones in the file.

    Raises:
        TrainError: The file belongs to a run with other settings, or is damaged.
    """
    if not os.path.lexists(path):
        return TrainingProgress([], 0, [])
    if not path.is_file():
        raise TrainError(
            f"{path}: expected the training state of a run, found a folder or device. Remove it to start again."
        )
    # All variables, the best weights, which are some of them, and a few figures per epoch.
    most_bytes = 2 * sum(8 * math.prod(variable.shape) for variable in variables) + MOST_OTHER_BYTES
    try:
        with open_file(path) as file:
            progress = _restore(path, read_npz(file, most_bytes), variables, identity)
        if [one.shape for one in progress.best_weights] != [one.shape for one in weights]:
            raise ValueError("its best weights belong to another model")
    except TrainError:
        raise
    except Exception as error:
        # The file may hold anything: nested JSON, invalid numbers, arrays of other shapes.
        raise TrainError(f"{path}: is not a training state ({first_line(error)}). Delete it to start again.") from error
    note(f"Resuming after epoch {len(progress.history)}: {path}")
    return progress


def _restore(path: Path, state: Mapping[str, Any], variables: list[Any], identity: dict[str, Any]) -> TrainingProgress:
    _check_identity(path, json.loads(str(state["identity"])), json.loads(_encode(identity)))
    for i, variable in enumerate(variables):
        variable.assign(state[f"variable_{i}"])
    best_weights = [state[f"best_{i}"] for i in range(sum(name.startswith("best_") for name in state) - 1)]
    history = [Epoch(**dict(zip(Epoch.__struct_fields__, row, strict=True))) for row in state["history"].tolist()]
    if not np.isfinite(state["history"]).all():
        raise ValueError("its losses are not finite")
    progress = TrainingProgress(history, int(state["best_epoch"]), best_weights)
    if not 1 <= progress.best_epoch <= len(history):
        raise ValueError(f"epoch {progress.best_epoch} of {len(history)} is marked as the best")
    return progress


def _encode(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)


def _check_identity(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    differing = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
    if differing:
        raise TrainError(
            f"{path}: belongs to an interrupted run with other settings ({', '.join(differing)}). Repeat the "
            "options of that run to resume it, or delete the file."
        )
