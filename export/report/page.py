"""The export's HTML report: what each file costs, how accurate it is, which digits changed, and where noise arises.

One HTML file without scripts or external resources, the same bytes for the same export. It explains its numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ...edge.bundle.card import ModelCard
from ...edge.bundle.export_record import Calibration, Evaluation, Export, ModelFile, Quantization
from ...edge.common.pages.drawing import FIRST, SECOND
from ...edge.common.pages.page import PageTable, Svg, TableCell, embed_png, render_page
from ...edge.common.pages.scatter import ChartMark, draw_scatter
from ...edge.common.statistics import mcnemar_p, paired_interval, wilson_interval
from ...edge.common.terminal.formatting import describe_p, format_p, format_percent
from ..quantize.noise import IMAGES
from ..verify import FileOutputs, KerasReference, describe_doubts
from .changed_digits import draw_changed_digits
from .glossary import GLOSSARY

SIGNIFICANCE = 0.05
# Below this, a layer's error is a tenth of its signal, large enough to explain a drop in accuracy.
NOISY_DB = 20.0
LONGEST_BAR_DB = 60.0
NO_DROP = "No file reads fewer of them right than its float32 file."
# Lines of the first table.
MOST_FIRST = 8
# How each runtime exposes every layer. This differs from normal use, so rounding differs slightly, too.
LOOKED_INTO = {
    "tflite": "without its delegate, which keeps to itself what layers put out",
    "onnx": "with every layer's output asked for",
}


@dataclass(frozen=True)
class ReportInputs:
    """The report's data beside the card: every file's logits, and the images they were measured on."""

    outcomes: Sequence[FileOutputs]
    reference: KerasReference


def format_report(card: ModelCard, evidence: ReportInputs, failures: Sequence[str] = ()) -> str:
    """Render the report as an HTML page.

    Args:
        card: The card of the export; its report entry may be any record.
        evidence: The logits of every file and the images they belong to.
        failures: One sentence for each file that lost too much accuracy; if any, nothing was installed.
    """
    export = card.export
    if export is None:
        raise ValueError("the card has no exported files")
    evaluation = export.evaluations[0]
    picture, changed = draw_changed_digits(evidence.outcomes, evidence.reference)
    return render_page(
        "export.html",
        name=card.name,
        verdict=_describe_verdict(export, evaluation, failures),
        summary=_summarize_files(export.files, evaluation.images.count),
        doubts=[f"**Note:** {one}" for one in describe_doubts(card)],
        chart=_draw_files(card.name, export.files, evaluation.images.count),
        files=_tabulate_files(export.files, evaluation.images.count),
        runtimes=" and ".join(sorted({file.verification.runtime for file in export.files})),
        evaluation=evaluation,
        changed=changed,
        sheet=embed_png(picture) if picture else "",
        noise=[_list_noise(file, file.quantization) for file in export.files if file.layers and file.quantization],
        trials=[(file, file.quantization, _tabulate_trials(file.quantization))
                for file in export.files if file.quantization],
        agreement=_tabulate_agreement(card, export),
        origins=_list_origins(card, export, evaluation),
        glossary=GLOSSARY,
    )  # fmt: skip


def describe_drop(file: ModelFile, count: int) -> str:
    """Describe a file's drop in words: points, images lost and gained, and whether chance explains it."""
    check = file.verification
    drop_pp = 100 * (check.lost - check.gained) / count
    p = mcnemar_p(check.lost, check.gained)
    verdict = "no measurable difference" if p >= SIGNIFICANCE else "measurable"
    return (
        f"{drop_pp:+z.2f} points (95 % interval {_interval(file, count)}; {check.lost} lost, {check.gained} "
        f"gained of {count:,}; {describe_p(p)}, {verdict})"
    )


def _interval(file: ModelFile, count: int) -> str:
    """Format the drop's 95 % interval, in percentage points."""
    ends = paired_interval(file.verification.lost, file.verification.gained, count)
    return " to ".join(f"{100 * end:+z.2f}" for end in ends)


