"""Ink that is not a digit: specks, dashes and smudges between digits; letters, scribbles, faces, charts."""

import numpy as np

from .glyphs import LETTERS, parse_shape
from .handwriting import Path, Writing, draw_hand, write_shape
from .pages import round_corners

# Specks stay this far from digits, in heights of a digit, so that they do not look like a part of one.
KEPT_CLEAR = 0.2


def scatter_specks(writing: Writing, random: np.random.Generator) -> tuple[Path, ...]:
    """Scatter ink dots, dashes and small smudges between and around the digits, mm."""
    height = writing.height_mm
    ink = np.concatenate([path for glyph in writing.glyphs for path in glyph])
    low, high = ink.min(axis=0) - 0.6 * height, ink.max(axis=0) + 0.6 * height
    marks: list[Path] = []
    for _ in range(random.integers(6, 20)):
        make = (_dot, _dot, _dash, _smudge)[random.integers(4)]
        mark = make(random) * height + random.uniform(low, high)
        nearest = np.hypot(*(mark[:, None] - ink[None]).transpose(2, 0, 1)).min()
        if nearest > KEPT_CLEAR * height:
            marks.append(mark)
    return tuple(marks)


def _dot(random: np.random.Generator) -> Path:
    return np.array([[0, 0], random.normal(0, 0.012, 2), random.normal(0, 0.012, 2)])


def _dash(random: np.random.Generator) -> Path:
    length = random.uniform(0.2, 0.4)
    return np.array([[0, 0], [length / 2, random.normal(0, 0.01)], [length, random.normal(0, 0.03)]])


def _smudge(random: np.random.Generator) -> Path:
    """Draw a few short strokes to and fro."""
    return np.cumsum(random.normal(0, 0.035, (6, 2)), axis=0)


def write_letters(random: np.random.Generator) -> tuple[Path, ...]:
    """Write a few words of letters that do not look like digits, mm."""
    hand, height = draw_hand(random), random.uniform(6, 10)
    names = list(LETTERS)
    paths: list[Path] = []
    for row in range(random.integers(1, 4)):
        right = 0.0
        for _ in range(random.integers(3, 9)):
            shape = parse_shape(LETTERS[names[random.integers(len(names))]])
            glyph = [path + np.array([right, 1.8 * row]) for path in write_shape(shape, hand, random)]
            right = max(float(path[:, 0].max()) for path in glyph) + random.uniform(0.2, 0.4)
            paths += [height * path for path in glyph]
    return tuple(paths)


def make_drawing(random: np.random.Generator) -> tuple[Path, ...]:
    """Draw a scribble, a face, or a chart, mm."""
    return (draw_scribble, draw_face, draw_chart)[random.integers(3)](random)


def draw_scribble(random: np.random.Generator) -> tuple[Path, ...]:
    """Draw zigzags and hatching, like someone trying a pen, mm."""
    paths: list[Path] = []
    for _ in range(random.integers(2, 5)):
        turns = int(random.integers(14, 30))
        x = np.linspace(0, random.uniform(15, 40), turns) + random.normal(0, 1.0, turns)
        y = np.where(np.arange(turns) % 2, 1, -1) * random.uniform(2, 7, turns)
        paths.append(round_corners(np.stack([x, y], axis=1)) + random.uniform(0, 60, 2))
    return tuple(paths)


def draw_face(random: np.random.Generator) -> tuple[Path, ...]:
    """Draw a cartoon of a face with hair, eyes, brows, nose and a smile, mm."""
    turn = np.linspace(0, 2 * np.pi, 60)
    wide, high = random.uniform(18, 26), random.uniform(22, 30)
    outline = np.stack([wide * np.cos(turn), high * np.sin(turn)], axis=1) * (1 + 0.02 * np.sin(3 * turn))[:, None]
    paths = [outline]
    for side in (-1, 1):
        eye = np.array([side * 0.4 * wide, -0.15 * high])
        paths.append(eye + np.stack([2.2 * np.cos(turn), 1.6 * np.sin(turn)], axis=1))
        paths.append(eye + np.stack([0.8 * np.cos(turn), 0.8 * np.sin(turn)], axis=1))
        paths.append(eye + np.array([[-4, -3.5], [0, -5 + random.normal(0, 0.6)], [4, -3.8]]))
    paths.append(np.array([[0, -0.05], [0.12, 0.2], [-0.05, 0.22]]) * high)
    smile = np.linspace(0.15, 0.85, 20) * np.pi
    paths.append(np.stack([0.5 * wide * np.cos(smile), 0.35 * high + 0.2 * high * np.sin(smile)], axis=1))
    for angle in np.linspace(1.15, 1.85, 12) * np.pi + random.normal(0, 0.02, 12):
        way = np.array([wide * np.cos(angle), high * np.sin(angle)])
        paths.append(np.stack([way, 1.12 * way + random.normal(0, 1, 2), 1.25 * way]))
    return tuple(paths)


def draw_chart(random: np.random.Generator) -> tuple[Path, ...]:
    """Draw a curve between two axes with arrows, mm."""
    wide, high = random.uniform(50, 90), random.uniform(30, 50)
    arrow = np.array([[-2.0, -1.2], [0.0, 0.0], [-2.0, 1.2]])
    across, up = np.array([[-3.0, 0.0], [wide, 0.5]]), np.array([[0.0, 3.0], [0.3, -high]])
    x = np.linspace(3, 0.9 * wide, int(random.integers(5, 9)))
    y = -high * np.clip(np.cumsum(random.normal(0.12, 0.15, len(x))), 0.05, 0.9)
    curve = round_corners(np.stack([x, y], axis=1))
    return across, across[1] + arrow, up, up[1] + arrow[:, ::-1] * [1, -1], curve
