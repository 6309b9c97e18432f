"""Notes of words and numbers, dates, prices and sums: only the digits are the truth."""

import numpy as np

from ..contents import WIDEST_STROKE, PageContent, choose_pen
from ..handwriting import Hand, Path, WritingLayout, draw_hand
from ..pens import Layer, Pen
from .lines import choose_words, place, write_line


def draft_words_and_numbers(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft two to ten lines of words, with one or two rows of numbers below or between."""
    count = int(random.integers(2, 11))
    lines = [choose_words(int(random.integers(2, 6)), random) for _ in range(count)]
    for _ in range(int(random.integers(1, 3))):
        place_of_row = count if random.random() < 0.6 else int(random.integers(1, count + 1))
        lines.insert(place_of_row, _number(layout, random))
    return _write_lines(lines, layout, pens, random)


def draft_date_and_sum(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft lines with a date, a price, a sum or an equation."""
    kinds = (write_date, write_date, _price, _sum, _product, _bracket)
    count = int(random.integers(layout.rows[0], layout.rows[1] + 1))
    lines = [kinds[random.integers(len(kinds))](random) for _ in range(count)]
    return _write_lines(lines, layout, pens, random)


def _write_lines(
    lines: list[str], layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator
) -> PageContent:
    """Write lines below one another; the digits of each are a row of the truth."""
    hand, height = draw_hand(random), float(random.uniform(*layout.height_mm))
    pitch, joined = height * random.uniform(*layout.row_pitch), bool(random.random() < 0.5)
    paths: list[Path] = []
    for index, text in enumerate(lines):
        indent = abs(random.normal(0, 0.3)) if random.random() < 0.8 else random.uniform(0, 6)
        gap = random.uniform(*layout.gap) if has_digits(text) else random.uniform(0.14, 0.2)
        paths += place(write_line(text, hand, random, gap, joined), height, height * indent, index * pitch)
    rows = tuple(digits for text in lines if (digits := "".join(filter(str.isdecimal, text))))
    return PageContent(rows, (Layer(choose_pen(pens, random), tuple(paths), WIDEST_STROKE * height),), height)


def has_digits(text: str) -> bool:
    """Tell whether a text has a digit in it."""
    return any(character.isdecimal() for character in text)


def write_number(count: int, hand: Hand, random: np.random.Generator) -> tuple[str, tuple[Path, ...]]:
    """Write a number of some digits in heights, from x = 0; return it and its strokes."""
    number = "".join(str(digit) for digit in random.integers(0, 10, count))
    return number, write_line(number, hand, random, float(random.uniform(0.24, 0.45)))


def _number(layout: WritingLayout, random: np.random.Generator) -> str:
    count = int(random.integers(max(2, layout.digits[0]), layout.digits[1] + 1))
    return "".join(str(digit) for digit in random.integers(0, 10, count))


def write_date(random: np.random.Generator) -> str:
    """Return a date in digits with slashes, dots or dashes."""
    day, month, year = random.integers(1, 29), random.integers(1, 13), random.integers(1950, 2040)
    sign = ("/", ".", "-")[random.integers(3)]
    return sign.join((f"{day:02}", f"{month:02}", f"{year}" if random.random() < 0.6 else f"{year % 100:02}"))


def _price(random: np.random.Generator) -> str:
    amount = int(random.integers(100, 100_000))
    whole, part = f"{amount // 100}", f"{amount % 100:02}"
    if len(whole) > 3 and random.random() < 0.5:
        whole = f"{whole[:-3]},{whole[-3:]}"
    forms = (f"${whole}.{part}", f"$ {whole}", f"{whole},{part} EUR", f"EUR {whole},{part}", f"{whole}.{part}")
    return forms[random.integers(len(forms))]


def _sum(random: np.random.Generator) -> str:
    first, second = random.integers(2, 99, 2).tolist()
    if random.random() < 0.6:
        return f"{first}+{second}={first + second}"
    return f"{first + second}-{second}={first}"


def _product(random: np.random.Generator) -> str:
    first, second = random.integers(2, 30, 2).tolist()
    return f"{first}x{second}={first * second}"


def _bracket(random: np.random.Generator) -> str:
    first, second, third = random.integers(2, 20, 3).tolist()
    return f"{first}x({second}+{third})={first * (second + third)}"
