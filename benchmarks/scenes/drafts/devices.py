"""Digits that a device shows: a dark inset, a segment display in its housing, a counter's wheels."""

import numpy as np

from ..contents import PageContent, ink
from ..handwriting import Path, WritingLayout, write_rows
from ..marks import Mark, Patch, Print, box_patch, measure_text
from ..pens import LIGHT_PEN, Pen
from ..surfaces import Colour
from .alphabet import WORDS

# Segments of each digit: top, upper right, lower right, bottom, lower left, upper left, middle.
SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg",
}  # fmt: skip
# The ends of each segment in a box of width and height 1, y down.
ENDS = {
    "a": ((0, 0), (1, 0)), "b": ((1, 0), (1, 0.5)), "c": ((1, 0.5), (1, 1)), "d": ((0, 1), (1, 1)),
    "e": ((0, 0.5), (0, 1)), "f": ((0, 0), (0, 0.5)), "g": ((0, 0.5), (1, 0.5)),
}  # fmt: skip
INSETS: tuple[Colour, ...] = ((0.08, 0.10, 0.16), (0.10, 0.10, 0.10), (0.10, 0.20, 0.42), (0.42, 0.08, 0.10))
GLASSES: tuple[Colour, ...] = ((0.55, 0.60, 0.52), (0.62, 0.64, 0.60), (0.50, 0.56, 0.60), (0.66, 0.68, 0.55))
HOUSINGS: tuple[Colour, ...] = ((0.88, 0.88, 0.86), (0.80, 0.81, 0.82), (0.92, 0.90, 0.84))
UNITS = ("kWh", "kg", "Set", "Energy meter", "MODEL T", "Volume", "m h")


