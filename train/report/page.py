"""The page of a training report: one HTML file without scripts or external resources."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...edge.common.pages.page import PageTable, render_page
from ...edge.common.pages.tiles import DigitTile, draw_strip, draw_tile
from ...edge.common.terminal.formatting import describe_p, format_confidence, format_percent
from ..augmentation.outliers import NOT_A_DIGIT
from . import plots
from .figures import ClassScore

if TYPE_CHECKING:
    from ...edge.bundle.training_record import Training
    from .figures import Milestone, PagePictures, TrainingReport

SIGNIFICANCE = 0.05
MOST_CONFUSIONS = 10
MOST_MISTAKES = 100


def format_page(report: "TrainingReport", album: "PagePictures") -> str:
    """Render the page from the figures and the pictures."""
    training, labels, confusions = report.training, report.labels, report.validation.confusions
    counts = (report.train_counts, report.validation_counts)
    return render_page(
        "training.html",
        name=_name_run(report),
        report=report,
        training=training,
        verdict=_describe_verdict(report),
        summary=_summarize(report),
        curves=_draw_curves(report),
        curves_note=_explain_curves(report),
        pace=_tabulate_pace(report),
        missed=_name_missed(report),
        confusion_matrix=plots.draw_confusion(labels, report.validation),
        confusions=PageTable(
            ["the most common", "images"],
            [[f"{labels[one.label]} read as {labels[one.predicted]}", str(one.count)]
             for one in confusions[:MOST_CONFUSIONS]],
        ),
        rest=_describe_rest([one.count for one in confusions[MOST_CONFUSIONS:]]),
        classes=_tabulate_classes(report),
        mistakes=_draw_mistakes(report, album),
        data_chart=plots.draw_classes(labels, *counts),
        data=_tabulate_data(report),
        samples=[
            draw_strip(images, label, f"Training images of the class {label}")
            for label, images in zip(labels, album.samples, strict=True)
            if len(images)
        ],
        distorts=_distorts(training.recipe),
        fading=_describe_fading(training.recipe),
        variants=[
            draw_strip(images, "", "A training image as it is, and distorted as in training")
            for images in album.variants
        ],
        extras=_draw_extras(report, album),
        origins=_list_origins(report),
    )  # fmt: skip


def _draw_curves(report: "TrainingReport") -> list[str]:
    training = report.training
    return [
        plots.draw_accuracy(training.history, training.best_epoch, report.validation.count),
        plots.draw_loss(training.history, training.best_epoch),
        plots.draw_learning_rate(_first_rate(training), report.learning_rates, training.best_epoch),
        plots.draw_seconds(training.history),
    ]


def _name_run(report: "TrainingReport") -> str:
    """Name the run so that its page differs from those of other runs of the same network."""
    training = report.training
    parts = [f"{report.name} on {training.dataset}", f"seed {training.seed}"]
    if training.start:
        parts.append(f"started from {training.start.name}")
    if training.teachers:
        parts.append(f"taught by {_name_teachers(training)}")
    return ", ".join(parts)


def _name_teachers(training: "Training") -> str:
    return " and ".join(dict.fromkeys(teacher.name for teacher in training.teachers))


def _describe_verdict(report: "TrainingReport") -> str:
    """Describe, in Markdown, the accuracy on validation and the gain over the baseline."""
    scores, gain, training = report.validation, report.gain, report.training
    low, high = scores.interval
    errors = scores.count - scores.correct
    change = "loss" if gain.gain_pp < 0 else "gain"
    chance = "which chance explains" if gain.p >= SIGNIFICANCE else "more than chance explains"
    return (
        f"It reads **{format_percent(scores.correct / scores.count)}** of {scores.count:,} validation "
        f"images ({errors} {'error' if errors == 1 else 'errors'}; 95 % interval {100 * low:.2f} to {100 * high:.2f}). "
        f"Logistic regression, fitted within {gain.seconds:.1f} s to the same {training.train.count:,} training images "
        f"as they are, reads {format_percent(gain.baseline_correct / scores.count)}: a {change} of "
        f"**{abs(gain.gain_pp):.2f} points** ({gain.won} images won, {gain.lost} lost; {describe_p(gain.p)}, {chance})."
    )


def _summarize(report: "TrainingReport") -> PageTable:
    scores, training = report.validation, report.training
    rows = [
        ["accuracy on validation", format_percent(scores.correct / scores.count)],
        ["accuracy of logistic regression", format_percent(report.gain.baseline_correct / scores.count)],
        ["best epoch", f"{training.best_epoch} of {len(training.history)}"],
        ["training time, s", f"{sum(epoch.seconds for epoch in training.history):,.0f}"],
        ["parameters", f"{report.architecture.parameters:,}"],
        ["multiply-adds an image", f"{report.architecture.macs:,}"],
    ]
    return PageTable(["", ""], rows)


def _first_rate(training: "Training") -> float:
    """Return the learning rate of the first step."""
    return 0.0 if training.recipe["warmup_epochs"] else training.recipe["learning_rate"]


def _explain_curves(report: "TrainingReport") -> str:
    """Explain why the curves of training and validation differ."""
    recipe = report.training.recipe
    harder = ["its images are distorted"] if _distorts(recipe) else []
    harder += ["drawn images that mostly belong to no class join them"] if report.extras_per_epoch else []
    harder += [f"its labels are smoothed ({recipe['label_smoothing']:g})"] if recipe.get("label_smoothing") else []
    why = f"Training is harder than validation here: {', '.join(harder)}. Its" if harder else "Training's"
    averaged = "Validation is measured on the moving average of the weights, which in the first epochs still remembers "
    return (
        f"{why} figures are means over an epoch in which the weights change. "
        f"{averaged + 'how they began.' if recipe.get('ema_share') else ''} {_compare_losses(report.training)}"
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


def _tabulate_pace(report: "TrainingReport") -> PageTable:
    reached = [one for one in report.milestones if any(one.epochs)]
    several = len(reached[0].epochs) > 1 if reached else False
    head = (
        ["seeds that reached it", "epoch, median", "seconds, median", "seconds, each seed"]
        if several
        else ["epoch", "seconds"]
    )
    rows = [[format_percent(one.accuracy, 1), *(_list_seeds(one) if several else _list_one(one))] for one in reached]
    return PageTable(["validation reached", *head], rows)


def _name_missed(report: "TrainingReport") -> str:
    """Return the first accuracy that no seed reached; empty if there is none."""
    return next((format_percent(one.accuracy, 1) for one in report.milestones if not any(one.epochs)), "")


def _list_one(milestone: "Milestone") -> list[str]:
    return [f"{place}" for place in milestone.epochs] + [_in_seconds(one) for one in milestone.seconds]


def _list_seeds(milestone: "Milestone") -> list[str]:
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


def _describe_rest(counts: Sequence[int]) -> str:
    """Describe the confusions that the table omits: how many, and how common; `counts` has the most common first."""
    if not counts:
        return ""
    often = "once" if counts[0] == 1 else f"{counts[0]} times"
    each = "" if len(counts) == 1 else " each" if counts[0] == counts[-1] else " at most"
    return f"And {len(counts)} more, {often}{each}."


def _tabulate_classes(report: "TrainingReport") -> PageTable:
    rows = [_class_row(report.labels, score) for score in report.validation.classes]
    scores = [
        [one for one in values if one is not None]
        for values in zip(*((one.precision, one.recall, one.f1) for one in report.validation.classes), strict=True)
    ]
    means = [f"{100 * sum(values) / len(values):.2f}" if values else "" for values in scores]
    rows.append(["mean", *means, f"{report.validation.count:,}"])
    return PageTable(["class", "precision, %", "recall, %", "F1, %", "images"], rows)


def _class_row(labels: Sequence[str], score: ClassScore) -> list[str]:
    shares = ["" if one is None else f"{100 * one:.2f}" for one in (score.precision, score.recall, score.f1)]
    return [labels[score.label], *shares, f"{score.support:,}"]


def _draw_mistakes(report: "TrainingReport", album: "PagePictures") -> list[DigitTile]:
    """Draw misread images, the most certain first."""
    labels = report.labels
    return [
        draw_tile(
            image, f"{labels[mistake.label]} as {labels[mistake.predicted]}, {format_confidence(mistake.confidence)}"
        )
        for mistake, image in zip(report.validation.mistakes[:MOST_MISTAKES], album.mistakes, strict=False)
    ]


def _tabulate_data(report: "TrainingReport") -> PageTable:
    counts = (report.train_counts, report.validation_counts)
    rows = [[label, *(f"{one:,}" for one in row)] for label, *row in zip(report.labels, *counts, strict=True)]
    rows.append(["all", *(f"{sum(one):,}" for one in counts)])
    return PageTable(["class", "training", "validation"], rows)


def _describe_fading(recipe: Mapping[str, float]) -> str:
    # Cards written before distortion could fade do not have the field.
    left = recipe.get("last_distortion", 1)
    return "" if left == 1 else f", by less each time, at last {format_percent(left, 0)} of it"


def _draw_extras(report: "TrainingReport", album: "PagePictures") -> list[DigitTile]:
    if not report.extras_per_epoch:
        return []
    names = ["none" if label == NOT_A_DIGIT else report.labels[label] for label in album.extras.labels]
    return [draw_tile(image, name) for image, name in zip(album.extras.pixels, names, strict=True)]


def _list_origins(report: "TrainingReport") -> list[str]:
    training, network = report.training, report.architecture
    return [
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
