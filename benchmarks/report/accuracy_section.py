"""The page's section on accuracy: figures and drops with intervals, digit by digit, confusions, changed digits."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...edge.common.pages.page import PageFigure, PageTable, TableCell
from ...edge.common.pages.row_charts import ChartRow, draw_rows
from ...edge.common.pages.tiles import DigitTile, draw_tile
from ...edge.common.statistics import wilson_interval
from ...edge.common.terminal.formatting import describe_p, format_p
from ...edge.data.images import Images
from ..results.findings import AccuracyGroup, group_alike, name_group
from ..results.schema import Accuracy, Results
from ..results.wording import judge_drop, row_label
from .cost_section import kind_of

# A file that changes more digits is broken, and this many show it.
MOST_SHOWN = 60
HEAD = ["file", "on", "accuracy %", "right of", "drop vs float, points", "lost / gained", "p", "vs float, in words",
        "drop vs Keras, points", "agrees with Keras %"]  # fmt: skip


@dataclass(frozen=True)
class ChangedDigits:
    """The images that a file reads otherwise than float32 does: pictures, or their places if there are no images."""

    name: str
    lost: str
    gained: str
    accuracy: Accuracy
    tiles: Sequence[DigitTile]


@dataclass(frozen=True)
class AccuracyTables:
    """The content of the section.

    Attributes:
        confusions: For each group its name, its table, and the places of raw values.
    """

    table: PageTable
    drops: PageFigure | None
    digits: PageTable
    confusions: Sequence[tuple[str, PageTable, dict[str, str]]]
    changed: Sequence[ChangedDigits]


def draw_accuracies(results: Results, images: Images | None) -> AccuracyTables | None:
    """Draw the whole section; None if no accuracy was measured.

    Args:
        results: The run to show.
        images: The images that it was evaluated on; None if not available.
    """
    groups = group_alike(results)
    if not groups:
        return None
    changed = [group for group in groups if group.accuracy.lost or group.accuracy.gained]
    return AccuracyTables(
        table=PageTable(HEAD, [_cells(results, group) for group in groups], left=2),
        drops=_draw_drops(results, groups),
        digits=_tabulate_digits(results, groups),
        confusions=[_tabulate_confusions(results, group) for group in groups],
        changed=[_draw_changed(group, images) for group in changed],
    )


def _draw_changed(group: AccuracyGroup, images: Images | None) -> ChangedDigits:
    accuracy = group.accuracy
    lost, gained = _list(accuracy.lost), _list(accuracy.gained)
    tiles: list[DigitTile] = []
    if images is not None:
        named = dict(accuracy.misread)
        changes = [(place, "lost", f"read as {named.get(place, '?')}") for place in accuracy.lost]
        changes += [(place, "gained", "now right") for place in accuracy.gained]
        tiles = [_draw_tile(images, *change) for change in changes[:MOST_SHOWN]]
    return ChangedDigits(row_label(group.rows[0]), lost, gained, accuracy, tiles)


def _draw_tile(images: Images, place: int, kind: str, words: str) -> DigitTile:
    label = int(images.labels[place])
    caption = f"a {label}, {words} image {place}"
    return draw_tile(images.pixels[place], caption, f"image {place}, a {label}, {kind}", kind)


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:MOST_SHOWN])) + (", …" if len(places) > MOST_SHOWN else "") or "none"


def _cells(results: Results, group: AccuracyGroup) -> list[str | TableCell]:
    row, accuracy = group.rows[0], group.accuracy
    low, high = accuracy.interval
    against = _has_drop(group)
    interval = accuracy.drop_interval_pp
    keras = "" if accuracy.drop_vs_keras_pp is None else f"{accuracy.drop_vs_keras_pp:+z.2f}"
    return [
        row.file,
        name_group(results, group),
        TableCell(f"{100 * accuracy.share:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"),
        f"{accuracy.correct:,} of {accuracy.count:,}",
        TableCell(
            f"{accuracy.drop_vs_float_pp:+z.2f}", f"{interval[0]:+z.2f} to {interval[1]:+z.2f}" if interval else ""
        )
        if against
        else "",
        f"{len(accuracy.lost)} / {len(accuracy.gained)}" if against else "",
        format_p(accuracy.p_vs_float) if against and accuracy.p_vs_float is not None else "",
        judge_drop(accuracy) if against else "",
        keras if accuracy.p_vs_keras is None else TableCell(keras, describe_p(accuracy.p_vs_keras)),
        "" if accuracy.agreement is None else f"{100 * accuracy.agreement:.2f}",
    ]


def _has_drop(group: AccuracyGroup) -> bool:
    return group.rows[0].precision != "float32" and judge_drop(group.accuracy) != ""


def _draw_drops(results: Results, groups: Sequence[AccuracyGroup]) -> PageFigure | None:
    found = [group for group in groups if _has_drop(group)]
    if not found:
        return None
    rows = []
    for group in found:
        value = group.accuracy.drop_vs_float_pp or 0.0
        rows.append(
            ChartRow(
                name=f"{group.rows[0].file} on {name_group(results, group)}",
                note=f"n = {group.accuracy.count:,}",
                value=f"{value:+z.2f} points",
                value_note=judge_drop(group.accuracy),
                kind=kind_of(group.rows[0]),
                link=f"raw-{group.places[0]}",
                bar=group.accuracy.drop_interval_pp,
                rings=(value,),
            )
        )
    title = "Drop from float32, with 95 % intervals"
    raw = {f"rows[{group.places[0]}].accuracy.lost": f"raw-{group.places[0]}" for group in found}
    across = "points of accuracy lost against float32; left of 0 is a gain"
    return PageFigure(draw_rows(title, across, rows, zero=True), title, raw=raw)


def _tabulate_digits(results: Results, groups: Sequence[AccuracyGroup]) -> PageTable:
    """Tabulate the share of each digit's images that is read correctly."""
    totals = [sum(line) for line in groups[0].accuracy.confusion]
    head = ["file", "on", *(TableCell(str(digit), f"n = {total:,}") for digit, total in enumerate(totals))]
    lines: list[list[str | TableCell]] = []
    for group in groups:
        cells = [_digit_cell(line[digit], sum(line)) for digit, line in enumerate(group.accuracy.confusion)]
        lines.append([group.rows[0].file, name_group(results, group), *cells])
    return PageTable(head, lines, left=2)


def _digit_cell(right: int, total: int) -> TableCell:
    if not total:
        return TableCell("none")
    low, high = wilson_interval(right, total)
    return TableCell(f"{100 * right / total:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")


def _tabulate_confusions(results: Results, group: AccuracyGroup) -> tuple[str, PageTable, dict[str, str]]:
    lines = [
        [str(digit), *(_confusion_cell(digit, read, images) for read, images in enumerate(line))]
        for digit, line in enumerate(group.accuracy.confusion)
    ]
    table = PageTable(["is \\ read as", *map(str, range(10))], lines, is_matrix=True)
    name = f"{group.rows[0].file} on {name_group(results, group)}"
    return name, table, {f"rows[{group.places[0]}].accuracy.confusion": f"raw-{group.places[0]}"}


def _confusion_cell(digit: int, read: int, images: int) -> TableCell | str:
    if digit == read:
        return TableCell("", f"{images:,}")
    return TableCell(f"{images:,}", kind="wrong") if images else "·"
