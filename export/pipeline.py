"""The export itself: from a Keras model to a sealed bundle of verified files."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import SHIPPED, SOURCE_NAME, Bundle, describe_file, open_bundle, replacing, write_card
from ..edge.card import (
    Architecture,
    Export,
    Format,
    ModelCard,
    ModelFile,
    Precision,
    Tensor,
    Verification,
    count_macs,
)
from ..edge.classifiers import RUNTIMES, load_file
from ..edge.errors import EdgeMnistError
from ..edge.golden import pack_pixels
from ..edge.mnist import Images, first_per_digit, held_out_images
from . import onnx, tflite
from .calibrate import ExportError, choose_calibration, describe_calibration
from .source import load_source
from .verify import Reference, keras_reference, pack_references, verify

REFERENCE_NAME = "reference.npz"
TOOLS = ("edge-mnist", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")


@dataclass(frozen=True)
class Exporter:
    """A way to write a model.

    Attributes:
        convert: Makes the file from the Keras model, and from the calibration images where it quantizes.
        describe: Reads input and output back from the file.
        runtime: The one that the file is verified in.
    """

    format: Format
    precision: Precision
    convert: Callable[[keras.Model, Images], bytes]
    describe: Callable[[bytes], tuple[Tensor, Tensor]]
    runtime: str


EXPORTERS = (
    Exporter("tflite", "float32", tflite.convert_float32, tflite.describe_tensors, "litert"),
    Exporter("tflite", "int8", tflite.convert_int8, tflite.describe_tensors, "litert"),
    Exporter("onnx", "float32", onnx.convert_float32, onnx.describe_tensors, "onnxruntime"),
    Exporter("onnx", "int8", onnx.convert_int8, onnx.describe_tensors, "onnxruntime"),
)


@dataclass(frozen=True)
class Source:
    """What is to be exported: a bundle, or a lone `.keras` file."""

    path: Path
    bundle: Bundle | None

    @property
    def default_out(self) -> Path:
        """A bundle of one's own is extended in place; the shipped one and a lone file get a folder here."""
        return self.path if self.bundle and self.path != SHIPPED else Path(bundle_name(self.path))

    @property
    def trained_on(self) -> str | None:
        """The name of the training data, None where nobody knows."""
        return self.bundle.card.training.dataset if self.bundle and self.bundle.card.training else None

    def read(self) -> bytes:
        """The `.keras` file's bytes."""
        return self.bundle.read(self.bundle.card.source) if self.bundle else self.path.read_bytes()


def bundle_name(path: Path) -> str:
    """A name for a model's files, from its path: what is not a letter, digit, dot or dash becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("._-") or "model"


def find_source(path: Path | None) -> Source:
    """Decide what a path means; without one, the shipped bundle.

    Raises:
        ExportError: There is nothing, or something that is neither a bundle nor a `.keras` file.
        ModelCardError: A bundle whose card or hashes do not hold.
    """
    if path is None:
        return Source(SHIPPED, open_bundle(SHIPPED))
    if path.is_dir():
        return Source(path, open_bundle(path))
    if not path.is_file():
        raise ExportError(f"{path}: no such file or folder. Expected a bundle or a .keras file.")
    if path.suffix != ".keras":
        raise ExportError(
            f"{path}: expected a bundle or a .keras file. (HDF5, .h5, can run code when loaded, whatever Keras is "
            "asked; if you trust yours, convert it: keras.models.load_model(...).save('model.keras').)"
        )
    return Source(path, None)


def export_bundle(source: Source, precisions: tuple[Precision, ...], out: Path, data_dir: Path | None) -> ModelCard:
    """Convert, verify and write, all or nothing.

    Args:
        source: The model.
        precisions: What to write, in both formats.
        out: The bundle's folder; an older bundle there is replaced once the new one is complete.
        data_dir: Where MNIST lies, see `load_mnist`.

    Returns:
        The card that was written.

    Raises:
        ExportError: A file would not be what its card promises.
        ModelCardError: `out` cannot be written.
        RuntimeUnavailableError: A runtime cannot run its file.
    """
    with replacing(out) as folder:
        (folder / SOURCE_NAME).write_bytes(source.read())
        model = load_source(folder / SOURCE_NAME, shown_as=source.path)
        base = source.bundle.card if source.bundle else _card_of_unknown(model, source, folder)
        held_out = held_out_images(source.trained_on, data_dir)
        _say("Running the Keras model over " + " and ".join(images.name for images in held_out.evaluations))
        references = [keras_reference(model, images) for images in held_out.evaluations]
        (folder / REFERENCE_NAME).write_bytes(pack_references(references))
        calibration = choose_calibration(held_out.calibration_pool)
        golden = calibration.pixels[first_per_digit(calibration.labels, 1)]
        inputs = _Inputs(model, base.name, calibration, references[0], golden)
        export = Export(
            evaluations=tuple(reference.describe(held_out.certain) for reference in references),
            calibration=describe_calibration(calibration) if "int8" in precisions else None,
            reference=describe_file(folder, REFERENCE_NAME),
            golden_pixels=pack_pixels(golden),
            files=tuple(_write(exporter, inputs, folder) for exporter in EXPORTERS if exporter.precision in precisions),
            tools={name: version(name) for name in TOOLS},
        )
        card = msgspec.structs.replace(base, source=describe_file(folder, SOURCE_NAME), export=export)
        write_card(folder, card)
    return card


@dataclass(frozen=True)
class _Inputs:
    """What every exporter works from."""

    model: keras.Model
    name: str
    calibration: Images
    reference: Reference
    golden: NDArray[np.uint8]


def _write(exporter: Exporter, inputs: _Inputs, folder: Path) -> ModelFile:
    """Convert with one exporter, put the file into the folder, and verify what lies there."""
    file_name = f"{inputs.name}-{exporter.precision}.{exporter.format}"
    _say(f"Writing and verifying {file_name}")
    content = _convert(exporter, inputs, file_name)
    (folder / file_name).write_bytes(content)
    pixels, logits = exporter.describe(content)
    unverified = ModelFile(
        record=describe_file(folder, file_name),
        format=exporter.format,
        precision=exporter.precision,
        input=pixels,
        output=logits,
        verification=Verification(runtime="", correct=0, agreeing=0, max_logit_difference=0.0),
        golden_logits=(),
    )
    runtime = RUNTIMES[exporter.runtime]
    classifier = load_file(runtime, content, unverified)
    return msgspec.structs.replace(
        unverified,
        verification=verify(classifier, runtime, unverified, inputs.reference),
        golden_logits=tuple(map(tuple, classifier.logits(inputs.golden).tolist())),
    )


def _convert(exporter: Exporter, inputs: _Inputs, file_name: str) -> bytes:
    try:
        return exporter.convert(inputs.model, inputs.calibration)
    except EdgeMnistError:
        raise
    except Exception as error:
        # The converters raise what they like, of several packages, for a layer that they do not know.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{file_name}: this model cannot be converted ({reason}). Nothing was written.") from error


def _card_of_unknown(model: keras.Model, source: Source, folder: Path) -> ModelCard:
    """A card for a model that came without one: nothing is known of its training."""
    name = bundle_name(source.path)
    return ModelCard(
        name=name,
        architecture=Architecture(name=name, parameters=model.count_params(), macs=count_macs(model.layers)),
        source=describe_file(folder, SOURCE_NAME),
        training=None,
    )


def _say(line: str) -> None:
    click.echo(f"{line} …", err=True)
