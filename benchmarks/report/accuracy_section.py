"""The page's section on accuracy: figures and drops with intervals, digit by digit, confusions, changed digits."""

import base64
from collections.abc import Sequence

from ...edge.common.opencv import cv
from ...edge.common.pages.html import Html, join, link_raw, paragraph, section, table, to_html, two_lines
from ...edge.common.statistics import wilson_interval
from ...edge.common.terminal.formatting import describe_p, format_p
from ...edge.data.images import Images
from ..results.findings import AccuracyGroup, group_alike, name_group
from ..results.schema import Accuracy, Results
from ..results.wording import judge_drop, row_label
from .latency_plots import kind_of
from .range_chart import ChartRow, draw_interval, make_signed_axis, render_row_chart

# A file that changes more digits is broken, and this many show it.
MOST_SHOWN = 60

STYLE = """
.sheet { display: flex; flex-wrap: wrap; gap: .8rem; } .sheet figure { margin: 0; width: 5.6rem; font-size: .8rem; }
.sheet img { width: 5.25rem; height: 5.25rem; image-rendering: pixelated; border: 2px solid var(--line); }
.sheet .lost img { border-color: var(--bad); } .sheet .gained img { border-color: var(--third); }
"""


def draw_changed(groups: Sequence[AccuracyGroup], images: Images | None) -> Html:
    """Draw a sheet for each file that changes an image; a sentence if none does, or if the images are not available.

    Args:
        groups: Groups of rows that read every image alike.
        images: The images they were evaluated on; None if not available.
    """
    changed = [group for group in groups if group.accuracy.lost or group.accuracy.gained]
    parts = [Html('<h3 id="changed">Changed digits</h3>')]
    if not changed:
        return join(
            [*parts, paragraph("No file reads an image otherwise than float32 does, where both were compared.")]
        )
    if images is None:
        parts.append(paragraph("The images were not at hand when this page was made, so only their places are here."))
    return join([*parts, *(_draw_sheet(group, images) for group in changed)])


def _draw_sheet(group: AccuracyGroup, images: Images | None) -> Html:
    accuracy, name = group.accuracy, row_label(group.rows[0])
    title = (
        f"{name}: {len(accuracy.lost)} lost (read right by float32 and not by this file), {len(accuracy.gained)} "
        "gained."
    )
    if images is None:
        return paragraph(f"{title} Lost: {_list(accuracy.lost)}. Gained: {_list(accuracy.gained)}.")
    named = dict(accuracy.misread)
    tiles = [_draw_tile(images, place, "lost", f"read as {named.get(place, '?')}") for place in accuracy.lost]
    tiles += [_draw_tile(images, place, "gained", "now right") for place in accuracy.gained]
    shown = f" The first {MOST_SHOWN} are shown." if len(tiles) > MOST_SHOWN else ""
    return Html(f"{paragraph(title + shown)}<div class='sheet'>{join(tiles[:MOST_SHOWN])}</div>")


def _draw_tile(images: Images, place: int, kind: str, words: str) -> Html:
    encoded = cv.imencode(".png", 255 - images.pixels[place, :, :, 0])[1]
    source = base64.b64encode(encoded.tobytes()).decode("ascii")
    label = int(images.labels[place])
    return Html(
        f'<figure class="{kind}"><img alt="image {place}, a {label}, {kind}" src="data:image/png;base64,{source}">'
        f"<figcaption>a {label}, {to_html(words)} <small>image {place}</small></figcaption></figure>"
    )


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:MOST_SHOWN])) + (", …" if len(places) > MOST_SHOWN else "") or "none"


HEAD = ["file", "on", "accuracy %", "right of", "drop vs float, points", "lost / gained", "p", "vs float, in words",
        "drop vs Keras, points", "agrees with Keras %"]  # fmt: skip


def draw_accuracies(results: Results, images: Images | None, file: str) -> Html:
    """Draw the whole section.

    Args:
        results: The run to show.
        images: The images that it was evaluated on; None if not available.
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


def _cells(results: Results, group: AccuracyGroup) -> list[str]:
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


def _has_drop(group: AccuracyGroup) -> bool:
    return group.rows[0].precision != "float32" and judge_drop(group.accuracy) != ""


def _draw_drops(results: Results, groups: Sequence[AccuracyGroup], file: str) -> Html:
    found = [group for group in groups if _has_drop(group)]
    drops = [_drop(group.accuracy) for group in found]
    if not drops:
        return Html("")
    bounds = [bound for value, interval in drops for bound in (value, *interval)]
    axis = make_signed_axis("points of accuracy lost against float32; left of 0 is a gain", bounds)
    lanes = [
        ChartRow(
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
        f"<h3>Drop from float32, with 95 % intervals</h3><figure>{render_row_chart(axis, lanes)}"
        f"<figcaption>{raw}</figcaption></figure>"
    )


def _drop(accuracy: Accuracy) -> tuple[float, tuple[float, float]]:
    value = accuracy.drop_vs_float_pp or 0.0
    return value, accuracy.drop_interval_pp or (value, value)


def _tabulate_digits(results: Results, groups: Sequence[AccuracyGroup]) -> Html:
    """Tabulate the share of each digit's images that is read correctly."""
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


def _draw_confusions(results: Results, groups: Sequence[AccuracyGroup], file: str) -> Html:
    """Draw the confusions: a table for each group behind its name."""
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
