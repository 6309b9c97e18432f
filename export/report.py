"""The export's HTML report: what each file costs, how accurate it is, which digits changed, and where noise arises.

One HTML file without scripts or external resources, the same bytes for the same export. It explains its numbers.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ..edge.bundle.card import Calibration, Evaluation, Export, ModelCard, ModelFile, Quantization
from ..edge.common.statistics import mcnemar_p, paired_interval, wilson_interval
from ..edge.common.terminal.formatting import describe_p, format_p, format_percent
from ..edge.common.terminal.text import escape_html
from .changed_digits import draw_changed_digits
from .quantize.noise import IMAGES
from .verify import FileOutputs, KerasReference, describe_doubts

SIGNIFICANCE = 0.05
# Below this, a layer's error is a tenth of its signal, large enough to explain a drop in accuracy.
NOISY_DB = 20.0
LONGEST_BAR_DB = 60.0
TRIED = (
    "The least noisy way was taken, by the noisier of clean and degraded images. Degraded are copies on gray paper, "
    "with specks, with ink and paper swapped at the borders, or blurred: nobody promises good answers there, but int8 "
    "should give the same ones as float32."
)
NO_DROP = "No file reads fewer of them right than its float32 file. "
# How each runtime exposes every layer. This differs from normal use, so rounding differs slightly, too.
LOOKED_INTO = {
    "tflite": "without its delegate, which keeps to itself what layers put out",
    "onnx": "with every layer's output asked for",
}

STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --bar: #3b7dd8; --low: #d8663b;
  --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #38424d; --bar: #6aa5f5;
  --low: #f08d63; --paper: #14191f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; } p, li { max-width: 46rem; }
h1, p, li { overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
:is(th, td).left { text-align: left; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
.scroll { overflow-x: auto; } .soft { color: var(--soft); }
.bars { width: 100%; max-width: 46rem; } .bars td { border: 0; padding: .1rem .7rem; }
.bars td:last-child { width: 60%; text-align: left; }
.bar { display: inline-block; height: .8rem; background: var(--bar);
  border-radius: 2px; vertical-align: middle; } .bar.low { background: var(--low); }
dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; max-width: 46rem; }
@media (max-width: 34rem) { body { margin: 1rem auto; } th, td { padding: .25rem .4rem; } ul { padding-left: 1.2rem; }
  .bars, .bars tbody, .bars tr { display: block; } .bars td { display: inline-block; padding: 0 .7rem 0 0; }
  .bars td:last-child { display: block; width: 100%; line-height: 1; margin-bottom: .5rem; } }
@media print { body { max-width: none; margin: 0; } .scroll { overflow: visible; } img { max-width: 100%; }
  th, td { font-size: .7rem; padding: .2rem .4rem; white-space: normal; } h2, h3, dt { break-after: avoid; }
  img, tr, dd { break-inside: avoid; } .bar { print-color-adjust: exact; } }
"""

