"""The page of a training report: one HTML file without scripts or external resources."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...edge.common.pages import tiles
from ...edge.common.terminal.formatting import describe_p, format_confidence, format_percent
from ...edge.common.terminal.text import escape_html
from ..outliers import NOT_A_DIGIT
from . import plots
from .figures import ClassScore

if TYPE_CHECKING:
    from ...edge.bundle.card import Training
    from .figures import Milestone, PagePictures, TrainingReport

SIGNIFICANCE = 0.05
MOST_CONFUSIONS = 10
MOST_MISTAKES = 100

STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; --first: #0072b2;
  --second: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #38424d; --paper: #14191f;
  --first: #56b4e9; --second: #f0903c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; } p, li { max-width: 46rem; }
h1, p, li { overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem; }
svg.plot { width: 100%; height: auto; max-width: 34rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.scroll { overflow-x: auto; } .soft { color: var(--soft); }
@media (max-width: 32rem) { th, td { padding: .25rem; font-size: .8rem; } ul { padding-left: 1.2rem; } }
@media print { body { max-width: none; margin: 0; } .scroll { overflow: visible; } h2 { break-after: avoid; }
  th, td { font-size: .7rem; padding: .2rem .4rem; white-space: normal; } svg.plot, figure, tr { break-inside: avoid; }
  .plots { grid-template-columns: 1fr 1fr; } }
"""


def format_page(report: "TrainingReport", album: "PagePictures") -> str:
    """Render the page from the figures and the pictures."""
    run = _name_run(report)
    sections = [
        f"<h1>{_text(run)}: how it was trained</h1>",
        _verdict(report),
        _curves(report),
        _pace(report),
        _confusions(report),
        _classes(report),
        _mistakes(report, album),
        _data(report, album),
        _training_images(report, album),
        _origins(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(run)}: training report</title><style>{STYLE}{tiles.STYLE}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _name_run(report: "TrainingReport") -> str:
    """Name the run so that its page differs from those of other runs of the same network."""
    training = report.training
    told = [f"{report.name} on {training.dataset}", f"seed {training.seed}"]
    if training.start:
        told.append(f"started from {training.start.name}")
    if training.teachers:
        told.append(f"taught by {_name_teachers(training)}")
    return ", ".join(told)


def _name_teachers(training: "Training") -> str:
    return " and ".join(dict.fromkeys(teacher.name for teacher in training.teachers))


def _verdict(report: "TrainingReport") -> str:
    scores, gain, training = report.validation, report.gain, report.training
    low, high = scores.interval
    errors = scores.count - scores.correct
    change = "loss" if gain.gain_pp < 0 else "gain"
    chance = "which chance explains" if gain.p >= SIGNIFICANCE else "more than chance explains"
    return (
        f"<p>It reads <strong>{format_percent(scores.correct / scores.count)}</strong> of {scores.count:,} validation "
        f"images ({errors} {'error' if errors == 1 else 'errors'}; 95 % interval {100 * low:.2f} to {100 * high:.2f}). "
        f"Logistic regression, fitted within {gain.seconds:.1f} s to the same {training.train.count:,} training images "
        f"as they are, reads {format_percent(gain.baseline_correct / scores.count)}: a {change} of "
        f"<strong>{abs(gain.gain_pp):.2f} points</strong> ({gain.won} images won, {gain.lost} lost; "
        f"{describe_p(gain.p)}, {chance}).</p>"
        "<p class='soft'>The best epoch was chosen on these validation images, so figures made on them flatter it a "
        "little. The test set was not touched; the export measures on it.</p>"
    )


def _first_rate(training: "Training") -> float:
    """Return the learning rate of the first step."""
    return 0.0 if training.recipe["warmup_epochs"] else training.recipe["learning_rate"]


def _curves(report: "TrainingReport") -> str:
    training, count = report.training, report.validation.count
    drawings = [
        plots.draw_accuracy(training.history, training.best_epoch, count),
        plots.draw_loss(training.history, training.best_epoch),
        plots.draw_learning_rate(_first_rate(training), report.learning_rates, training.best_epoch),
        plots.draw_seconds(training.history),
    ]
    recipe = training.recipe
    harder = ["its images are distorted"] if _distorts(recipe) else []
    harder += ["drawn ones that mostly belong to no class join them"] if report.extras_per_epoch else []
    harder += [f"its labels are smoothed ({recipe['label_smoothing']:g})"] if recipe.get("label_smoothing") else []
    why = f"Training is harder than validation here: {', '.join(harder)}. Its" if harder else "Training's"
    averaged = "Validation is measured on the moving average of the weights, which in the first epochs still remembers "
    return (
        f"<h2>Epoch by epoch</h2>{_grid(drawings)}"
        f"<p class='soft'>{why} figures are means over an epoch in which the weights change. "
        f"{averaged + 'how they began.' if recipe.get('ema_share') else ''} {_text(_compare_losses(training))}</p>"
    )


def _compare_losses(training: "Training") -> str:
    """Explain why the two loss curves differ with teachers, see `distillation.py`; empty without teachers."""
    if not training.teachers:
        return ""
    share, temperature = training.recipe["teacher_weight"], training.recipe["temperature"]
    return (
        f"The two losses are different quantities: validation's is the cross-entropy with the labels alone; training's "
        f"is {1 - share:g} times that, and {share * temperature**2:g} times the one with the answers of "
        f"{_name_teachers(training)}, for which logits are divided by {temperature:g}."
    )


def _pace(report: "TrainingReport") -> str:
    reached = [one for one in report.milestones if any(one.epochs)]
    if not reached:
        return ""
    several = len(reached[0].epochs) > 1
    head = (
        ["seeds that got there", "epoch, median", "seconds, median", "seconds, each seed"]
        if several
        else ["epoch", "seconds"]
    )
    rows = [
        [format_percent(one.accuracy, 1), *(_tell_of_seeds(one) if several else _tell_of_one(one))] for one in reached
    ]
    missed = [format_percent(one.accuracy, 1) for one in report.milestones if one not in reached][:1]
    return (
        f"<h2>How soon</h2>{_table(['validation reached', *head], rows)}<p class='soft'>From the beginning of the "
        "first epoch to the end of the one that first got there, with compilation and with the validation after each "
        f"epoch; reading the data comes before. {'Nothing reached ' + missed[0] + '.' if missed else ''}</p>"
    )


def _tell_of_one(milestone: "Milestone") -> list[str]:
    return [f"{place}" for place in milestone.epochs] + [_in_seconds(one) for one in milestone.seconds]


def _tell_of_seeds(milestone: "Milestone") -> list[str]:
    """Format a row of medians over the seeds that reached the accuracy, after their number."""
    epochs = [place for place in milestone.epochs if place is not None]
    seconds = [one for one in milestone.seconds if one is not None]
    return [
        f"{len(epochs)} of {len(milestone.epochs)}",
        f"{statistics.median(epochs):g}",
        _in_seconds(statistics.median(seconds)),
        ", ".join(_in_seconds(one) for one in milestone.seconds),
    ]


def _in_seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:,.1f}"


