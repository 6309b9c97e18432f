"""The page's part on accuracy: figures and drops with intervals, digit by digit, confusions, what changed."""

from collections.abc import Sequence

from ..edge.mnist import Images
from ..edge.shares import describe_p, format_p
from ..edge.statistics import wilson_interval
from .changed_digits import draw_changed
from .findings import Group, group_alike, name_group
from .lanes import Lane, draw_interval, draw_lanes, make_signed_axis
from .latency_plots import kind_of
from .page_parts import Html, join, link_raw, paragraph, section, table, to_html, two_lines
from .results import Accuracy, Results
from .wording import judge_drop

HEAD = ["file", "on", "accuracy %", "right of", "drop vs float, points", "lost / gained", "p", "vs float, in words",
        "drop vs Keras, points", "agrees with Keras %"]  # fmt: skip


def draw_accuracies(results: Results, images: Images | None, file: str) -> Html:
    """All of it.

    Args:
        results: A run.
        images: Those that it was evaluated on, or None where they are not at hand.
        file: Name of the JSON beside the page.
    """
    groups = group_alike(results)
    if not groups:
        return Html("")
    note = paragraph(
        "Under an accuracy, its Wilson 95 % interval; under a drop, its 95 % score interval for paired images (Tango). "
        "Runtimes that read every image alike share a line.",
        "note",
    )
    return section(
        "accuracy",
        f"Accuracy on {results.image_count:,} images",
        table(HEAD, [_cells(results, group) for group in groups], left=2),
        note,
        _draw_drops(results, groups, file),
        _tabulate_digits(results, groups),
        _draw_confusions(results, groups, file),
        draw_changed(groups, images),
    )


def _cells(results: Results, group: Group) -> list[str]:
    row, accuracy = group.rows[0], group.accuracy
    low, high = accuracy.interval
    against = _has_drop(group)
    interval = accuracy.drop_interval_pp
    drop = f"{accuracy.drop_vs_float_pp:+z.2f}" if against else ""
    keras = "" if accuracy.drop_vs_keras_pp is None else f"{accuracy.drop_vs_keras_pp:+z.2f}"
    return [
        row.file,
        name_group(results, group),
        two_lines(f"{100 * accuracy.share:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"),
        f"{accuracy.correct:,} of {accuracy.count:,}",
        two_lines(drop, f"{interval[0]:+z.2f} to {interval[1]:+z.2f}") if against and interval else drop,
        f"{len(accuracy.lost)} / {len(accuracy.gained)}" if against else "",
        format_p(accuracy.p_vs_float) if against and accuracy.p_vs_float is not None else "",
        judge_drop(accuracy) if against else "",
        keras if accuracy.p_vs_keras is None else two_lines(keras, describe_p(accuracy.p_vs_keras)),
        "" if accuracy.agreement is None else f"{100 * accuracy.agreement:.2f}",
    ]


def _has_drop(group: Group) -> bool:
    return group.rows[0].precision != "float32" and judge_drop(group.accuracy) != ""


def _draw_drops(results: Results, groups: Sequence[Group], file: str) -> Html:
    found = [group for group in groups if _has_drop(group)]
    drops = [_drop(group.accuracy) for group in found]
    if not drops:
        return Html("")
    bounds = [bound for value, interval in drops for bound in (value, *interval)]
    axis = make_signed_axis("points of accuracy lost against float32; left of 0 is a gain", bounds)
    lanes = [
        Lane(
            name=f"{group.rows[0].file} on {name_group(results, group)}",
            small=f"n = {group.accuracy.count:,}",
            value=two_lines(f"{value:+z.2f} points", judge_drop(group.accuracy)),
            content=draw_interval(axis, value, interval),
            kind=kind_of(group.rows[0]),
            target=f"raw-{group.places[0]}",
        )
        for group, (value, interval) in zip(found, drops, strict=True)
    ]
    raw = link_raw(file, {f"rows[{group.places[0]}].accuracy.lost": f"raw-{group.places[0]}" for group in found})
    return Html(
        f"<h3>Drop from float32, with 95 % intervals</h3><figure>{draw_lanes(axis, lanes)}"
        f"<figcaption>{raw}</figcaption></figure>"
    )


def _drop(accuracy: Accuracy) -> tuple[float, tuple[float, float]]:
    value = accuracy.drop_vs_float_pp or 0.0
    return value, accuracy.drop_interval_pp or (value, value)


def _tabulate_digits(results: Results, groups: Sequence[Group]) -> Html:
    """The share of each digit's images that is read right."""
    totals = [sum(line) for line in groups[0].accuracy.confusion]
    head = ["file", "on", *(two_lines(str(digit), f"n = {total:,}") for digit, total in enumerate(totals))]
    lines: list[list[str]] = []
    for group in groups:
        cells = [_digit_cell(line[digit], sum(line)) for digit, line in enumerate(group.accuracy.confusion)]
        lines.append([group.rows[0].file, name_group(results, group), *cells])
    note = paragraph("Percent of a digit's images that are read right, and Wilson's 95 % interval.", "note")
    return join([Html("<h3>Digit by digit</h3>"), table(head, lines, left=2), note])


def _digit_cell(right: int, total: int) -> Html:
    if not total:
        return Html("none")
    low, high = wilson_interval(right, total)
    return two_lines(f"{100 * right / total:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")


def _draw_confusions(results: Results, groups: Sequence[Group], file: str) -> Html:
    """What was taken for what, a table for each group behind its name."""
    parts: list[Html] = []
    for group in groups:
        name = f"{group.rows[0].file} on {name_group(results, group)}"
        lines = [
            [str(digit), *(_confusion_cell(digit, read, images) for read, images in enumerate(line))]
            for digit, line in enumerate(group.accuracy.confusion)
        ]
        grid = table(["is \\ read as", *map(str, range(10))], lines)
        raw = link_raw(file, {f"rows[{group.places[0]}].accuracy.confusion": f"raw-{group.places[0]}"})
        parts.append(Html(f"<details><summary>{to_html(name)}</summary>{grid}{raw}</details>"))
    return join([Html("<h3>Confusions</h3>"), *parts])


def _confusion_cell(digit: int, read: int, images: int) -> Html:
    if digit == read:
        return Html(f"<small>{images:,}</small>")
    return Html(f"<strong>{images:,}</strong>" if images else "·")
