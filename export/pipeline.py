"""The export: from a Keras model to a sealed bundle of verified files."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.card import (
    SCHEMA_VERSION,
    Abstention,
    ArchitectureRecord,
    Calibration,
    Export,
    FileRecord,
    MissingFile,
    ModelCard,
    ModelFile,
)
from ..edge.bundle.folder import SOURCE_NAME, describe_file, staged_bundle, write_card
from ..edge.common.files import write_atomically
from ..edge.common.machine import describe_processor, find_version
from ..edge.common.terminal.output import echo
from ..edge.common.terminal.progress import ProgressBar
from ..edge.data.held_out import HeldOut, held_out_images
from ..edge.data.images import Images
from ..edge.data.picture_folder import PREFIX
from ..edge.inspection.inspect import inspect_file
from ..edge.runtimes.classifiers import RUNTIMES, load_file
from ..edge.runtimes.golden import check_golden, pack_pixels
from .adoption.convention import check_convention
from .adoption.model_source import ModelSource
from .adoption.source import load_source
from .calibration import choose_calibration, describe_calibration
from .drafts import Network, UnverifiedFile, make_drafts
from .errors import ExportError
from .exporters import Exporter
from .formats.micro_arena import measure_arena
from .formats.micro_c_source import c_identifier, to_c_source
from .formats.properties import describe_properties
from .quantize.degrade import degrade, with_degraded
from .quantize.sweep import QuantizationImages, WeightVariants
from .report import ReportInputs, format_report
from .settings import ExportSettings, carry_over, choose_exporters
from .verify import (
    KerasReference,
    check_acceptance,
    check_drop,
    check_integers,
    choose_abstention,
    count_agreement,
    keras_reference,
    pack_references,
    run_in_processes,
    verify_file,
)


class ExportProgress:
    """A progress display that counts the steps of an export on standard error."""

    def __init__(self, steps: int) -> None:
        self._bar = ProgressBar(total=steps, unit="step", bar_format="{l_bar}{bar}| {elapsed}")
        self._started = False

    def step(self, text: str) -> None:
        """Announce the next step and count the one before as done."""
        if not sys.stderr.isatty():
            echo(f"{text} …", err=True)
        self._bar.update(int(self._started))
        # Always redraws; `update` alone redraws only some time after the last drawing.
        self._bar.set_description(text)
        self._started = True

    def __enter__(self) -> "ExportProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


REFERENCE_NAME, REPORT_NAME = "reference.npz", "report.html"
TOOLS = ("edge-mnist", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")
# One image of each digit: the first turn of the calibration images.
GOLDEN_IMAGES = 10
_UNWRITTEN = FileRecord(name=REPORT_NAME, sha256="0" * 64, size_bytes=0)


def export_bundle(source: ModelSource, settings: ExportSettings, out: Path, data_dir: Path | None) -> ModelCard:
    """Convert, verify and write a bundle: either all of it or nothing.

    Args:
        source: The model to export.
        settings: What to write and how. When a bundle is extended in place, its existing files are written again.
        out: The bundle's folder; an older bundle there is replaced once the new one is complete.
        data_dir: The folder with MNIST, see `load_mnist`.

    Returns:
        The card that was written.

    Raises:
        ExportError: A file would not be what its card promises, or loses more accuracy than the settings allow; the
            report is then written beside `out`.
        ModelCardError: `out` cannot be written.
        RuntimeUnavailableError: A runtime cannot run its file.
    """
    settings = carry_over(settings, out)
    exporters = choose_exporters(settings, out)
    with (
        staged_bundle(out, _name_files(source, exporters, settings)) as folder,
        ExportProgress(len(exporters) + 3) as progress,
    ):
        progress.step("Running the Keras model")
        work = _prepare(source, folder, data_dir, settings)
        drafts, missing = make_drafts(exporters, work.network, work.card.name, folder, progress.step)
        if not drafts:
            reasons = " ".join(f"{one.name}: {one.reason}." for one in missing)
            raise ExportError(f"{source.path}: no file can be made from this model. {reasons} Nothing was written.")
        progress.step("Verifying every file in its own process")
        card, evidence = _verify(work, drafts, missing)
        progress.step("Writing the report")
        failures = [failure for file in _files(card) for failure in _find_failures(file, work, settings)]
        page = format_report(card, evidence, failures)
        if failures:
            raise ExportError(_refuse(out, page, failures))
        return _finish(card, work, page, settings)


def _name_files(source: ModelSource, exporters: list[Exporter], settings: ExportSettings) -> list[str]:
    """List the names of the files that will be written beside the card."""
    name = source.bundle.card.name if source.bundle else source.name
    c_name = c_identifier(f"{name}-int8.tflite")
    c_source = [f"{c_name}.h", f"{c_name}.c"] if settings.c_array else []
    return [SOURCE_NAME, REFERENCE_NAME, REPORT_NAME, *c_source, *(exporter.file_name(name) for exporter in exporters)]


def _find_failures(file: ModelFile, work: "_ExportInputs", settings: ExportSettings) -> list[str]:
    """List the reasons why a file must not be installed, one sentence each."""
    count = len(work.reference.images)
    found = [
        check_drop(file, count, settings.most_drop_pp),
        check_acceptance(file, work.reference, work.abstention),
        check_integers(file) if settings.strict_int8 else None,
    ]
    return [failure for failure in found if failure]


@dataclass(frozen=True)
class _ExportInputs:
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
        return self.network.images.calibration.pixels[:GOLDEN_IMAGES]


def _prepare(source: ModelSource, folder: Path, data_dir: Path | None, settings: ExportSettings) -> _ExportInputs:
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
    return _ExportInputs(
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


def _verify(
    work: _ExportInputs, drafts: list[UnverifiedFile], missing: list[MissingFile]
) -> tuple[ModelCard, ReportInputs]:
    """Verify all files, write their metadata into them, and list them on the card."""
    outcomes = run_in_processes(work.folder, [draft.file for draft in drafts], work.reference, work.golden)
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
            verification=verify_file(outcome, work.reference, compared, work.abstention),
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
        abstention=work.abstention,
        agreement=count_agreement(outcomes, work.reference),
        machine=describe_processor(),
        tools={name: find_version(name) for name in TOOLS},
        missing=tuple(missing) or msgspec.UNSET,
    )
    architecture = msgspec.structs.replace(work.card.architecture, macs=_count_macs(drafts, work.card))
    return msgspec.structs.replace(work.card, architecture=architecture, export=export), ReportInputs(
        outcomes, work.reference
    )


def _count_macs(drafts: list[UnverifiedFile], card: ModelCard) -> int:
    """Count multiply-adds per image in the float32 graphs, taking the graph that can be counted most completely."""
    found = [inspect_file(one.content, one.file.record.name).model for one in drafts if one.file.precision == "float32"]
    best = min(found, key=lambda model: len(model.not_counted))
    # Where a graph hides operations, as in loops, the count made in training is closer.
    return max(best.macs, card.architecture.macs) if best.not_counted else best.macs


def _seal(work: _ExportInputs, draft: UnverifiedFile, file: ModelFile) -> ModelFile:
    """Write the metadata into the file, and check that it still computes the same outputs.

    Raises:
        ModelCardError: The file's outputs changed.
    """
    evaluation = work.reference.describe(work.certain)
    properties = describe_properties(work.card, file, evaluation, work.golden)
    content = draft.exporter.tools.seal(draft.content, properties)
    (work.folder / file.record.name).write_bytes(content)
    runtime = RUNTIMES[draft.exporter.tools.runtime]
    check_golden(load_file(runtime, content, file).logits, file, work.golden, runtime.name)
    return msgspec.structs.replace(file, record=describe_file(work.folder, file.record.name))


def _finish(card: ModelCard, work: _ExportInputs, page: str, settings: ExportSettings) -> ModelCard:
    """Write the report, the C source if requested, and the card that seals the bundle."""
    (work.folder / REPORT_NAME).write_text(page, encoding="utf-8")
    written: dict[str, object] = {"report": describe_file(work.folder, REPORT_NAME)}
    if settings.c_array and any((file.format, file.precision) == ("tflite", "int8") for file in _files(card)):
        written["c_source"] = _write_c_source(card, work.folder)
    if card.export is not None:
        card = msgspec.structs.replace(card, export=msgspec.structs.replace(card.export, **written))
    write_card(work.folder, card)
    return card


def _write_c_source(card: ModelCard, folder: Path) -> tuple[FileRecord, ...]:
    (name,) = (file.record.name for file in _files(card) if (file.format, file.precision) == ("tflite", "int8"))
    content = (folder / name).read_bytes()
    source = to_c_source(content, name, measure_arena(content))
    (folder / source.header_name).write_text(source.header, encoding="ascii")
    (folder / source.source_name).write_text(source.source, encoding="ascii")
    return describe_file(folder, source.header_name), describe_file(folder, source.source_name)


def _refuse(out: Path, page: str, failures: list[str]) -> str:
    """Write the report beside the bundle that was not replaced, and return the error message."""
    # Absolute, so that a folder given as `.` has a name, too.
    folder = out.absolute()
    report = folder.with_name(f"{folder.name}-refused.html")
    write_atomically(report, page.encode())
    return f"{' '.join(failures)} Nothing was installed at {out}; {report} shows which digits changed."


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


def _files(card: ModelCard) -> tuple[ModelFile, ...]:
    return card.export.files if card.export else ()
