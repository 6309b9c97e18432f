"""Print without digits: pages of text, brackets and arrows, staves of music, bar codes."""

import numpy as np

from ..contents import WIDEST_STROKE, PageContent, choose_pen
from ..handwriting import Path, WritingLayout, draw_hand
from ..marks import Mark, Patch, Print, box_patch, measure_text
from ..pens import PRESS, Layer, Pen
from .alphabet import WORDS
from .figures import ellipse
from .lines import line, place, write_line

SIGNS = "()[]+-=x/<>~*%#?!:.$'"
ARROW = np.array([[-2.5, -1.5], [0.0, 0.0], [-2.5, 1.5]])


def draft_text_page(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft a page of printed text in one or two columns, with a title."""
    size, wide = random.uniform(1.8, 4.5), random.uniform(70, 120)
    pitch, columns = size * random.uniform(1.7, 2.6), int(random.integers(1, 3))
    lines = int(random.integers(6, 26))
    marks: list[Mark] = []
    if random.random() < 0.6:
        title = " ".join(WORDS[index] for index in random.integers(0, len(WORDS), 3))
        marks.append(Print(title, (0, -2.5 * size), 1.7 * size, bold=random.uniform(0, 0.1)))
    for column in range(columns):
        for row in range(lines):
            left, y = column * (wide / columns + 6), row * pitch
            most = wide / columns if random.random() < 0.85 else 0.5 * wide / columns
            marks.append(Print(_fill(most, size, random), (left, y), size, cover=random.uniform(0.75, 0.9)))
    return PageContent((), (), size, marks=tuple(marks))


def _fill(most: float, size: float, random: np.random.Generator) -> str:
    """Choose words that fill a line."""
    text = WORDS[random.integers(len(WORDS))]
    while measure_text(longer := f"{text} {WORDS[random.integers(len(WORDS))]}", size) < most:
        text = longer + random.choice(["", "", "", "", ",", "."])
    return text


def draft_signs(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft signs by hand, arrows, a staff of music, or a bar code."""
    kind = (_signs, _signs, _arrows, _staff, _bars)[random.integers(5)]
    height = float(random.uniform(*layout.height_mm))
    paths, marks = kind(height, random)
    pen = PRESS if kind is _staff else choose_pen(pens, random)
    return PageContent((), (Layer(pen, paths, WIDEST_STROKE * height),), height, marks=marks)


def _signs(height: float, random: np.random.Generator) -> tuple[tuple[Path, ...], tuple[Mark, ...]]:
    """Write rows of signs as in sums without figures."""
    hand, paths = draw_hand(random), list[Path]()
    for row in range(int(random.integers(1, 4))):
        text = "".join(SIGNS[index] for index in random.integers(0, len(SIGNS), random.integers(2, 8)))
        paths += place(write_line(text, hand, random, random.uniform(0.3, 0.7)), height, 0, 1.9 * row * height)
    return tuple(paths), ()


def _arrows(height: float, random: np.random.Generator) -> tuple[tuple[Path, ...], tuple[Mark, ...]]:
    """Draw boxes with arrows between them, as in a plan."""
    paths: list[Path] = []
    for index in range(int(random.integers(2, 6))):
        x, y = 6 * height * (index % 3), 5 * height * (index // 3)
        right, bottom = x + random.uniform(2, 4) * height, y + random.uniform(1.5, 3) * height
        corners = np.array([[x, y], [right, y], [right, bottom], [x, bottom], [x, y]])
        paths.append(np.repeat(corners, 3, axis=0) + random.normal(0, 0.1, (15, 2)))
        end = np.array([x + 5.7 * height, (y + bottom) / 2 + random.normal(0, 1)])
        paths += (line(right + 1, (y + bottom) / 2, *end.tolist()), end + ARROW)
    return tuple(paths), ()


def _staff(height: float, random: np.random.Generator) -> tuple[tuple[Path, ...], tuple[Mark, ...]]:
    """Print staves of music: five lines, bars, notes with stems."""
    pitch, wide = 0.3 * height, random.uniform(70, 130)
    paths: list[Path] = []
    marks: list[Mark] = []
    for staff in range(int(random.integers(1, 5))):
        top = 4.0 * staff * height
        paths += [line(0, top + index * pitch, wide, top + index * pitch) for index in range(5)]
        paths += [line(x, top, x, top + 4 * pitch) for x in np.arange(0, wide + 1, wide / 4)]
        for x in np.arange(8, wide - 3, random.uniform(5, 9)):
            y = top + random.integers(-1, 10) * pitch / 2
            up = -1 if y > top + 2 * pitch else 1
            marks.append(Patch(ellipse(x, y, 0.6 * pitch, 0.45 * pitch), (0.08, 0.08, 0.08)))
            paths.append(line(x - 0.55 * up * pitch, y, x - 0.55 * up * pitch, y + up * 3.3 * pitch))
    return tuple(paths), tuple(marks)


def _bars(height: float, random: np.random.Generator) -> tuple[tuple[Path, ...], tuple[Mark, ...]]:
    """Print bar codes on labels."""
    marks: list[Mark] = []
    for index in range(int(random.integers(1, 3))):
        top, x, unit = 5 * height * index, 0.0, random.uniform(0.3, 0.7)
        marks.append(box_patch(-4, top - 3, 95 * unit + 8, top + 3 * height + 3, (0.95, 0.95, 0.94)))
        while x < 95 * unit:
            bar = unit * random.integers(1, 5)
            marks.append(box_patch(x, top, x + bar, top + 3 * height, (0.06, 0.06, 0.06), 0.0))
            x += bar + unit * random.integers(1, 4)
    return (), tuple(marks)
