"""Printed forms filled in by hand: labels, combs, long boxes and underlines, with words and numbers in them."""

from dataclasses import dataclass, field

import numpy as np

from ..contents import WIDEST_STROKE, PageContent, choose_pen
from ..handwriting import Hand, Path, WritingLayout, draw_hand
from ..marks import Mark, Print
from ..pens import PRESS, Layer, Pen
from .lines import box_lines, choose_words, line, place, write_character, write_line
from .notes import write_number

LABELS = (
    "Name", "Account number", "Date of birth", "Telephone", "Amount", "Postcode", "Customer", "Town", "Reference",
    "Signature", "Total", "Order no.", "Policy number", "Street", "Passport", "Employer", "Membership", "Remarks",
)  # fmt: skip
TITLES = ("Application for membership", "Registration form", "Delivery note", "TAX RETURN", "Patient record", "Order")
# The width of a form, mm.
WIDTH_MM = 110.0


@dataclass
class _Form:
    """A form that grows from the top: the print and lines so far, and what is written in it."""

    hand: Hand
    height_mm: float
    y: float = 0.0
    rows: list[str] = field(default_factory=list)
    printed: list[Mark] = field(default_factory=list)
    lines: list[Path] = field(default_factory=list)
    ink: list[Path] = field(default_factory=list)


def draft_form(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a form: labels, some fields with a number, others with words."""
    form = _Form(draw_hand(random), float(random.uniform(*layout.height_mm)))
    if random.random() < 0.6:
        form.printed.append(Print(TITLES[random.integers(len(TITLES))], (0, -4), random.uniform(3.5, 5), bold=0.08))
    count = int(random.integers(layout.rows[0], layout.rows[1] + 1))
    numbers = [True] * count + [False] * int(random.integers(0, 5))
    random.shuffle(numbers)
    above = bool(random.random() < 0.4)
    for has_number in numbers:
        _add_field(form, has_number, above, layout, random)
    ink = Layer(choose_pen(pens, random), tuple(form.ink), WIDEST_STROKE * form.height_mm)
    printed = Layer(PRESS, tuple(form.lines), random.uniform(0.15, 0.5))
    return PageContent(tuple(form.rows), (printed, ink), form.height_mm, marks=tuple(form.printed))


def _add_field(form: _Form, has_number: bool, above: bool, layout: WritingLayout, random: np.random.Generator) -> None:
    """Add a field with its label above or at its left."""
    height = form.height_mm
    text, size = LABELS[random.integers(len(LABELS))], random.uniform(2.0, 2.8)
    left = 0.0 if above else 36.0
    if above:
        form.y += 2 * size
    form.printed.append(Print(text, (0.0, form.y if above else form.y + height), size, cover=random.uniform(0.5, 0.9)))
    top = form.y + 0.6 * size if above else form.y
    if not has_number:
        bottom = _add_words(form, left, top, random)
    elif random.random() < 0.5:
        bottom = _add_comb(form, left, top, layout, random)
    else:
        bottom = _add_long_box(form, left, top, layout, random)
    form.y = bottom + random.uniform(0.3, 0.9) * height


def _add_comb(form: _Form, left: float, top: float, layout: WritingLayout, random: np.random.Generator) -> float:
    """Add a box for each digit, with digits in the first of them; return the bottom."""
    count = int(random.integers(layout.digits[0], layout.digits[1] + 1))
    boxes = count + int(random.integers(0, 3))
    wide, high = random.uniform(0.85, 1.15) * form.height_mm, random.uniform(1.25, 1.6) * form.height_mm
    closed, gap = random.random() < 0.6, random.choice([0.0, 0.0, 0.2 * wide])
    step, bottom = wide + gap, top + high
    for index in range(boxes):
        x = left + index * step
        if closed:
            form.lines += box_lines(x, top, x + wide, bottom)
        else:
            form.lines += (line(x, bottom, x + wide, bottom), line(x, bottom - 0.4 * high, x, bottom))
    number = "".join(str(digit) for digit in random.integers(0, 10, count))
    for index, digit in enumerate(number):
        glyph = write_character(digit, form.hand, random)
        points = np.concatenate(glyph)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        at = np.array([left + (index + 0.5) * step - gap / 2, top + high / 2])
        at += random.normal(0, 0.07, 2) * (wide, high) - form.height_mm * middle
        form.ink += place(glyph, form.height_mm, *at.tolist())
    form.rows.append(number)
    return bottom


def _add_long_box(form: _Form, left: float, top: float, layout: WritingLayout, random: np.random.Generator) -> float:
    """Add a long box or an underline with a number on it; now and then it touches the line. Return the bottom."""
    height = form.height_mm
    number, strokes = write_number(int(random.integers(layout.digits[0], layout.digits[1] + 1)), form.hand, random)
    high = random.uniform(1.2, 1.7) * height
    bottom = top + high
    right = max(left + height * np.concatenate(strokes)[:, 0].max() + 2, random.uniform(left + 30, WIDTH_MM))
    if random.random() < 0.55:
        form.lines += box_lines(left, top, right, bottom)
    else:
        form.lines.append(line(left, bottom, right, bottom))
    foot = bottom - random.uniform(-0.02, 0.35) * height
    form.ink += place(strokes, height, left + random.uniform(0.3, 1.2) * height, foot)
    form.rows.append(number)
    return bottom


def _add_words(form: _Form, left: float, top: float, random: np.random.Generator) -> float:
    """Add a box or an underline with words on it; return the bottom."""
    height = form.height_mm
    bottom = top + 1.45 * height
    joined = bool(random.random() < 0.5)
    strokes = write_line(choose_words(int(random.integers(1, 4)), random), form.hand, random, 0.18, joined)
    right = max(left + height * np.concatenate(strokes)[:, 0].max() + 3, WIDTH_MM)
    form.lines += box_lines(left, top, right, bottom) if random.random() < 0.4 else (line(left, bottom, right, bottom),)
    form.ink += place(strokes, height, left + 1.0, bottom - 0.3 * height)
    return bottom