GLOSSARY = {
    "float32, float16, dynamic, int8, int16x8": (
        "How numbers are stored. float32 is what training uses. float16 halves the file. dynamic stores weights as "
        "8-bit integers and finds the ranges of activations while running. int8 uses 8-bit integers throughout: the "
        "smallest and, on most processors, by far the fastest. int16x8 keeps 8-bit weights but 16-bit activations, "
        "for networks that int8 harms."
    ),
    "accuracy and 95 % interval": (
        "The share of the evaluation images read correctly. As many other images would give a slightly different "
        "figure; 95 of 100 such intervals (Wilson's) contain the true one."
    ),
    "drop": (
        "Accuracy lost against the float32 file of the same format, in percentage points: images lost minus images "
        "gained. Lost are those that float32 reads correctly and this file does not; gained the reverse. Its 95 % "
        "interval is Tango's for paired images: where no image changed, it still has a width, as other images might."
    ),
    "p": (
        "How often chance alone would lose and gain so unevenly if both files were equally good (McNemar's exact "
        "test). Above 0.05 there is no measurable difference."
    ),
    "agrees with Keras": (
        "The share of images on which the file names the same digit as the trained model, right or wrong."
    ),
    "largest logit difference": (
        "Logits are the ten scores before a digit is chosen. A file computes them a little differently; this is the "
        "most it was ever off. It matters only where two digits are nearly tied."
    ),
    "dB": (
        "Signal against noise, 20 log10(signal / error): 40 dB means that the error is a hundredth of the signal, 20 "
        "dB a tenth. Six dB more is half the error, about one bit."
    ),
    "calibration": (
        "Integers need to know how large numbers become. Training images are run through the network and the ranges "
        "noted: minmax takes the extremes, percentile cuts off the outermost thousandth of a percent, entropy cuts "
        "where the distribution changes least."
    ),
    "equalized and rounded": (
        "Before quantizing, channels are scaled to reach equally far, and weights are rounded so that their errors "
        "cancel within a layer. In exact arithmetic the first changes nothing."
    ),
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
    sections = [
        f"<h1>{_text(card.name)}: what quantization kept</h1>",
        "".join(f"<p><strong>Refused:</strong> {_text(failure)}</p>" for failure in failures),
        f"<p>{_text(_verdict(export, evaluation))}</p>",
        "".join(f"<p><strong>Note:</strong> {_text(doubt)}</p>" for doubt in describe_doubts(card)),
        _files(export, evaluation),
        _flips(evidence),
        _noise(export.files),
        _trials(export.files),
        _agreement(card, export),
        _origins(card, export, evaluation),
        "<h2>What the numbers mean</h2><dl>"
        + "".join(f"<dt>{_text(term)}</dt><dd>{_text(meaning)}</dd>" for term, meaning in GLOSSARY.items())
        + "</dl>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(card.name)}: export report</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body></html>\n"
    )


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


def _verdict(export: Export, evaluation: Evaluation) -> str:
    quantized = [file for file in export.files if file.precision != "float32"]
    count = evaluation.images.count
    if not quantized:
        return f"Only float32 files, {format_percent(evaluation.correct / count)} accurate on {count:,} images."
    worst = max(quantized, key=lambda file: file.verification.lost - file.verification.gained)
    smallest = min(quantized, key=lambda file: file.record.size_bytes)
    drops = worst.verification.lost > worst.verification.gained
    return (
        f"The trained model reads {format_percent(evaluation.correct / count)} of {count:,} images "
        f"({evaluation.images.name}). "
        + (f"The largest drop is that of {worst.record.name}: {describe_drop(worst, count)}. " if drops else NO_DROP)
        + f"The smallest file is {smallest.record.name} with {smallest.record.size_bytes:,} bytes."
    )


def _files(export: Export, evaluation: Evaluation) -> str:
    count = evaluation.images.count
    head = ["file", "bytes", "accuracy", "95 % interval", "drop (points)", "its 95 % interval", "lost / gained", "p",
            "agrees with Keras", "largest logit difference"]  # fmt: skip
    doubt = "" if evaluation.held_out else " Whether the model was trained on these images is not known."
    runtimes = " and ".join(sorted({file.verification.runtime for file in export.files}))
    note = f"{count:,} images, {evaluation.images.name}, in {runtimes}.{doubt}"
    rows = [_file_row(file, count) for file in export.files]
    return f"<h2>Files</h2>{_table(head, rows)}<p class='soft'>{_text(note)}</p>"


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


def _flips(evidence: ReportInputs) -> str:
    picture, count = draw_changed_digits(evidence.outcomes, evidence.reference)
    if picture is None:
        return "<h2>Changed digits</h2><p>No file names another digit than the trained model, on any image.</p>"
    source = base64.b64encode(picture).decode("ascii")
    return (
        f"<h2>Changed digits</h2><p>Every image on which a file names another digit than the trained model ({count}). "
        "Above each: its true label, and what the model said. Below: what the file said.</p>"
        f'<div class="scroll"><img alt="Contact sheet of {count} changed digits" src="data:image/png;base64,{source}">'
        "</div>"
    )


def _noise(files: Iterable[ModelFile]) -> str:
    parts = []
    for file in files:
        if file.layers and file.quantization:
            noisiest = min(file.layers, key=lambda one: one.snr_db)
            rows = "".join(
                f"<tr>{_cells('td', [one.layer, f'{one.snr_db:z.1f} dB'], left=1)}<td>{_bar(one.snr_db)}</td></tr>"
                for one in file.layers
            )
            parts.append(
                f"<h3>{_text(file.record.name)}</h3><table class='bars'>{rows}</table>"
                f"<p>Noisiest: {_text(noisiest.layer)}.</p>"
                f"<p class='soft'>{_text(_describe_look(file, file.quantization))}</p>"
            )
    lead = "What each layer puts out, against the same network in float. Longer is better."
    return f"<h2>Noise, layer by layer</h2><p>{lead}</p>{''.join(parts)}" if parts else ""


def _describe_look(file: ModelFile, quantization: Quantization) -> str:
    """Describe how the layers' noise was measured, which differs from how the quantization was chosen."""
    on = quantization.validation
    return (
        f"On the first {min(IMAGES, on.count)} images of {on.name}, in {file.verification.runtime} "
        f"{LOOKED_INTO[file.format]}; so the logits may have another figure than under What was tried, which is "
        f"measured on {on.count:,} images."
    )


def _bar(snr_db: float) -> str:
    low = " low" if snr_db < NOISY_DB else ""
    return f"<span class='bar{low}' style='width:{min(100.0, max(0.0, 100 * snr_db / LONGEST_BAR_DB)):.0f}%'></span>"


def _trials(files: Iterable[ModelFile]) -> str:
    parts = []
    for file in files:
        if file.quantization:
            rows = [
                ["★" if trial == file.quantization.chosen else "", trial.weights, trial.method,
                 "clean and degraded" if trial.degraded is True else "clean", str(trial.calibration_images),
                 f"{trial.snr_db:.2f}", _decibels(trial.degraded_snr_db), f"{trial.correct:,}"]
                for trial in file.quantization.trials
            ]  # fmt: skip
            head = ["", "weights", "ranges", "of images", "calibration images", "logits, dB", "degraded, dB",
                    "read correctly"]  # fmt: skip
            on = file.quantization.validation
            where = f"On {on.count:,} images, {on.name}, in {file.verification.runtime} as it is used."
            note = f"<p class='soft'>{_text(where)}</p>"
            parts.append(f"<h3>{_text(file.record.name)}</h3>{_table(head, rows, left=4)}{note}")
    return f"<h2>What was tried</h2><p>{TRIED}</p>{''.join(parts)}" if parts else ""


def _decibels(snr_db: float | msgspec.UnsetType) -> str:
    return "" if snr_db is msgspec.UNSET else f"{snr_db:.2f}"


def _agreement(card: ModelCard, export: Export) -> str:
    total = export.evaluations[0].images.count
    # Without the model's name, which all files share, so that the columns stay narrow.
    names = [name.removeprefix(f"{card.name}-") for name in export.agreement.names]
    counts = export.agreement.counts
    rows = [[name, *(f"{100 * count / total:.2f}" for count in row)] for name, row in zip(names, counts, strict=True)]
    explanation = "Share of images on which both name the same digit, in percent."
    return f"<h2>Who agrees with whom</h2><p>{explanation}</p>{_table(['', *names], rows)}"


def _origins(card: ModelCard, export: Export, evaluation: Evaluation) -> str:
    facts = [
        f"Made from {card.source.name}, SHA-256 {card.source.sha256}: {card.architecture.name}, "
        f"{card.architecture.parameters:,} parameters, {card.architecture.macs:,} multiply-adds an image.",
        f"Measured on {evaluation.images.name}, SHA-256 {evaluation.images.sha256}.",
        f"Exported on {export.machine.processor} ({' '.join(export.machine.flags) or 'no integer instructions told'}).",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in export.tools.items()) + ".",
    ]
    if card.training:
        facts.insert(1, f"Trained by: {card.training.command} (seed {card.training.seed}), on {card.training.device}.")
    if export.calibration:
        facts.append(_describe_calibration(export.calibration, export.files))
    return "<h2>Where it comes from</h2><ul>" + "".join(f"<li>{_text(fact)}</li>" for fact in facts) + "</ul>"


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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Render a table that scrolls when it is wider than the page; its first `left` columns hold text."""
    lines = "".join(f"<tr>{_cells('td', row, left)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{_cells("th", head, left)}</tr></thead><tbody>{lines}</tbody></table>'
        "</div>"
    )


def _cells(tag: str, cells: Sequence[str], left: int) -> str:
    words = [' class="left"' if place < left else "" for place in range(len(cells))]
    return "".join(f"<{tag}{word}>{_text(cell)}</{tag}>" for word, cell in zip(words, cells, strict=True))


def _text(text: str) -> str:
    return escape_html(text)
