"""The export: from a Keras model to a sealed bundle of verified files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec

from ..edge.bundle.card import ModelCard
from ..edge.bundle.contract import FileRecord
from ..edge.bundle.export_record import Export, MissingFile, ModelFile
from ..edge.bundle.folder import SOURCE_NAME
from ..edge.bundle.writing import describe_file, staged_bundle, write_card
from ..edge.common.files import write_atomically
from ..edge.common.machine import describe_processor, find_version
from ..edge.common.terminal.progress import ProgressBar
from ..edge.common.terminal.verbosity import note
from ..edge.inspection.inspect import inspect_file
from ..edge.runtimes.golden import check_golden, pack_pixels
from ..edge.runtimes.registry import RUNTIMES, load_file
from .adoption.model_source import ModelSource
from .drafts import UnverifiedFile, make_drafts
from .errors import ExportError
from .exporters import Exporter, carry_over, choose_exporters
from .formats.micro_arena import measure_arena
from .formats.micro_c_source import c_identifier, to_c_source
from .formats.properties import describe_properties
from .preparation import REFERENCE_NAME, ExportInputs, prepare_export
from .report.page import ReportInputs, format_report
from .settings import REPORT_NAME, ExportSettings
from .verify import (
    check_acceptance,
    check_drop,
    check_integers,
    count_agreement,
    run_in_processes,
    verify_file,
)

TOOLS = ("edge-mnist", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")
_UNWRITTEN = FileRecord(name=REPORT_NAME, sha256="0" * 64, size_bytes=0)


@contextmanager
def show_steps(steps: int) -> Iterator[Callable[[str], None]]:
    """Yield a function that announces the next step on standard error and counts the one before as done."""
    # Elsewhere each step is announced in a line.
    at_terminal = sys.stderr.isatty()
    with ProgressBar(total=steps, unit="step", bar_format="{l_bar}{bar}| {elapsed}", is_hidden=not at_terminal) as bar:
        done = count()

        def step(text: str) -> None:
            if not at_terminal:
                note(f"{text} …")
            bar.n = next(done)
            bar.set_description(text)

        yield step


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
        show_steps(len(exporters) + 3) as step,
    ):
        step("Running the Keras model")
        work = prepare_export(source, folder, data_dir, settings)
        drafts, missing = make_drafts(exporters, work.network, work.card.name, folder, step)
        if not drafts:
            reasons = " ".join(f"{one.name}: {one.reason}." for one in missing)
            raise ExportError(f"{source.path}: no file can be made from this model. {reasons} Nothing was written.")
        step("Verifying every file in its own process")
        card, evidence = _verify(work, drafts, missing)
        step("Writing the report")
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


def _find_failures(file: ModelFile, work: ExportInputs, settings: ExportSettings) -> list[str]:
    """List the reasons why a file must not be installed, one sentence each."""
    found = [
        check_drop(file, len(work.reference.images), settings.most_drop_pp),
        check_acceptance(file, work.reference, work.abstention),
        check_integers(file) if settings.strict_int8 else None,
    ]
    return [failure for failure in found if failure]


def _verify(
    work: ExportInputs, drafts: list[UnverifiedFile], missing: list[MissingFile]
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


def _seal(work: ExportInputs, draft: UnverifiedFile, file: ModelFile) -> ModelFile:
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


def _finish(card: ModelCard, work: ExportInputs, page: str, settings: ExportSettings) -> ModelCard:
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


def _files(card: ModelCard) -> tuple[ModelFile, ...]:
    return card.export.files if card.export else ()
