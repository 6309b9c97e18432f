"""Desks and rooms without a digit, full of straight edges, as a camera sees them most of the time."""

import numpy as np

from ..contents import USUAL_HEIGHT_MM, PageContent
from ..handwriting import Path, WritingLayout
from ..marks import Mark, Patch, Print, box_patch
from ..pens import CABLE, Layer, Pen
from ..surfaces import Colour
from .figures import (
    HIGH,
    VIEW,
    WIDE,
    anywhere,
    choose_colour,
    curve,
    ellipse,
    leaf,
    rod,
    shadowed,
    turned_box,
)

KEY_MM = 14.0
GREENS: tuple[Colour, ...] = ((0.12, 0.30, 0.12), (0.18, 0.38, 0.16), (0.10, 0.24, 0.14), (0.30, 0.45, 0.20))


def draft_desk(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft a desk: papers, a keyboard, pens, cups, a telephone, cables."""
    makers = (lay_paper, lay_pen, lay_pen, lay_cup, lay_phone, lay_ruler, lay_keyboard, lay_clip)
    marks: list[Mark] = []
    for index in random.integers(0, len(makers), random.integers(4, 10)):
        marks += makers[index](random)
    cables = tuple(
        curve(anywhere(random, 1.4), anywhere(random, 1.4), 25, random) for _ in range(int(random.integers(0, 4)))
    )
    return PageContent((), (Layer(CABLE, cables, 5.0),), USUAL_HEIGHT_MM, marks=tuple(marks), view=VIEW)


def lay_paper(random: np.random.Generator) -> list[Mark]:
    """Lay a sheet of paper, at times folded."""
    x, y = anywhere(random).tolist()
    sheet = turned_box(x, y, random.uniform(80, 210), random.uniform(60, 297), random.normal(0, 0.4))
    marks = shadowed(sheet, (0.92, 0.92, 0.90), 1.5)
    if random.random() < 0.5:
        marks.append(Patch(rod((sheet[0] + sheet[1]) / 2, (sheet[2] + sheet[3]) / 2, 0.8), (0.7, 0.7, 0.69), 0.0, 0.6))
    return marks


def lay_pen(random: np.random.Generator) -> list[Mark]:
    """Lay a pen with its tip and clip."""
    start, angle = anywhere(random), random.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    colour = choose_colour(random)
    body = shadowed(rod(start, start + 125 * way, random.uniform(6, 11)), colour)
    tip = Patch(rod(start + 125 * way, start + 140 * way, 3), (0.75, 0.70, 0.60))
    return [*body, tip, Patch(rod(start + 8 * way, start + 45 * way, 1.6), (0.8, 0.8, 0.82))]


def lay_cup(random: np.random.Generator) -> list[Mark]:
    """Lay a cup on its saucer, seen from above: rims, coffee, a handle."""
    (x, y), size, cup = anywhere(random).tolist(), random.uniform(28, 42), choose_colour(random)
    angle = random.uniform(0, 2 * np.pi)
    handle = rod(np.array([x, y]), np.array([x + 1.5 * size * np.cos(angle), y + 1.5 * size * np.sin(angle)]), 9)
    marks = shadowed(ellipse(x, y, 1.7 * size, 1.6 * size), cup, 3) if random.random() < 0.5 else []
    return [
        *marks, Patch(ellipse(x, y, 1.1 * size, 1.04 * size), (0.3, 0.3, 0.3), 0.0, 0.5, 1.0), Patch(handle, cup),
        Patch(ellipse(x, y, size, 0.95 * size), (0.93, 0.92, 0.90)),
        Patch(ellipse(x, y, 0.9 * size, 0.85 * size), (0.22, 0.13, 0.08)),
    ]  # fmt: skip


def lay_phone(random: np.random.Generator) -> list[Mark]:
    """Lay a telephone, its screen dark."""
    (x, y), angle = anywhere(random).tolist(), random.normal(0, 0.6)
    return [
        *shadowed(turned_box(x, y, 76, 155, angle), (0.15, 0.15, 0.16)),
        Patch(turned_box(x, y, 70, 148, angle), (0.05, 0.05, 0.06), 0.05),
    ]


def lay_ruler(random: np.random.Generator) -> list[Mark]:
    """Lay a ruler with its ticks, without figures."""
    start, angle = anywhere(random), random.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-way[1], way[0]])
    body = rod(start, start + 200 * way, 28)
    ticks = [
        Patch(rod(foot := start + place * way + 14 * across, foot - across * (9 if index % 5 == 0 else 5), 0.7),
              (0.1, 0.1, 0.1), 0.0)
        for index, place in enumerate(np.arange(5, 196, 4.0))
    ]  # fmt: skip
    return [*shadowed(body, (0.85, 0.75, 0.50)), *ticks]


def lay_keyboard(random: np.random.Generator) -> list[Mark]:
    """Lay a keyboard: rows of keys, at times with letters."""
    (x, y), columns = anywhere(random).tolist(), int(random.integers(8, 15))
    dark = random.random() < 0.6
    ground, key, print_on = (0.10, 0.15, 0.85) if dark else (0.75, 0.88, 0.15)
    marks = shadowed(turned_box(x + columns * 9.0, y + 36, columns * 18.0 + 8, 82, 0), (ground, ground, ground))
    labels = bool(random.random() < 0.6)
    for row in range(4):
        for column in range(columns):
            left, top = x + 18.0 * (column + 0.25 * (row % 3)) + 1, y + 18.0 * row + 1
            marks.append(box_patch(left, top, left + KEY_MM, top + KEY_MM, (key, key, key)))
            if labels:
                letter = "QWERTYUIPASDFGHJKLZXCVBNM"[random.integers(25)]
                marks.append(Print(letter, (left + 3, top + 8), 5.0, (print_on, print_on, print_on)))
    return marks


def lay_clip(random: np.random.Generator) -> list[Mark]:
    """Lay a few matches or paper clips."""
    marks: list[Mark] = []
    near = anywhere(random)
    for _ in range(int(random.integers(2, 8))):
        start, angle = near + random.normal(0, 25, 2), random.uniform(0, 2 * np.pi)
        end = start + random.uniform(15, 40) * np.array([np.cos(angle), np.sin(angle)])
        marks += shadowed(rod(start, end, random.uniform(1.2, 3)), choose_colour(random), 0.8)
    return marks


def draft_room(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft a room: a wall with a window, shelves, a door, a plant, a floor."""
    makers = (hang_window, hang_shelf, hang_shelf, hang_door, put_plant, hang_blind, hang_picture, put_lamp)
    floor = HIGH * random.uniform(0.75, 1.0)
    marks: list[Mark] = []
    for index in random.choice(len(makers), random.integers(3, 8), replace=False):
        marks += makers[index](random)
    boards = [Patch(rod(np.array([x, floor]), np.array([WIDE / 2 + 2.2 * (x - WIDE / 2), 1.3 * HIGH]), 0.6),
                    (0.2, 0.13, 0.08), 0.0) for x in np.arange(-100, 400, random.uniform(15, 40))]  # fmt: skip
    wood = choose_colour(random)
    marks += [
        box_patch(-200, floor, 500, 400, wood),
        box_patch(-200, floor - 5, 500, floor, (0.85, 0.84, 0.82)),
        *boards,
    ]
    return PageContent((), (), USUAL_HEIGHT_MM, marks=tuple(marks), view=VIEW)


def hang_window(random: np.random.Generator) -> list[Mark]:
    """Put a bright window with its bars into the wall."""
    (x, y), wide, high = anywhere(random, 0.8).tolist(), random.uniform(60, 140), random.uniform(60, 140)
    frame = choose_colour(random)
    marks: list[Mark] = [box_patch(x - wide / 2 - 4, y - high / 2 - 4, x + wide / 2 + 4, y + high / 2 + 4, frame)]
    columns, rows = random.integers(1, 4, 2).tolist()
    for column in range(columns):
        for row in range(rows):
            left, top = x + wide * (column / columns - 0.5) + 2, y + high * (row / rows - 0.5) + 2
            pane: Colour = (0.80, 0.88, 0.97) if random.random() < 0.8 else (0.55, 0.65, 0.60)
            marks.append(box_patch(left, top, left + wide / columns - 4, top + high / rows - 4, pane, 0.03))
    return marks


def hang_shelf(random: np.random.Generator) -> list[Mark]:
    """Put up a shelf with books, some of them leaning."""
    (x, y), boards, wide = anywhere(random, 0.7).tolist(), int(random.integers(1, 4)), random.uniform(70, 160)
    marks: list[Mark] = []
    for board in range(boards):
        foot, at = y + board * 42.0, x - wide / 2
        while at < x + wide / 2 - 10:
            thick, high = random.uniform(3, 10), random.uniform(22, 36)
            lean = random.choice([0.0, 0.0, 0.0, 0.15])
            outline = turned_box(at + thick / 2 + lean * high / 2, foot - high / 2, thick, high, lean)
            colour = choose_colour(random)
            marks.append(Patch(outline, colour, 0.05))
            if random.random() < 0.4:
                marks.append(box_patch(at + 0.2 * thick, foot - 0.8 * high, at + 0.8 * thick, foot - 0.75 * high,
                                       (0.9, 0.85, 0.6)))  # fmt: skip
            at += thick + lean * high + random.choice([0.0, 0.2, 0.5, 6.0])
        marks.append(box_patch(x - wide / 2 - 4, foot, x + wide / 2 + 4, foot + 3, (0.45, 0.30, 0.18)))
    return marks


def hang_door(random: np.random.Generator) -> list[Mark]:
    """Put a door with panels and a handle into the wall."""
    x, colour = float(random.uniform(0, WIDE)), choose_colour(random)
    darker: Colour = (0.7 * colour[0], 0.7 * colour[1], 0.7 * colour[2])
    marks: list[Mark] = [box_patch(x - 45, 20, x + 45, 300, darker), box_patch(x - 41, 24, x + 41, 300, colour)]
    for top in (35, 125):
        marks += [
            box_patch(x - 30, top, x + 30, top + 70, darker),
            box_patch(x - 28, top + 2, x + 29, top + 69, colour),
        ]
    return [*marks, Patch(rod(np.array([x + 22, 118]), np.array([x + 36, 118]), 3), (0.8, 0.78, 0.7))]


def put_plant(random: np.random.Generator) -> list[Mark]:
    """Put a plant of many leaves into a pot."""
    foot = anywhere(random, 0.6)
    marks: list[Mark] = []
    for _ in range(int(random.integers(15, 45))):
        angle = -np.pi / 2 + random.normal(0, 0.8)
        start = foot + random.uniform(0, 35) * np.array([np.cos(angle), np.sin(angle)])
        colour = GREENS[random.integers(len(GREENS))]
        marks.append(Patch(leaf(start, angle, random.uniform(20, 60), random.uniform(3, 12)), colour, 0.05))
    x, y = foot.tolist()
    pot = np.array([[x - 18, y - 4], [x + 18, y - 4], [x + 13, y + 32], [x - 13, y + 32]])
    return [*marks, Patch(pot, choose_colour(random))]


def hang_blind(random: np.random.Generator) -> list[Mark]:
    """Put up a blind, a radiator or a fence: bars at equal distances."""
    (x, y), pitch, upright = anywhere(random).tolist(), random.uniform(4, 12), bool(random.random() < 0.5)
    colour, thick = choose_colour(random), random.uniform(0.2, 0.7) * pitch
    marks: list[Mark] = []
    for index in range(int(random.integers(6, 20))):
        if upright:
            marks.append(box_patch(x + index * pitch, y, x + index * pitch + thick, y + 80, colour))
        else:
            marks.append(box_patch(x, y + index * pitch, x + 110, y + index * pitch + thick, colour))
    return marks


def hang_picture(random: np.random.Generator) -> list[Mark]:
    """Hang a framed picture of a landscape."""
    x, y = anywhere(random, 0.8).tolist()
    ridge = np.array([[-30, 20], [-30, 3], [-12, -8], [4, 4], [18, -12], [30, 6], [30, 20]])
    return [
        *shadowed(turned_box(x, y, 72, 52, 0.0), choose_colour(random)),
        box_patch(x - 30, y - 20, x + 30, y + 20, (0.75, 0.82, 0.90)),
        Patch(ridge + np.array([x, y]), (0.30, 0.42, 0.28)),
    ]


def put_lamp(random: np.random.Generator) -> list[Mark]:
    """Put up a lamp: a pole, a shade, a foot."""
    x = float(random.uniform(20, WIDE - 20))
    shade = np.array([[x - 12, 30], [x + 12, 30], [x + 24, 62], [x - 24, 62]])
    pole: Path = rod(np.array([x, 60]), np.array([x, 220]), random.uniform(1.5, 4))
    return [Patch(pole, (0.12, 0.12, 0.12)), Patch(shade, (0.92, 0.86, 0.70))]