def _describe_verdict(export: Export, evaluation: Evaluation, failures: Sequence[str]) -> str:
    """Describe, in Markdown, the failures or the file to deploy, the accuracy of the model and the largest drop."""
    quantized = [file for file in export.files if file.precision != "float32"]
    count = evaluation.images.count
    if not quantized:
        return f"Only float32 files, {format_percent(evaluation.correct / count)} accurate on {count:,} images."
    worst = max(quantized, key=lambda file: file.verification.lost - file.verification.gained)
    smallest = min(quantized, key=lambda file: file.record.size_bytes)
    fit = [] if failures else [file for file in export.files if not _has_dropped(file)]
    deployed = min(fit, key=lambda file: file.record.size_bytes, default=None)
    reads = f"{format_percent(evaluation.correct / count)} of {count:,} images ({evaluation.images.name})"
    sentences = [f"The trained model reads {reads}.", NO_DROP]
    if worst.verification.lost > worst.verification.gained:
        sentences[1] = f"The largest drop is that of {worst.record.name}: {describe_drop(worst, count)}."
    if deployed:
        size = f"{deployed.record.size_bytes:,} bytes"
        sentences.insert(0, f"Deploy **{deployed.record.name}**, {size}: the smallest file without a measurable drop.")
    if smallest is not deployed:
        sentences.append(f"The smallest file is {smallest.record.name} with {smallest.record.size_bytes:,} bytes.")
    return " ".join([*(f"**Refused:** {one}" for one in failures), *sentences])


def _has_dropped(file: ModelFile) -> bool:
    """Whether it is measurably less accurate than its float32 file."""
    check = file.verification
    return check.lost > check.gained and mcnemar_p(check.lost, check.gained) < SIGNIFICANCE


def _draw_files(name: str, files: Sequence[ModelFile], count: int) -> Svg:
    """Draw the accuracy of each file over its size, with Wilson's interval."""
    marks = [
        ChartMark(
            cost=file.record.size_bytes / 1000,
            accuracy=file.verification.correct / count,
            interval=wilson_interval(file.verification.correct, count),
            count=count,
            area=file.record.size_bytes,
            tip=f"{file.record.name}: {format_percent(file.verification.correct / count)}",
            label=file.record.name.removeprefix(f"{name}-"),
            colour=SECOND if file.precision in {"float32", "float16"} else FIRST,
            is_round=file.format == "tflite",
        )
        for file in files
    ]
    return draw_scatter("Accuracy and size", "size of the file, kB, logarithmic", marks, ())


def _summarize_files(files: Sequence[ModelFile], count: int) -> PageTable:
    """Tabulate what decides: bytes, accuracy, and whether a drop can be measured."""
    lines: list[list[str | TableCell]] = []
    for file in files[:MOST_FIRST]:
        check = file.verification
        drop_pp, measurable = (
            100 * (check.lost - check.gained) / count,
            mcnemar_p(check.lost, check.gained) < SIGNIFICANCE,
        )
        judged = "" if file.precision == "float32" else "measurable" if measurable else "no measurable difference"
        drop = TableCell("" if file.precision == "float32" else f"{drop_pp:+z.2f}", judged)
        lines.append([file.record.name, f"{file.record.size_bytes:,}", format_percent(check.correct / count), drop])
    return PageTable(["file", "bytes", "accuracy", "drop, points"], lines)


def _tabulate_files(files: Sequence[ModelFile], count: int) -> PageTable:
    head = ["file", "bytes", "accuracy", "95 % interval", "drop (points)", "its 95 % interval", "lost / gained", "p",
            "agrees with Keras", "largest logit difference"]  # fmt: skip
    return PageTable(head, [_file_row(file, count) for file in files])


def _file_row(file: ModelFile, count: int) -> list[str]:
    check = file.verification
    low, high = wilson_interval(check.correct, count)
    drop_pp = 100 * (check.lost - check.gained) / count
    p = mcnemar_p(check.lost, check.gained)
    against_float = [f"{drop_pp:+z.2f}", _interval(file, count), f"{check.lost} / {check.gained}", format_p(p)]
    return [
        file.record.name,
        f"{file.record.size_bytes:,}",
        format_percent(check.correct / count),
        f"{100 * low:.2f} to {100 * high:.2f}",
        *(["", "", "", ""] if file.precision == "float32" else against_float),
        format_percent(check.agreeing / count),
        f"{check.max_logit_difference:.2g}",
    ]


