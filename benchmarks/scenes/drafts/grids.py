"""Ruled tables with a number in a cell, and sudoku grids."""

import numpy as np

from ..contents import WIDEST_STROKE, PageContent, choose_pen
from ..handwriting import Hand, Path, Strokes, WritingLayout, draw_hand
from ..marks import Mark, Print, measure_text
from ..pens import PRESS, PRESS_BOLD, Layer, Pen
from .alphabet import WORDS
from .lines import draw_by_hand, line, place, write_character, write_line
from .notes import write_number

SUDOKU = 9
# Share of the cells of a sudoku that hold a digit.
FILLED = (0.25, 0.5)


def draft_table(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a table, ruled by hand or printed: a row of header words, and a number in most cells."""
    hand, height = draw_hand(random), float(random.uniform(*layout.height_mm))
    pen, columns = choose_pen(pens, random), int(random.integers(2, 6))
    rows = int(random.integers(layout.rows[0], layout.rows[1] + 1))
    most = max(1, layout.digits[1] // columns)
    step, pitch = (0.95 * most + 1.2) * height, random.uniform(1.5, 2.1) * height
    ink: list[Path] = []
    texts: list[str] = []
    for row in range(rows):
        kept = [column for column in range(columns) if column == 0 or random.random() < 0.85]
        numbers = [write_number(int(random.integers(1, most + 1)), hand, random) for _ in kept]
        for column, (_, strokes) in zip(kept, numbers, strict=True):
            foot = (row + 1) * pitch - random.uniform(0.15, 0.35) * height
            ink += place(strokes, height, column * step + random.uniform(0.25, 0.7) * height, foot)
        texts.append("".join(number for number, _ in numbers))
    headers, printed = _head(columns, step, height, hand, random)
    lines = _rule(columns, rows, step, pitch, random)
    if random.random() < 0.4:
        ink += [draw_by_hand(path, 0.3, random) for path in lines]
        lines = ()
    layers = (Layer(PRESS, lines, 0.4), Layer(pen, (*ink, *headers), WIDEST_STROKE * height))
    return PageContent(tuple(texts), layers, height, marks=printed)


def _head(
    columns: int, step: float, height: float, hand: Hand, random: np.random.Generator
) -> tuple[Strokes, tuple[Mark, ...]]:
    """Write or print a word above each column."""
    words = [WORDS[index] for index in random.integers(0, len(WORDS), columns)]
    if random.random() < 0.5:
        sizes = [min(0.5 * height, 0.5 * height * 0.9 * step / measure_text(word, 0.5 * height)) for word in words]
        marks = [
            Print(word, (column * step + 0.3, -0.5 * height), size)
            for column, (word, size) in enumerate(zip(words, sizes, strict=True))
        ]
        return (), tuple(marks)
    paths: list[Path] = []
    for column, word in enumerate(words):
        strokes = write_line(word, hand, random, 0.16)
        wide = max(float(path[:, 0].max()) for path in strokes)
        size = min(0.8 * height, 0.9 * step / wide)
        paths += place(strokes, size, column * step + 0.3, -0.4 * height)
    return tuple(paths), ()


def _rule(columns: int, rows: int, step: float, pitch: float, random: np.random.Generator) -> Strokes:
    """Rule the lines of a table: all, or only those between columns and below the head."""
    right, bottom, top = columns * step, rows * pitch, -pitch
    down = [line(column * step, top, column * step, bottom) for column in range(columns + 1)]
    across = [line(0, row * pitch, right, row * pitch) for row in range(-1, rows + 1)]
    if random.random() < 0.3:
        return (*down[1:-1], across[1])
    return (*down, *across)


def draft_sudoku(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a sudoku: printed digits, in some also handwritten ones, and most cells empty."""
    height = float(random.uniform(*layout.height_mm))
    cell = random.uniform(1.45, 1.9) * height
    filled = random.random((SUDOKU, SUDOKU)) < random.uniform(*FILLED)
    by_hand = random.random((SUDOKU, SUDOKU)) < random.choice([0.0, 0.0, 0.5, 1.0])
    digits = random.integers(1, 10, (SUDOKU, SUDOKU))
    hand = draw_hand(random)
    marks: list[Mark] = []
    ink: list[Path] = []
    for row, column in np.argwhere(filled).tolist():
        x, foot = (column + 0.5) * cell, (row + 0.5) * cell + height / 2
        digit = str(digits[row, column])
        if by_hand[row, column]:
            glyph = write_character(digit, hand, random)
            middle = float(np.concatenate(glyph)[:, 0].mean())
            ink += place(glyph, height, x - height * middle, foot + random.normal(0, 0.05) * height)
        else:
            marks.append(Print(digit, (x - measure_text(digit, height) / 2, foot), height, cover=0.9))
    rows = ("".join(map(str, digits[row, filled[row]].tolist())) for row in range(SUDOKU))
    layers = (*_rule_sudoku(cell, random), Layer(choose_pen(pens, random), tuple(ink), WIDEST_STROKE * height))
    return PageContent(tuple(row for row in rows if row), layers, height, marks=tuple(marks))


def _rule_sudoku(cell: float, random: np.random.Generator) -> tuple[Layer, Layer]:
    """Rule the thin lines between cells and the thick ones between blocks."""
    side, places = SUDOKU * cell, range(SUDOKU + 1)
    lines = {index: (line(index * cell, 0, index * cell, side), line(0, index * cell, side, index * cell))
             for index in places}  # fmt: skip
    thin = tuple(path for index in places if index % 3 for path in lines[index])
    thick = tuple(path for index in places if index % 3 == 0 for path in lines[index])
    return Layer(PRESS, thin, random.uniform(0.12, 0.3)), Layer(PRESS_BOLD, thick, random.uniform(0.6, 1.1))
