"""The export itself: from a Keras model to a sealed bundle of verified files."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import SOURCE_NAME, describe_file, replacing, write_card
from ..edge.card import (
    PRECISION_KEY,
    SCHEMA_VERSION,
    Architecture,
    Calibration,
    Export,
    FileRecord,
    ModelCard,
    ModelFile,
    Verification,
    count_macs,
)
from ..edge.classifiers import RUNTIMES, load_file
from ..edge.errors import EdgeMnistError
from ..edge.golden import check_golden, pack_pixels
from ..edge.host import count_cores, describe_machine, find_version
from ..edge.mnist import HeldOut, Images, held_out_images
from ..edge.picture_folder import PREFIX
from .abstain import choose_abstention
from .adopt import check_convention
from .c_array import to_c_source
from .calibrate import ExportError, choose_calibration, describe_calibration
from .exporters import Exporter
from .progress import Progress
from .properties import describe_properties
from .report import Evidence, format_report
from .settings import Settings, carry_over, choose_exporters
from .source import Source, load_source
from .sweep import Quantizer, Weights, quantize
from .verify import Reference, agree, check_drop, keras_reference, pack_references, run_apart, verify

REFERENCE_NAME, REPORT_NAME = "reference.npz", "report.html"
TOOLS = ("edge-mnist", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")
# One of each digit: the first turn of the calibration images.
GOLDEN_IMAGES = 10
_UNVERIFIED = Verification(runtime="", correct=0, agreeing=0, lost=0, gained=0, max_logit_difference=0.0)
_UNWRITTEN = FileRecord(name=REPORT_NAME, sha256="0" * 64, size_bytes=0)


def export_bundle(source: Source, settings: Settings, out: Path, data_dir: Path | None) -> ModelCard:
    """Convert, verify and write, all or nothing.

    Args:
        source: The model.
        settings: What to write and how. What a bundle that is extended in place has already is written again, too.
        out: The bundle's folder; an older bundle there is replaced once the new one is complete.
        data_dir: Where MNIST lies, see `load_mnist`.

    Returns:
        The card that was written.

    Raises:
        ExportError: A file would not be what its card promises, or drops more than the settings allow; then the report
            lies beside `out`.
        ModelCardError: `out` cannot be written.
        RuntimeUnavailableError: A runtime cannot run its file.
    """
    settings = carry_over(source, settings, out)
    exporters = choose_exporters(source, settings, out)
    with replacing(out) as folder, Progress(len(exporters) + 3) as progress:
        progress.step("Running the Keras model")
        work = _prepare(source, folder, data_dir)
        drafts = [_draft(exporter, work, progress) for exporter in exporters]
        progress.step("Verifying every file in a process of its own")
        card, evidence = _verify(work, drafts)
        progress.step("Writing the report")
        count = len(work.reference.images)
        failures = [check_drop(file, count, settings.most_drop_pp) for file in _files(card)]
        page = format_report(card, evidence, [failure for failure in failures if failure])
        if any(failures):
            raise ExportError(_refuse(out, page, [failure for failure in failures if failure]))
        return _finish(card, work, page, settings)


@dataclass(frozen=True)
class _Work:
    """What every exporter works from, and what the card says of it."""

    folder: Path
    card: ModelCard
    model: keras.Model
    weights: Weights
    calibration: Images
    calibration_record: Calibration
    references: tuple[Reference, ...]
    validation: Reference
    certain: bool

    @property
    def reference(self) -> Reference:
        """The one that figures are reported on."""
        return self.references[0]

    @property
    def golden(self) -> NDArray[np.uint8]:
        return self.calibration.pixels[:GOLDEN_IMAGES]


def _prepare(source: Source, folder: Path, data_dir: Path | None) -> _Work:
    (folder / SOURCE_NAME).write_bytes(source.read())
    model = load_source(folder / SOURCE_NAME, source.path, source.convention)
    held_out = held_out_images(source.trained_on, data_dir)
    _check_pictures(source, held_out)
    calibration = choose_calibration(held_out.calibration_pool)
    check_convention(model, source.convention, calibration, source.path)
    references = tuple(keras_reference(model, images) for images in held_out.evaluations)
    (folder / REFERENCE_NAME).write_bytes(pack_references(references))
    base = source.bundle.card if source.bundle else _card_of_unknown(model, source, folder)
    return _Work(
        folder=folder,
        card=msgspec.structs.replace(
            base, schema_version=SCHEMA_VERSION, source=describe_file(folder, SOURCE_NAME), export=None
        ),
        model=model,
        weights=Weights(model, calibration),
        calibration=calibration,
        calibration_record=describe_calibration(calibration, (held_out.validation, *held_out.evaluations)),
        references=references,
        validation=keras_reference(model, held_out.validation),
        certain=held_out.certain,
    )


def _check_pictures(source: Source, held_out: HeldOut) -> None:
    """Pictures of one's own may have changed since training; then nobody knows which of them the model has seen."""
    training = source.bundle.card.training if source.bundle else None
    if training and training.dataset.startswith(PREFIX) and training.train.sha256 != held_out.calibration_pool.sha256:
        raise ExportError(
            f"{source.path}: --data-dir has other pictures than it was trained on. Restore them, or train it again."
        )


@dataclass(frozen=True)
class _Draft:
    """A file that was written but not verified yet."""

    exporter: Exporter
    content: bytes
    file: ModelFile