@dataclass(frozen=True)
class FileNoise:
    """The noise of a file's layers: name, decibels, whether noisy, and percent of the longest bar."""

    file: str
    noisiest: str
    note: str
    layers: Sequence[tuple[str, float, bool, float]]


def _list_noise(file: ModelFile, quantization: Quantization) -> FileNoise:
    layers = file.layers or []
    return FileNoise(
        file=file.record.name,
        noisiest=min(layers, key=lambda one: one.snr_db).layer,
        note=_describe_look(file, quantization),
        layers=[
            (one.layer, one.snr_db, one.snr_db < NOISY_DB, min(100.0, max(0.0, 100 * one.snr_db / LONGEST_BAR_DB)))
            for one in layers
        ],
    )


def _describe_look(file: ModelFile, quantization: Quantization) -> str:
    """Describe how the layers' noise was measured, which differs from how the quantization was chosen."""
    on = quantization.validation
    return (
        f"On the first {min(IMAGES, on.count)} images of {on.name}, in {file.verification.runtime} "
        f"{LOOKED_INTO[file.format]}; so the logits may have another figure than under What was tried, which is "
        f"measured on {on.count:,} images."
    )


def _tabulate_trials(quantization: Quantization) -> PageTable:
    rows = [
        ["★" if trial == quantization.chosen else "", trial.weights, trial.method,
         "clean and degraded" if trial.degraded is True else "clean", str(trial.calibration_images),
         f"{trial.snr_db:.2f}", _decibels(trial.degraded_snr_db), f"{trial.correct:,}"]
        for trial in quantization.trials
    ]  # fmt: skip
    head = ["", "weights", "ranges", "of images", "calibration images", "logits, dB", "degraded, dB", "read correctly"]
    return PageTable(head, rows, left=4)


def _decibels(snr_db: float | msgspec.UnsetType) -> str:
    return "" if snr_db is msgspec.UNSET else f"{snr_db:.2f}"


def _tabulate_agreement(card: ModelCard, export: Export) -> PageTable:
    total = export.evaluations[0].images.count
    # Without the model's name, which all files share, so that the columns stay narrow.
    names = [name.removeprefix(f"{card.name}-") for name in export.agreement.names]
    counts = export.agreement.counts
    rows = [[name, *(f"{100 * count / total:.2f}" for count in row)] for name, row in zip(names, counts, strict=True)]
    return PageTable(["", *names], rows, is_matrix=True)


def _list_origins(card: ModelCard, export: Export, evaluation: Evaluation) -> list[str]:
    facts = [
        f"Made from {card.source.name}, SHA-256 {card.source.sha256}: {card.architecture.name}, "
        f"{card.architecture.parameters:,} parameters, {card.architecture.macs:,} multiply-adds an image.",
        f"Measured on {evaluation.images.name}, SHA-256 {evaluation.images.sha256}.",
        f"Exported on {export.machine.processor} ({' '.join(export.machine.flags) or 'no integer instructions'}).",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in export.tools.items()) + ".",
    ]
    if card.training:
        facts.insert(1, f"Trained by: {card.training.command} (seed {card.training.seed}), on {card.training.device}.")
    if export.calibration:
        facts.append(_describe_calibration(export.calibration, export.files))
    return facts


def _describe_calibration(calibration: Calibration, files: Iterable[ModelFile]) -> str:
    images, apart = calibration.images, " or ".join(calibration.disjoint_from)
    used = ", ".join(
        f"{file.record.name} uses {min(file.quantization.chosen.calibration_images, images.count)}"
        f"{' and a degraded copy of each' if file.quantization.chosen.degraded is True else ''}"
        for file in files
        if file.quantization
    )
    return (
        f"Calibrated on images of {images.name}: {images.count} to choose from, of which {used}. None of them is in "
        f"{apart}."
    )