def _distorts(recipe: Mapping[str, float]) -> bool:
    return any(limit > 0 for name, limit in recipe.items() if name.startswith("distortion."))


def _confusions(report: "TrainingReport") -> str:
    labels, confusions = report.labels, report.validation.confusions
    drawing = plots.draw_confusion(labels, report.validation)
    if not confusions:
        return f"<h2>Confusions</h2>{_grid([drawing])}<p>None on validation.</p>"
    rows = [
        [f"{labels[one.label]} read as {labels[one.predicted]}", str(one.count)] for one in confusions[:MOST_CONFUSIONS]
    ]
    rest = _tell_rest([one.count for one in confusions[MOST_CONFUSIONS:]])
    table = f"<div>{_table(['the commonest', 'images'], rows)}{rest}</div>"
    return f"<h2>Confusions</h2>{_grid([drawing, table])}"


def _tell_rest(counts: Sequence[int]) -> str:
    """Describe the confusions that the table omits: how many, and how common; `counts` has the most common first."""
    if not counts:
        return ""
    often = "once" if counts[0] == 1 else f"{counts[0]} times"
    each = "" if len(counts) == 1 else " each" if counts[0] == counts[-1] else " at most"
    return f"<p class='soft'>And {len(counts)} more, {often}{each}.</p>"


def _classes(report: "TrainingReport") -> str:
    rows = [_class_row(report.labels, score) for score in report.validation.classes]
    scores = [
        [one for one in values if one is not None]
        for values in zip(*((one.precision, one.recall, one.f1) for one in report.validation.classes), strict=True)
    ]
    means = [f"{100 * sum(values) / len(values):.2f}" if values else "" for values in scores]
    rows.append(["mean", *means, f"{report.validation.count:,}"])
    return (
        "<h2>Class by class</h2>"
        + _table(["class", "precision, %", "recall, %", "F1, %", "images"], rows)
        + "<p class='soft'>Precision: of what was read as the class, the share that is it. Recall: of the images of "
        "the class, the share that was read so. F1 is their harmonic mean. On validation.</p>"
    )


def _class_row(labels: Sequence[str], score: ClassScore) -> list[str]:
    shares = ["" if one is None else f"{100 * one:.2f}" for one in (score.precision, score.recall, score.f1)]
    return [labels[score.label], *shares, f"{score.support:,}"]