def _draft(exporter: Exporter, work: _Work, progress: Progress) -> _Draft:
    """Make one file and put it into the folder, labelled with its precision only."""
    name = exporter.file_name(work.card.name)
    progress.step(f"Making {name}")
    try:
        content, facts = _make(exporter, work)
    except (EdgeMnistError, OSError, MemoryError):
        raise
    except Exception as error:
        # The converters raise what they like, of several packages, for a layer that they do not know.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{name}: this model cannot be converted ({reason}). Nothing was written.") from error
    content = exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})
    (work.folder / name).write_bytes(content)
    file = msgspec.structs.replace(describe_draft(exporter, content), record=describe_file(work.folder, name), **facts)
    return _Draft(exporter, content, file)


def _make(exporter: Exporter, work: _Work) -> tuple[bytes, dict]:
    """The file's content, and what the card says of how it was quantized."""
    if not isinstance(exporter.convert, Quantizer):
        return exporter.convert(work.model), {}
    classify = partial(_classify, exporter)
    content, record = quantize(exporter.convert, work.weights, work.calibration, work.validation, classify)
    if exporter.precision != "int8":
        return content, {"quantization": record}
    before = work.weights.before_rounding(record.chosen.weights)
    layers = exporter.tools.noise(before, content, work.validation.images.pixels)
    return content, {"quantization": record, "layers": layers}


def _classify(exporter: Exporter, content: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of a trial's file, in this process and on all cores: nothing is timed here."""
    sealed = exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})
    file, runtime = describe_draft(exporter, sealed), RUNTIMES[exporter.tools.runtime]
    return load_file(runtime, sealed, file, count_cores()).logits(pixels)


def describe_draft(exporter: Exporter, content: bytes) -> ModelFile:
    """What can be said of a file before it has a name and was verified."""
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


def _verify(work: _Work, drafts: list[_Draft]) -> tuple[ModelCard, Evidence]:
    """Verify all files, write their metadata into them, and put them on the card."""
    outcomes = run_apart(work.folder, [draft.file for draft in drafts], work.reference, work.golden)
    first = {outcome.file.record.name: outcome for outcome in reversed(outcomes)}
    float_right = {
        outcome.file.format: outcome.logits.argmax(axis=1) == work.reference.images.labels
        for outcome in first.values()
        if outcome.file.precision == "float32"
    }
    files = []
    for draft in drafts:
        outcome = first[draft.file.record.name]
        compared = work.reference.right if draft.file.precision == "float32" else float_right[draft.file.format]
        file = msgspec.structs.replace(
            draft.file,
            verification=verify(outcome, work.reference, compared),
            golden_logits=tuple(map(tuple, outcome.golden_logits.tolist())),
        )
        files.append(_seal(work, draft, file))
    export = Export(
        evaluations=tuple(reference.describe(work.certain) for reference in work.references),
        calibration=work.calibration_record if any(file.quantization for file in files) else None,
        reference=describe_file(work.folder, REFERENCE_NAME),
        report=_UNWRITTEN,
        golden_pixels=pack_pixels(work.golden),
        files=tuple(files),
        abstention=choose_abstention(work.validation),
        agreement=agree(outcomes, work.reference),
        machine=describe_machine(),
        tools={name: find_version(name) for name in TOOLS},
    )
    return msgspec.structs.replace(work.card, export=export), Evidence(outcomes, work.reference)


def _seal(work: _Work, draft: _Draft, file: ModelFile) -> ModelFile:
    """Write what the file says of itself into it, and make sure that it still computes the same.

    Raises:
        ModelCardError: It does not.
    """
    evaluation = work.reference.describe(work.certain)
    properties = describe_properties(work.card, file, evaluation, work.golden)
    content = draft.exporter.tools.seal(draft.content, properties)
    (work.folder / file.record.name).write_bytes(content)
    runtime = RUNTIMES[draft.exporter.tools.runtime]
    check_golden(load_file(runtime, content, file).logits, file, work.golden, runtime.name)
    return msgspec.structs.replace(file, record=describe_file(work.folder, file.record.name))


def _finish(card: ModelCard, work: _Work, page: str, settings: Settings) -> ModelCard:
    """Write the report, the C source where it is asked for, and the card that seals it all."""
    (work.folder / REPORT_NAME).write_text(page, encoding="utf-8")
    written: dict[str, object] = {"report": describe_file(work.folder, REPORT_NAME)}
    if settings.c_array:
        written["c_source"] = _write_c_source(card, work.folder)
    if card.export is not None:
        card = msgspec.structs.replace(card, export=msgspec.structs.replace(card.export, **written))
    write_card(work.folder, card)
    return card


def _write_c_source(card: ModelCard, folder: Path) -> tuple[FileRecord, ...]:
    (name,) = (file.record.name for file in _files(card) if (file.format, file.precision) == ("tflite", "int8"))
    source = to_c_source((folder / name).read_bytes(), name)
    (folder / source.header_name).write_text(source.header, encoding="ascii")
    (folder / source.source_name).write_text(source.source, encoding="ascii")
    return describe_file(folder, source.header_name), describe_file(folder, source.source_name)


def _refuse(out: Path, page: str, failures: list[str]) -> str:
    """Leave the report beside the bundle that was not replaced, and say why."""
    # Also of a folder that was named as `.`.
    folder = out.absolute()
    report = folder.with_name(f"{folder.name}-refused.html")
    report.write_text(page, encoding="utf-8")
    return f"{' '.join(failures)} Nothing was installed at {out}; {report} shows which digits changed."


def _card_of_unknown(model: keras.Model, source: Source, folder: Path) -> ModelCard:
    """A card for a model that came without one: nothing is known of its training."""
    return ModelCard(
        name=source.name,
        architecture=Architecture(name=source.name, parameters=model.count_params(), macs=count_macs(model.layers)),
        source=describe_file(folder, SOURCE_NAME),
        convention=source.convention,
        training=None,
    )


def _files(card: ModelCard) -> tuple[ModelFile, ...]:
    return card.export.files if card.export else ()
