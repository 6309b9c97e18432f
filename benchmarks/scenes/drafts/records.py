"""Scanned registers and bank checks, printed and filled in by hand."""

import numpy as np

from ..contents import WIDEST_STROKE, PageContent, choose_pen
from ..handwriting import Hand, Path, Strokes, WritingLayout, draw_hand
from ..marks import Mark, Patch, Print, box_patch
from ..pens import PRESS, Layer, Pen
from ..surfaces import Rectangle
from .lines import choose_words, line, place, write_line
from .notes import write_date, write_number

SCAN_BLACK = (0.04, 0.04, 0.045)
BANKS = ("First Bank of the Valley", "Savings Bank North", "Harbour Credit Union", "Bank of Commerce")


def draft_register(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a scanned page of a register: names and columns of numbers, a book's gutter, black margins."""
    hand, height = draw_hand(random), float(random.uniform(*layout.height_mm))
    columns, count = int(random.integers(1, 4)), int(random.integers(layout.rows[0], layout.rows[1] + 1))
    most, pitch = max(1, layout.digits[1] // columns), random.uniform(1.35, 1.8) * height
    step, names = (0.95 * most + 1.2) * height, random.uniform(7, 10) * height
    joined, ink = bool(random.random() < 0.7), list[Path]()
    rows: list[str] = []
    for row in range(count):
        foot = (row + 1) * pitch - 0.2 * height
        ink += place(_name(names / height, hand, joined, random), height, 0.2 * height, foot)
        texts = [write_number(int(random.integers(1, most + 1)), hand, random) for _ in range(columns)]
        for column, (_, strokes) in enumerate(texts):
            ink += place(strokes, height, names + column * step + random.uniform(0.3, 0.6) * height, foot)
        rows.append("".join(text for text, _ in texts))
    right, bottom = names + columns * step, count * pitch
    across = tuple(line(0, row * pitch, right, row * pitch) for row in range(count + 1))
    down = tuple(line(x, -pitch, x, bottom) for x in (names + column * step for column in range(columns)))
    page = Rectangle(-2 * height, -2.5 * height, right + height, bottom + 2 * height)
    marks, view = _scan(page, height, random)
    layers = (
        Layer(PRESS, (*across, *down), 0.35),
        Layer(choose_pen(pens, random), tuple(ink), WIDEST_STROKE * height),
    )
    return PageContent(tuple(rows), layers, height, marks=marks, view=view)


def _name(most: float, hand: Hand, joined: bool, random: np.random.Generator) -> Strokes:
    """Write one or two words that fit into a length, in heights."""
    for count in (2, 1):
        strokes = write_line(choose_words(count, random), hand, random, 0.16, joined)
        if max(float(path[:, 0].max()) for path in strokes) < most - 0.5:
            return strokes
    return ()


def _scan(page: Rectangle, height: float, random: np.random.Generator) -> tuple[tuple[Mark, ...], Path]:
    """Lay a page on a scanner: black where it ends on some sides, and a book's dark gutter on one."""
    edges = np.array([page.left, page.top, page.right, page.bottom])
    shown = np.where(random.random(4) < 0.5, random.uniform(0.5, 2.5, 4), -random.uniform(0.0, 0.5, 4)) * height
    left, top, right, bottom = (edges + np.array([-1, -1, 1, 1]) * shown).tolist()
    far = 1e3
    marks: list[Mark] = []
    if random.random() < 0.6:
        x = page.left if random.random() < 0.5 else page.right
        gutter = np.array([[x - height, -far], [x + height, -far], [x + height, far], [x - height, far]])
        marks.append(
            Patch(gutter, (0.1, 0.09, 0.08), 0.05, random.uniform(0.4, 0.9), random.uniform(0.4, 1.0) * height)
        )
    marks += [
        box_patch(-far, -far, page.left, far, SCAN_BLACK, 0.5), box_patch(page.right, -far, far, far, SCAN_BLACK, 0.5),
        box_patch(-far, -far, far, page.top, SCAN_BLACK, 0.5), box_patch(-far, page.bottom, far, far, SCAN_BLACK, 0.5),
    ]  # fmt: skip
    return tuple(marks), Rectangle(left, top, right, bottom).corners()


def draft_check(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a bank check: a printed number, a date, an amount in a box and in words, a signature."""
    hand, height = draw_hand(random), float(random.uniform(*layout.height_mm))
    wide, high = 160.0, 70.0
    number = "".join(str(digit) for digit in random.integers(0, 10, random.integers(3, 7)))
    date, amount = write_date(random), _amount(random)
    marks: list[Mark] = [
        *_ground(wide, high, random),
        Print(BANKS[random.integers(len(BANKS))], (6, 10), 3.4, bold=0.06), Print(number, (wide - 32, 9), 3.6),
        Print("Date", (wide - 66, 20), 2.2), Print("Pay to the order of", (6, 33), 2.2),
        Print("$", (wide - 50, 34), 4.2), Print("Dollars", (wide - 18, 46), 2.4), Print("Memo", (6, 63), 2.2),
    ]  # fmt: skip
    lines = (
        line(wide - 58, 21, wide - 8, 21), line(34, 34, wide - 54, 34), line(6, 47, wide - 20, 47),
        line(16, 64, 70, 64), line(wide - 62, 64, wide - 8, 64),
        line(wide - 44, 27, wide - 6, 27), line(wide - 44, 35.5, wide - 6, 35.5),
        line(wide - 44, 27, wide - 44, 35.5), line(wide - 6, 27, wide - 6, 35.5),
    )  # fmt: skip
    ink = [
        *place(write_line(date, hand, random), min(height, 5.0), wide - 56, 20.3),
        *place(write_line(amount, hand, random), min(height, 5.0), wide - 42, 34.3),
        *place(write_line(choose_words(3, random), hand, random, 0.16, joined=True), height, 37, 33),
        *place(write_line(choose_words(4, random), hand, random, 0.16, joined=True), height, 9, 46),
        *place(write_line(choose_words(2, random), hand, random, 0.1, joined=True), 1.2 * height, wide - 58, 63),
    ]
    rows = tuple("".join(filter(str.isdecimal, text)) for text in (number, date, amount))
    layers = (Layer(PRESS, lines, 0.3), Layer(choose_pen(pens, random), tuple(ink), WIDEST_STROKE * height))
    page = Rectangle(0, 0, wide, high) if random.random() < 0.6 else None
    view = Rectangle(-3, -3, wide + 3, high + 3).corners()
    return PageContent(rows, layers, min(height, 5.0), page, marks=tuple(marks), view=view)


def _ground(wide: float, high: float, random: np.random.Generator) -> list[Mark]:
    """Print a check's pale ground, at times with fine security lines."""
    grounds = ((0.80, 0.90, 0.84), (0.80, 0.86, 0.93), (0.93, 0.90, 0.80), (0.92, 0.85, 0.86))
    colour = grounds[random.integers(len(grounds))]
    marks: list[Mark] = [box_patch(0, 0, wide, high, colour)]
    if random.random() < 0.5:
        darker = (0.88 * colour[0], 0.88 * colour[1], 0.88 * colour[2])
        marks += [box_patch(0, y, wide, y + 0.3, darker, 0.0) for y in np.arange(1.0, high, random.uniform(1.2, 2.5))]
    return marks


def _amount(random: np.random.Generator) -> str:
    amount = int(random.integers(1000, 500_000))
    return f"{amount // 100}.{amount % 100:02}"