def _mistakes(report: "TrainingReport", album: "PagePictures") -> str:
    labels, mistakes = report.labels, report.validation.mistakes
    total = len(mistakes)
    if not total:
        return "<h2>Misread images</h2><p>None on validation.</p>"
    shown = mistakes[:MOST_MISTAKES]
    figures = [
        tiles.draw_tile(
            image, f"{labels[mistake.label]} as {labels[mistake.predicted]}, {format_confidence(mistake.confidence)}"
        )
        for mistake, image in zip(shown, album.mistakes, strict=False)
    ]
    which = f"The {len(shown)} surest of {total}" if total > len(shown) else f"All {total}"
    return (
        f"<h2>Misread images</h2><p>{which} on validation, the surest first: the true class, what it was read as, and "
        "how sure the model was (the softmax of its ten logits, which only the export calibrates).</p>"
        + tiles.draw_gallery(figures)
    )


def _data(report: "TrainingReport", album: "PagePictures") -> str:
    counts = (report.train_counts, report.validation_counts)
    rows = [[label, *(f"{one:,}" for one in row)] for label, *row in zip(report.labels, *counts, strict=True)]
    rows.append(["all", *(f"{sum(one):,}" for one in counts)])
    strips = [
        tiles.draw_strip(images, label, f"Training images of the class {label}")
        for label, images in zip(report.labels, album.samples, strict=True)
        if len(images)
    ]
    return (
        f"<h2>The data</h2><div class='plots'>{plots.draw_classes(report.labels, *counts)}"
        f"<div>{_table(['class', 'training', 'validation'], rows)}</div></div>"
        f"<p>The first training images of each class:</p>{tiles.draw_strips(strips)}"
    )


def _training_images(report: "TrainingReport", album: "PagePictures") -> str:
    strips = [
        tiles.draw_strip(images, "", "A training image as it is, and distorted as in training")
        for images in album.variants
    ]
    if not _distorts(report.training.recipe):
        return _extras(report, album)
    # Cards written before distortion could fade do not have the field.
    left = report.training.recipe.get("last_distortion", 1)
    fading = "" if left == 1 else f", by less each time, at last {format_percent(left, 0)} of it"
    return (
        f"<h2>What training makes of it</h2><p>Each training image is distorted anew in every epoch{fading}. On the "
        "left as it is, then as the first epoch might see it:</p>"
        f"{tiles.draw_strips(strips)}{_extras(report, album)}"
    )


def _extras(report: "TrainingReport", album: "PagePictures") -> str:
    if not report.extras_per_epoch:
        return ""
    names = ["none" if label == NOT_A_DIGIT else report.labels[label] for label in album.extras.labels]
    drawn = [tiles.draw_tile(image, name) for image, name in zip(album.extras.pixels, names, strict=True)]
    return (
        f"<p>In every epoch {report.extras_per_epoch:,} drawn images join them, such as these, so that the model "
        f"learns what belongs to none of the classes:</p>{tiles.draw_gallery(drawn)}"
    )


def _origins(report: "TrainingReport") -> str:
    training, network = report.training, report.architecture
    facts = [
        f"Network: {network.name}, {network.parameters:,} parameters, {network.macs:,} multiply-adds an image.",
        f"Command: {training.command}",
        *_ancestry(training),
        f"Device: {training.device}; {report.median_epoch_seconds:.1f} s an epoch in the median, validation included, "
        f"{sum(epoch.seconds for epoch in training.history):,.0f} s in all.",
        f"Trained on {training.train.name}, SHA-256 {training.train.sha256}.",
        f"Chosen on {training.validation.name}, SHA-256 {training.validation.sha256}.",
        f"The model.keras it is about has SHA-256 {report.model_sha256}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in training.tools.items()) + ".",
        "Recipe: " + ", ".join(f"{name} {value:g}" for name, value in training.recipe.items()) + ".",
    ]
    return "<h2>Where it comes from</h2><ul>" + "".join(f"<li>{_text(fact)}</li>" for fact in facts) + "</ul>"


def _ancestry(training: "Training") -> list[str]:
    """List further facts of a run: a published recipe, ancestors, other seeds, devices, half precision."""
    facts = ["The recipe is that of the network's published description."] * (training.recipe_of == "description")
    if training.start:
        facts.append(f"Started from the weights of {training.start.name}, SHA-256 {training.start.sha256}.")
    facts += [f"Taught by {teacher.name}, SHA-256 {teacher.sha256}." for teacher in training.teachers]
    if seeds := training.seeds:
        each = ", ".join(f"{format_percent(run.validation_accuracy)} of seed {run.seed}" for run in seeds.runs)
        facts.append(
            f"The best of {len(seeds.runs)} seeds on validation: {each}; mean {format_percent(seeds.mean)}, standard "
            f"deviation {100 * seeds.deviation:.2f} points."
        )
    if training.devices > 1:
        facts.append(f"{training.devices} devices shared each batch.")
    if training.precision != "float32":
        facts.append(f"Layers computed in {training.precision}; weights and the saved model are float32.")
    return facts


def _grid(drawings: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(drawings)}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'


def _text(text: str) -> str:
    return escape_html(text)
