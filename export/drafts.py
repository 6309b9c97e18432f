"""Draft files as the converters write them, before verification, and the files that could not be converted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.contract import PRECISION_KEY, FileRecord
from ..edge.bundle.export_record import LayerNoise, MissingFile, ModelFile, Verification
from ..edge.bundle.writing import describe_file
from ..edge.common.errors import EdgeMnistError
from ..edge.common.machine import count_cores
from ..edge.runtimes.registry import RUNTIMES, load_file
from .errors import ExportError
from .exporters import Exporter
from .quantize.sweep import QuantizationImages, Quantizer, WeightVariants, quantize

_UNVERIFIED = Verification(runtime="", correct=0, agreeing=0, lost=0, gained=0, max_logit_difference=0.0)
_UNWRITTEN = FileRecord(name="unwritten", sha256="0" * 64, size_bytes=0)
# The precision to suggest when a model cannot be converted to one.
INSTEAD = {
    "int8": "--float16 or --dynamic make the weights smaller, too",
    "int16x8": "--dynamic also has 8-bit weights",
    "dynamic": "--float16 halves the file size",
    "float16": "float32 keeps every value",
}


@dataclass(frozen=True)
class Network:
    """The network that files are made from.

    Attributes:
        model: Raw pixels in, logits out.
        weights: The model's weights, as trained and refined for quantization.
        images: Images to calibrate on and to choose by.
    """

    model: keras.Model
    weights: WeightVariants
    images: QuantizationImages


@dataclass(frozen=True)
class UnverifiedFile:
    """A file that is written but not verified yet."""

    exporter: Exporter
    content: bytes
    file: ModelFile


def make_drafts(
    exporters: Sequence[Exporter], network: Network, name: str, folder: Path, say: Callable[[str], None]
) -> tuple[list[UnverifiedFile], list[MissingFile]]:
    """Write every file that can be converted, labelled with its precision only.

    If a format's float32 file cannot be made, its other files are not tried: they are measured against it.

    Args:
        exporters: The exporters to run, float32 first in each format.
        network: The network that the files are made from.
        name: The model's name, used in the files' names.
        folder: The folder to write into.
        say: Called with a line of progress for each file.

    Returns:
        The files, and those that could not be made with their reasons.
    """
    drafts, missing = list[UnverifiedFile](), list[MissingFile]()
    for exporter in exporters:
        file_name = exporter.file_name(name)
        fails = [one for one in missing if one.name == f"{name}-float32.{exporter.format}"]
        if fails:
            missing.append(MissingFile(name=file_name, reason=f"{fails[0].name} could not be made"))
            continue
        say(f"Making {file_name}")
        try:
            drafts.append(_draft(exporter, network, file_name, folder))
        except ExportError as error:
            missing.append(MissingFile(name=file_name, reason=str(error)))
    return drafts, missing


def _draft(exporter: Exporter, network: Network, name: str, folder: Path) -> UnverifiedFile:
    try:
        content, facts = _convert(exporter, network)
        content = exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})
        described = describe_draft(exporter, content)
        if exporter.precision == "float16":
            _check_range(_classify(exporter, content, network.images.validation.images.pixels))
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # For an unsupported layer, the converters raise errors of many packages.
        reason = str(error) if isinstance(error, EdgeMnistError) else _explain(error)
        advice = f". {INSTEAD[exporter.precision]}" if exporter.precision in INSTEAD else ""
        raise ExportError(f"{reason.strip().rstrip('.')}{advice}") from error
    (folder / name).write_bytes(content)
    return UnverifiedFile(
        exporter, content, msgspec.structs.replace(described, record=describe_file(folder, name), **facts)
    )


def _check_range(logits: NDArray[np.float32]) -> None:
    """Refuse half precision for a network whose values exceed its range.

    Raises:
        ExportError: The logits of some digits are not finite, though they are in float32.
    """
    beyond = int((~np.isfinite(logits)).any(axis=1).sum())
    if beyond:
        raise ExportError(
            f"its values exceed 65,504, the largest in half precision, for {beyond} of {len(logits)} digits"
        )


def _explain(error: Exception) -> str:
    """Return the line of a converter's error that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    naming = [line for line in lines if "error: 'tf." in line or "not supported" in line.lower()]
    return f"the converter does not support this model ({(naming or lines)[0]:.300})"


def _convert(exporter: Exporter, network: Network) -> tuple[bytes, dict]:
    """Convert the network; return the file's content and the card's fields on its quantization."""
    if not isinstance(exporter.convert, Quantizer):
        return exporter.convert(network.model), {}
    classify = partial(_classify, exporter)
    content, record = quantize(exporter.convert, network.weights, network.images, classify)
    facts: dict[str, object] = {"quantization": record}
    if exporter.precision == "int8":
        facts["layers"] = _find_noise(exporter, network, content, record.chosen.weights)
        if found := exporter.tools.float_operators(content):
            facts["float_operators"] = found
    return content, facts


def _find_noise(exporter: Exporter, network: Network, content: bytes, kind: str) -> tuple[LayerNoise, ...]:
    """Measure the noise of each layer; empty if the tensors of the two networks cannot be matched."""
    pixels = network.images.validation.images.pixels
    try:
        return exporter.tools.noise(network.weights.before_rounding(kind), content, pixels)
    except (ValueError, RuntimeError, LookupError, TypeError):
        # Only figures of the report are lost, and the report says that they are missing.
        return ()


def _classify(exporter: Exporter, content: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits of a trial's file, computed in this process on all cores: nothing is timed here."""
    sealed = exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})
    file, runtime = describe_draft(exporter, sealed), RUNTIMES[exporter.tools.runtime]
    return load_file(runtime, sealed, file, count_cores()).logits(pixels)


def describe_draft(exporter: Exporter, content: bytes) -> ModelFile:
    """Describe a file before it has a name and is verified."""
    pixels, logits = exporter.tools.describe(content)
    return ModelFile(
        record=_UNWRITTEN,
        format=exporter.format,
        precision=exporter.precision,
        input=pixels,
        output=logits,
        min_runtime=exporter.tools.min_runtime(content),
        verification=_UNVERIFIED,
        golden_logits=(),
    )
