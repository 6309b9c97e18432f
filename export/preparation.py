"""What every exporter works from: the Keras model, its outputs on each set of images, and the card so far."""

from dataclasses import dataclass
from pathlib import Path

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.card import SCHEMA_VERSION, ModelCard
from ..edge.bundle.contract import ArchitectureRecord
from ..edge.bundle.export_record import Abstention, Calibration
from ..edge.bundle.folder import SOURCE_NAME
from ..edge.bundle.writing import describe_file
from ..edge.data.held_out import HeldOut, held_out_images
from ..edge.data.images import Images
from ..edge.data.picture_folder import PREFIX
from .adoption.convention import check_convention
from .adoption.model_source import ModelSource
from .adoption.source import load_source
from .calibration import choose_calibration, describe_calibration
from .drafts import Network
from .errors import ExportError
from .quantize.degrade import degrade, with_degraded
from .quantize.sweep import QuantizationImages, WeightVariants
from .settings import ExportSettings
from .verify import KerasReference, choose_abstention, keras_reference, pack_references

REFERENCE_NAME = "reference.npz"
# One image of each digit: the first turn of the calibration images.
GOLDEN_IMAGES = 10


@dataclass(frozen=True)
class ExportInputs:
    """The inputs that every exporter works from, and the card's description of them."""

    folder: Path
    card: ModelCard
    network: Network
    calibration_record: Calibration
    references: tuple[KerasReference, ...]
    certain: bool
    abstention: Abstention

    @property
    def reference(self) -> KerasReference:
        """The reference that the published figures are measured on."""
        return self.references[0]

    @property
    def golden(self) -> NDArray[np.uint8]:
        """The images that every file's exact outputs are recorded for, uint8 [10, 28, 28, 1]."""
        return self.network.images.calibration.pixels[:GOLDEN_IMAGES]


def prepare_export(source: ModelSource, folder: Path, data_dir: Path | None, settings: ExportSettings) -> ExportInputs:
    """Load the model and the images, run the Keras model on them, and write both into the new bundle.

    Args:
        source: The model to export.
        folder: The folder that becomes the bundle.
        data_dir: The folder with MNIST, see `load_mnist`.
        settings: What to write and how.

    Raises:
        ExportError: The model or its pictures are not what the source states.
        DataError: There are no images.
    """
    (folder / SOURCE_NAME).write_bytes(source.read())
    model = load_source(folder / SOURCE_NAME, source.path, source.convention)
    held_out = held_out_images(source.trained_on, data_dir)
    _check_pictures(source, held_out)
    calibration = choose_calibration(held_out.calibration_pool)
    check_convention(model, source.convention, calibration, source.path)
    references = tuple(keras_reference(model, images) for images in held_out.evaluations)
    (folder / REFERENCE_NAME).write_bytes(pack_references(references))
    validation = keras_reference(model, held_out.validation)
    base = source.bundle.card if source.bundle else _card_of_unknown(model, source, folder)
    return ExportInputs(
        folder=folder,
        card=msgspec.structs.replace(
            base, schema_version=SCHEMA_VERSION, source=describe_file(folder, SOURCE_NAME), export=None
        ),
        network=_take_images(model, calibration, validation, settings),
        calibration_record=describe_calibration(calibration, (held_out.validation, *held_out.evaluations)),
        references=references,
        certain=held_out.certain,
        abstention=choose_abstention(validation, base.export and base.export.abstention),
    )


def _take_images(
    model: keras.Model, calibration: Images, validation: KerasReference, settings: ExportSettings
) -> Network:
    """Collect what files are made from: the model and images, with degraded copies if the settings ask for them."""
    if settings.clean_calibration:
        return Network(model, WeightVariants(model, calibration), QuantizationImages(calibration, validation, None))
    degraded_validation = keras_reference(model, degrade(validation.images))
    images = QuantizationImages(calibration, validation, degraded_validation)
    return Network(model, WeightVariants(model, with_degraded(calibration)), images)


def _check_pictures(source: ModelSource, held_out: HeldOut) -> None:
    """Refuse training pictures that may have changed since training: the model may have seen any of them."""
    training = source.bundle.card.training if source.bundle else None
    if training and training.dataset.startswith(PREFIX) and training.train.sha256 != held_out.calibration_pool.sha256:
        raise ExportError(
            f"{source.path}: the pictures in --data-dir are not those that the model was trained on. Restore "
            "them, or train the model again."
        )


def _card_of_unknown(model: keras.Model, source: ModelSource, folder: Path) -> ModelCard:
    """Make a card for a model that has none: nothing is known of its training."""
    return ModelCard(
        name=source.name,
        # Counted in the exported graph once there is one.
        architecture=ArchitectureRecord(name=source.name, parameters=model.count_params(), macs=0),
        source=describe_file(folder, SOURCE_NAME),
        convention=source.convention,
        training=None,
    )
