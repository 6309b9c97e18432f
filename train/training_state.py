"""The file that an interrupted run resumes from: every variable, every random state, and the best weights so far."""

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..edge.card import Epoch
from ..edge.errors import EdgeMnistError
from ..edge.output import echo
from ..edge.regular_files import open_file
from ..edge.whole_files import writing_whole


class ResumeError(EdgeMnistError):
    """An interrupted run lies there, but not of this model, recipe, backend, data, teachers or devices."""


@dataclass
class Progress:
    """How far a run has come, and the best weights so far. Epochs count from 1."""

    history: list[Epoch]
    best_epoch: int
    best_weights: list[NDArray[np.float32]]

    def add(self, epoch: Epoch, weights: list[NDArray[np.float32]]) -> None:
        """An epoch has ended; its weights are kept if validation likes them best."""
        self.history.append(epoch)
        if best_epoch(self.history) == len(self.history):
            self.best_epoch, self.best_weights = len(self.history), weights


def best_epoch(history: list[Epoch]) -> int:
    """Most validation images right; among equals the lowest validation loss. Counted from 1."""
    return 1 + max(range(len(history)), key=lambda i: (history[i].validation_accuracy, -history[i].validation_loss))


def save_state(path: Path, variables: list[Any], progress: Progress, identity: dict[str, Any]) -> None:
    """Write all of it, or leave what was there.

    Raises:
        ResumeError: It cannot be written.
    """
    arrays: dict[str, Any] = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    arrays |= {f"best_{i}": weights for i, weights in enumerate(progress.best_weights)}
    history = np.array([[getattr(epoch, field) for field in Epoch.__struct_fields__] for epoch in progress.history])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_whole(path) as file:
            np.savez(file, identity=_encode(identity), history=history, best_epoch=progress.best_epoch, **arrays)
    except OSError as error:
        raise ResumeError(
            f"{path}: the state of this run cannot be written ({error.strerror}). Make room, or choose another --out, "
            "and repeat the command."
        ) from error


def load_state(path: Path, variables: list[Any], identity: dict[str, Any]) -> Progress:
    """Put the variables back to where the run was interrupted; without a file, a run that has not begun.

    Raises:
        ResumeError: The file is of a run with other settings, or damaged.
    """
    if not os.path.lexists(path):
        return Progress([], 0, [])
    try:
        with open_file(path) as file, np.load(file, allow_pickle=False) as state:
            progress = _restore(path, state, variables, identity)
    except ResumeError:
        raise
    except (EdgeMnistError, OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ResumeError(f"{path}: is not the state of a run ({error}). Delete it to begin anew.") from error
    echo(f"Resuming after epoch {len(progress.history)}: {path}", err=True)
    return progress


def _restore(path: Path, state: Mapping[str, Any], variables: list[Any], identity: dict[str, Any]) -> Progress:
    _check_identity(path, json.loads(str(state["identity"])), json.loads(_encode(identity)))
    for i, variable in enumerate(variables):
        variable.assign(state[f"variable_{i}"])
    best_weights = [state[f"best_{i}"] for i in range(sum(name.startswith("best_") for name in state) - 1)]
    history = [Epoch(**dict(zip(Epoch.__struct_fields__, row, strict=True))) for row in state["history"].tolist()]
    return Progress(history, int(state["best_epoch"]), best_weights)


def _encode(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)


def _check_identity(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    differing = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
    if differing:
        raise ResumeError(
            f"{path}: an interrupted run with other settings ({', '.join(differing)}). Repeat its options to resume "
            "it, or delete the file."
        )