def draft_inset(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft light digits, written or printed, in a dark inset on a bright page with words around it."""
    height = float(random.uniform(*layout.height_mm))
    colour, margins = INSETS[random.integers(len(INSETS))], random.uniform(0.5, 1.5, 4) * height
    if random.random() < 0.5:
        writing = write_rows(layout, random)
        rows, layers, height = writing.rows, (ink(writing, LIGHT_PEN),), writing.height_mm
        points = np.concatenate(layers[0].paths)
        digits: list[Mark] = []
    else:
        rows = _random_rows(layout, random)
        light = (0.95, 0.95, 0.92)
        digits = [
            Print(row, (0.0, 1.6 * index * height), height, light, 0.95, random.uniform(0, 0.1))
            for index, row in enumerate(rows)
        ]
        layers, points = (), np.concatenate([mark.extent() for mark in digits])
    (left, top), (right, bottom) = points.min(axis=0) - margins[:2], points.max(axis=0) + margins[2:]
    marks = [box_patch(left, top, right, bottom, colour), *digits]
    for _ in range(int(random.integers(0, 4))):
        y = bottom + random.uniform(1.2, 6) * height if random.random() < 0.5 else top - random.uniform(0.5, 4) * height
        words = " ".join(WORDS[index] for index in random.integers(0, len(WORDS), 3))
        marks.append(Print(words, (left + random.uniform(-1, 2) * height, y), random.uniform(0.3, 0.7) * height))
    return PageContent(rows, layers, height, marks=tuple(marks))


def draft_display(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft dark segment digits on the grey glass of a light housing."""
    height = float(random.uniform(*layout.height_mm))
    rows = _random_rows(layout, random)
    slant, gap, thick = random.uniform(0, 0.15), random.uniform(0.01, 0.05), random.uniform(0.1, 0.16)
    glass = GLASSES[random.integers(len(GLASSES))]
    dark: Colour = (0.08, 0.10, 0.10)
    step, digits = random.uniform(0.78, 0.95) * height, list[Mark]()
    for index, row in enumerate(rows):
        # Displays align at the right.
        start = (max(map(len, rows)) - len(row)) * step
        for column, digit in enumerate(row):
            corner = np.array([start + column * step, 1.45 * index * height])
            digits += [
                Patch(corner + height * polygon, dark, 0.0, 0.9) for polygon in draw_segments(digit, slant, gap, thick)
            ]
    right, bottom = max(map(len, rows)) * step, (1.45 * len(rows) - 0.45) * height
    margins = random.uniform(0.3, 0.9, 4) * height
    inner = (-margins[0], -margins[1], right + margins[2], bottom + margins[3])
    marks = [*_house(inner, height, random), box_patch(*inner, glass), *_rim(inner, height, glass), *digits]
    return PageContent(rows, (), height, marks=tuple(marks))


def draw_segments(digit: str, slant: float, gap: float, thick: float) -> list[Path]:
    """Draw a digit's segments as polygons [N, 2] in heights, from (0, 0) to about (0.5, 1), y down."""
    polygons = []
    for name in SEGMENTS[digit]:
        start, end = (np.array(point) * [0.5, 1.0] for point in ENDS[name])
        way = (end - start) / np.hypot(*(end - start))
        across = thick / 2 * way[::-1] * [-1, 1]
        start, end = start + gap * way, end - gap * way
        tips = thick / 2 * way
        polygon = np.array([start, start + tips + across, end - tips + across, end, end - tips - across,
                            start + tips - across])  # fmt: skip
        polygon[:, 0] += slant * (1 - polygon[:, 1])
        polygons.append(polygon)
    return polygons


def draft_counter(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft the counter of a meter: white digits on dark wheels, each in its window, the last ones red."""
    height = float(random.uniform(*layout.height_mm))
    row = _random_rows(layout, random)[0]
    step, tall = random.uniform(0.95, 1.5) * height, random.uniform(1.35, 1.8) * height
    wide = random.uniform(0.8, 0.98) * step
    red = int(random.integers(0, 4)) if len(row) > 4 else 0
    bold = random.uniform(0.0, 0.12)
    together = random.random() < 0.5
    inner = (-0.6 * step, -0.5 * tall - 0.3 * height, (len(row) - 0.4) * step, 0.5 * tall + 0.3 * height)
    marks = _house(inner, height, random)
    marks.append(box_patch(*inner, (0.05, 0.05, 0.05) if together else (0.25, 0.26, 0.27)))
    for index, digit in enumerate(row):
        wheel: Colour = (0.45, 0.06, 0.07) if index >= len(row) - red else (0.09, 0.09, 0.10)
        middle = index * step
        marks.append(box_patch(middle - wide / 2, -tall / 2, middle + wide / 2, tall / 2, wheel, 0.08))
        foot = height / 2 + random.normal(0, 0.04) * height
        left = middle - measure_text(digit, height) / 2
        marks.append(Print(digit, (left, foot), height, (0.9, 0.9, 0.88), 0.92, bold))
    return PageContent((row,), (), height, marks=tuple(marks))


def _house(inner: tuple[float, float, float, float], height: float, random: np.random.Generator) -> list[Mark]:
    """Put a light housing around an opening, with some print and a button or two."""
    left, top, right, bottom = inner
    colour, margins = HOUSINGS[random.integers(len(HOUSINGS))], random.uniform(0.8, 2.5, 4) * height
    outer = (left - margins[0], top - margins[1], right + margins[2], bottom + margins[3])
    marks: list[Mark] = [box_patch(*outer, colour, 0.01)]
    size = random.uniform(0.2, 0.4) * height
    feet = (top - 0.4 * margins[1], bottom + 0.4 * margins[3] + size)
    marks += [Print(UNITS[random.integers(len(UNITS))], (left, foot), size) for foot in feet]
    turn = np.linspace(0, 2 * np.pi, 40)
    button = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 0.25 * height
    for _ in range(int(random.integers(0, 3))):
        place = np.array([random.uniform(left, right), bottom + 0.5 * margins[3]])
        marks.append(Patch(place + button, (0.35, 0.36, 0.4)))
    return marks


def _rim(inner: tuple[float, float, float, float], height: float, glass: Colour) -> list[Mark]:
    """Draw the dark shade that a housing casts on its glass, along the top and the left."""
    left, top, right, bottom = inner
    shade: Colour = (0.5 * glass[0], 0.5 * glass[1], 0.5 * glass[2])
    return [
        Patch(box_patch(left, top, right, top + 0.08 * height, shade).corners, shade, 0.0, 0.7, 0.04 * height),
        Patch(box_patch(left, top, left + 0.06 * height, bottom, shade).corners, shade, 0.0, 0.7, 0.04 * height),
    ]


def _random_rows(layout: WritingLayout, random: np.random.Generator) -> tuple[str, ...]:
    counts = random.integers(
        layout.digits[0], layout.digits[1] + 1, random.integers(layout.rows[0], layout.rows[1] + 1)
    )
    return tuple("".join(str(digit) for digit in random.integers(0, 10, count)) for count in counts)
