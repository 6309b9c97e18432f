"""The content of a sheet: rows of digits, words, signs, boxes, combs, ruled lines, tables and scribbles."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ....edge.data.images import Images
from .sheet import LinePen, Sheet
from .writing import DigitStyle, Typeface, choose_style, make_word

SIGNS = "+-x=/().,:$%#€*[]|"
# Digits' heights: smallest in pixels, largest as a share of the sheet's. Most sheets have smaller ones; a single digit
# may be larger.
SMALLEST, LARGEST = 18, 1 / 3
MOST_LARGEST, MOST_LARGEST_SHARE = 1 / 6, 0.7
LARGEST_SINGLE = (0.35, 0.9)
# Sheets whose words are in the font of the digits, and whose rows are close.
SAME_FONT, TIGHT = 0.25, 0.25
ROW_PITCH, TIGHT_PITCH = (1.15, 2.2), (1.08, 1.3)
# Lines: strength, thickness in heights of a digit, share of straight ones, and the others' wobble in pixels.
LINE_STRENGTH, LINE_THICKNESS, STRAIGHT, WOBBLE = (0.35, 1.0), 0.07, 0.6, (0.3, 1.5)
# Rows of words among those of digits on a form and on any other page, and their heights in those of digits.
WORDS_ON_FORM, WORDS_ON_PAGE, WORD_HEIGHT = 0.35, 0.12, (0.4, 1.1)
# Rows of a form with a word before them, with a line below them, and in boxes: none, each its own, or a comb.
LABELLED, UNDERLINED, BOXED = 0.3, 0.3, (0.4, 0.3, 0.3)
# Rows of several digits, rows whose digits are close, rows with signs, and the signs in these.
SEVERAL, CLOSE_ROWS, ROWS_WITH_SIGNS, SIGNS_OF_ROW = 0.8, 0.45, 0.25, 0.18
CLOSE_GAP, GAP = (0.0, 0.2), (0.08, 0.6)
# The share of rows after which the sheet stays empty.
LAST_ROW = 0.12
RULED_FORM, RULED_PAGE, WITH_COLUMNS = 0.55, 0.1, 0.4
SCRIBBLES = 0.6
TEXT_HEIGHT, TEXT_PITCH = (12, 50), (1.1, 1.8)


class Boxes(Enum):
    """The boxes around a row of digits."""

    NONE = 0
    EACH = 1
    COMB = 2


@dataclass(frozen=True)
class Plan:
    """The choices for a whole sheet.

    Attributes:
        style: The digits' style.
        height: The digits' height in pixels.
        words: The font of words.
        lines: The pen of lines.
        pen: The pen of scribbles, in pixels.
        pitch: Smallest and largest distance of rows, in heights.
        is_form: Whether the sheet is a form, with boxes and lines.
        is_single: Whether the sheet has one digit only.
    """

    style: DigitStyle
    height: float
    words: Typeface
    lines: LinePen
    pen: int
    pitch: tuple[float, float]
    is_form: bool
    is_single: bool


def plan_sheet(
    sheet: Sheet,
    digits: Images,
    typefaces: tuple[Typeface, ...],
    random: np.random.Generator,
    is_form: bool = False,
    is_single: bool = False,
) -> Plan:
    """Choose the writing and the pens of a sheet."""
    high = sheet.ink.shape[0]
    height = float(np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST * high))))
    if random.random() < MOST_LARGEST_SHARE:
        height = min(height, MOST_LARGEST * high)
    if is_single:
        height = float(random.uniform(*LARGEST_SINGLE)) * high
    style = choose_style(digits, typefaces, random)
    is_same = style.font is not None and random.random() < SAME_FONT
    return Plan(
        style=style,
        height=height,
        words=style.font if is_same and style.font else typefaces[int(random.integers(len(typefaces)))],
        lines=LinePen(
            thickness=max(1, round(random.uniform(1, max(1.5, LINE_THICKNESS * height)))),
            strength=float(random.uniform(*LINE_STRENGTH)),
            wobble=0.0 if random.random() < STRAIGHT else float(random.uniform(*WOBBLE)),
        ),
        pen=max(1, round(height * random.uniform(0.03, 0.1))),
        pitch=TIGHT_PITCH if random.random() < TIGHT else ROW_PITCH,
        is_form=is_form,
        is_single=is_single,
    )


def fill_page(sheet: Sheet, plan: Plan, random: np.random.Generator) -> None:
    """Fill a sheet with rows of digits and, between them, words and lines."""
    (high, wide), height = sheet.ink.shape, plan.height
    if plan.is_single:
        write_row(
            sheet, plan, random.uniform(0.02, 0.6) * wide, random.uniform(0.02, 0.98) * (high - height), 1, random
        )
    else:
        y = high * random.uniform(0.02, 0.3)
        while y < high - 0.8 * height:
            if random.random() < (WORDS_ON_FORM if plan.is_form else WORDS_ON_PAGE):
                of_word = height * random.uniform(*WORD_HEIGHT)
                write_words(sheet, plan.words, y, of_word, random)
                y += 1.6 * of_word
                continue
            _fill_row(sheet, plan, y, random)
            y += height * random.uniform(*plan.pitch)
            if random.random() < LAST_ROW:
                break
    if random.random() < (RULED_FORM if plan.is_form else RULED_PAGE):
        rule_sheet(sheet, plan, random)
    for _ in range(random.poisson(SCRIBBLES)):
        scribble(sheet, plan, random)


def _fill_row(sheet: Sheet, plan: Plan, y: float, random: np.random.Generator) -> None:
    """Write a row of digits; on a form with a word before it, boxes around it or a line below it."""
    wide, height = sheet.ink.shape[1], plan.height
    x = wide * random.uniform(0.02, 0.4)
    count = int(random.integers(1, 9)) if random.random() < SEVERAL else 1
    boxes = Boxes(int(random.choice(3, p=BOXED))) if plan.is_form else Boxes.NONE
    if plan.is_form and random.random() < LABELLED:
        word = plan.words.draw(f"{make_word(random)}:", max(8, int(height * random.uniform(0.4, 0.9))))
        if word is not None:
            sheet.put(word, x, y + 0.2 * height)
            x += word.shape[1] + 0.5 * height
    write_row(sheet, plan, x, y, count, random, boxes)
    if plan.is_form and random.random() < UNDERLINED:
        below = y + height * random.uniform(0.98, 1.2)
        start = 0.0 if random.random() < 0.5 else x
        end = wide if random.random() < 0.5 else min(wide, x + count * height)
        plan.lines.draw(sheet, (start, below), (end, below + random.normal(0, 0.02) * wide), random)


def write_row(
    sheet: Sheet, plan: Plan, x: float, y: float, count: int, random: np.random.Generator, boxes: Boxes = Boxes.NONE
) -> None:
    """Write up to `count` digits from (x, y), with signs between those of some rows."""
    height = plan.height
    gap = random.uniform(*(CLOSE_GAP if random.random() < CLOSE_ROWS else GAP))
    signs = SIGNS_OF_ROW if random.random() < ROWS_WITH_SIGNS else 0.0
    for _ in range(count):
        if x > sheet.ink.shape[1] - 0.6 * height:
            return
        if random.random() < signs:
            sign = (plan.style.font or plan.words).draw(str(random.choice(list(SIGNS))), int(1.1 * height))
            if sign is not None:
                sheet.put(sign, x, y + height * random.uniform(0, 0.2) + 0.5 * (height - sign.shape[0]))
                x += sign.shape[1] + gap * height * random.uniform(0.5, 1)
            continue
        ink, digit = plan.style.draw(height * random.uniform(0.88, 1.12), random)
        sheet.put(ink, x, y + height * random.normal(0, 0.04), digit=digit)
        if boxes is Boxes.NONE:
            x += ink.shape[1] + height * (gap * random.uniform(0.6, 1.4) - plan.style.blank)
        else:
            x = _draw_box(sheet, plan, (x, y, ink.shape[1]), boxes, random)


def _draw_box(
    sheet: Sheet, plan: Plan, place: tuple[float, float, int], boxes: Boxes, random: np.random.Generator
) -> float:
    """Draw a box around a digit at (x, y) of a width, and return where the next digit begins."""
    x, y, width = place
    height, apart = plan.height, plan.height * random.uniform(0.05, 0.3)
    half = width / 2 + apart if boxes is Boxes.EACH else 0.6 * height
    left, right, top, bottom = x + width / 2 - half, x + width / 2 + half, y - apart, y + height + apart
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        plan.lines.draw(sheet, start, end, random)
    return right + (apart + 0.05 * height if boxes is Boxes.EACH else 0.1 * width)


def write_words(sheet: Sheet, typeface: Typeface, y: float, size: float, random: np.random.Generator) -> None:
    """Write a line of words of this font size in pixels."""
    wide = sheet.ink.shape[1]
    x = wide * random.uniform(0.02, 0.2)
    while x < wide * random.uniform(0.6, 1):
        word = typeface.draw(make_word(random), max(8, int(size)))
        if word is None:
            return
        sheet.put(word, x, y, strength=random.uniform(0.8, 1))
        x += word.shape[1] + 0.4 * size


def fill_text(sheet: Sheet, typeface: Typeface, random: np.random.Generator) -> None:
    """Fill a sheet with lines of words."""
    size, high = random.uniform(*TEXT_HEIGHT), sheet.ink.shape[0]
    y = high * random.uniform(0, 0.2)
    while y < high:
        write_words(sheet, typeface, y, size, random)
        y += size * random.uniform(*TEXT_PITCH)


def rule_sheet(sheet: Sheet, plan: Plan, random: np.random.Generator) -> None:
    """Rule a sheet, somewhat tilted; some sheets with columns too."""
    high, wide = sheet.ink.shape
    faint = LinePen(plan.lines.thickness, 0.8 * plan.lines.strength, plan.lines.wobble)
    step, tilt = plan.height * random.uniform(1.1, 2.2), random.normal(0, 0.03) * wide
    for y in np.arange(random.uniform(0, step), high, step).tolist():
        faint.draw(sheet, (0, y), (wide, y + tilt), random)
    if random.random() < WITH_COLUMNS:
        for x in np.arange(random.uniform(0, step), wide, step * random.uniform(0.8, 4)).tolist():
            faint.draw(sheet, (x, 0), (x - tilt, high), random)


def scribble(sheet: Sheet, plan: Plan, random: np.random.Generator) -> None:
    """Draw a stroke, an arc, a zigzag, or a line from the upper to the lower edge."""
    (high, wide), kind = sheet.ink.shape, random.integers(4)
    start, size = random.uniform(0, 1, 2) * (wide, high), plan.height * random.uniform(0.3, 4)
    if kind == 0:
        end = start + random.normal(0, size, 2)
        LinePen(plan.pen, 1.0, plan.lines.wobble).draw(sheet, tuple(start), tuple(end), random)
    elif kind == 1:
        angle = np.radians(np.linspace(0, random.uniform(180, 360), 64))
        turn, flat = np.radians(random.uniform(0, 180)), random.uniform(0.4, 1)
        arc = size * np.stack([np.cos(angle), flat * np.sin(angle)], axis=1)
        turned = arc @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        sheet.draw_path(start + turned, plan.pen)
    elif kind == 2:
        sheet.draw_path(start + np.cumsum(random.normal(0, 0.3 * size, (8, 2)), axis=0), plan.pen)
    else:
        plan.lines.draw(sheet, (start[0], 0), (start[0] + random.normal(0, 20), high), random)
