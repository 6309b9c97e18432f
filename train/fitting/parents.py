"""Bundles that a run learns from: the one whose weights it starts from, and teachers. All are verified when loaded.

A model must not have seen the images that validate it, so the training images of its ancestors count, too: the offline
sample is MNIST's validation split.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...edge.bundle.card import ModelCard
from ...edge.bundle.folder import SOURCE_NAME, Bundle, open_bundle
from ...edge.bundle.training_record import Ancestor
from ...edge.data.datasets import MNIST, SAMPLE
from ...edge.data.images import Splits
from ...edge.runtimes.keras_files import load_keras_file
from ..errors import TrainError

if TYPE_CHECKING:
    import keras  # not imported here, so that a wrong path is reported at once

HDF5 = frozenset({".h5", ".hdf5"})


@dataclass(frozen=True)
class Parent:
    """A loaded bundle: its float32 model, its entry for the new card, and the names of its classes."""

    model: "keras.Model"
    record: Ancestor
    labels: tuple[str, ...]


def open_parent(path: Path) -> Bundle:
    """Open a bundle and check its hashes.

    Raises:
        TrainError: The path is not the folder of a bundle.
        ModelCardError: Its card or hashes are wrong.
    """
    if path.suffix.lower() in HDF5:
        raise TrainError(
            f"{path}: expected a bundle written by edge-mnist train, got an HDF5 file. Keras may run code from "
            "HDF5 files, even in safe mode. Train the model again with edge-mnist train."
        )
    if not path.is_dir():
        raise TrainError(f"{path}: expected a bundle folder written by edge-mnist train.")
    return open_bundle(path)


def load_parent(path: Path, splits: Splits) -> Parent:
    """Open a bundle, check its hashes, and load its Keras model in safe mode.

    Args:
        path: The bundle's folder.
        splits: The images that the new model is trained and chosen on.

    Raises:
        TrainError: The bundle is not a trained one, or has seen the validation images.
        ModelCardError: Its card or hashes are wrong.
        EdgeMnistError: Its model cannot be loaded.
    """
    bundle = open_parent(path)
    record = _describe(path, bundle.card)
    if splits.name == MNIST and SAMPLE in record.datasets:
        raise TrainError(
            f"{path}: was trained on {SAMPLE}, which is {MNIST}'s validation split. Train it on {MNIST} first."
        )
    model = load_keras_file(bundle.read(bundle.card.source), str(path / SOURCE_NAME))
    return Parent(model, record, bundle.card.labels)


def load_teachers(paths: tuple[Path, ...], splits: Splits) -> tuple[Parent, ...]:
    """Load bundles with the same classes.

    Raises:
        TrainError: A bundle cannot be learned from, or has other classes.
        ModelCardError: The card or hashes of a bundle are wrong.
    """
    teachers = tuple(load_parent(path, splits) for path in paths)
    for path, teacher in zip(paths, teachers, strict=True):
        if teacher.labels != splits.labels:
            raise TrainError(
                f"{path}: expected a teacher of the classes {', '.join(splits.labels)}, got one of "
                f"{', '.join(teacher.labels)}."
            )
    return teachers


def inherit_weights(model: "keras.Model", parent: Parent, labels: tuple[str, ...]) -> list[str]:
    """Copy the weights of all layers whose name and shapes agree.

    Args:
        model: A freshly built model.
        parent: The bundle that it starts from.
        labels: The classes to learn; if they are not the parent's, the last layer keeps its random weights.

    Returns:
        The names of the layers that keep their random weights.

    Raises:
        TrainError: No layer agrees.
    """
    learned: dict[str, Any] = {layer.name: layer for layer in parent.model.layers if layer.weights}
    if labels != parent.labels:
        learned.pop(model.layers[-1].name, None)
    random_layers = []
    for layer in (layer for layer in model.layers if layer.weights):
        weights = learned[layer.name].get_weights() if layer.name in learned else []
        if [one.shape for one in weights] == [tuple(one.shape) for one in layer.weights]:
            layer.set_weights(weights)
        else:
            random_layers.append(layer.name)
    if len(random_layers) == sum(bool(layer.weights) for layer in model.layers):
        raise TrainError(
            f"{parent.record.name}: none of its layers fits {model.name}. Choose the --model that this bundle "
            "was trained with."
        )
    return random_layers


def _describe(path: Path, card: ModelCard) -> Ancestor:
    training = card.training
    if training is None:
        raise TrainError(
            f"{path}: its card does not name its training data, so the validation images may be among them. "
            "Choose a bundle trained by edge-mnist."
        )
    parents = [*training.teachers, *([training.start] if training.start else [])]
    datasets = {training.dataset}.union(*(parent.datasets for parent in parents))
    return Ancestor(name=card.name, sha256=card.source.sha256, datasets=tuple(sorted(datasets)))
