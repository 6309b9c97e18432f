"""Handwritten lines of any text: words, dates, sums; and straight and wavy lines drawn with a pen."""

import numpy as np

from ..glyphs import DIGITS, parse_shape
from ..handwriting import Hand, Path, Strokes, clearance, resample, write_shape
from .alphabet import CHARACTERS, WORDS

# Letters with this much of their height between them are not joined.
LONGEST_JOIN = 0.6


def write_line(text: str, hand: Hand, random: np.random.Generator, gap: float = 0.24, joined: bool = False) -> Strokes:
    """Write a line of text in heights, from x = 0, on the baseline y = 0.

    Args:
        text: Digits and characters of the alphabet; other ones and spaces leave a space.
        hand: Whose hand it is.
        random: Random generator.
        gap: Distance between the middles of neighbours' strokes.
        joined: Whether a letter's end leads to the next one.
    """
    paths: list[Path] = []
    last: Strokes = ()
    space = 0.0
    for character in text:
        glyph = write_character(character, hand, random)
        if not glyph:
            space += random.uniform(0.45, 0.7)
            continue
        shift = _follow(last, glyph, gap * random.normal(1, 0.1)) + space
        glyph = tuple(path + np.array([shift, 0.0]) for path in glyph)
        if joined and last and not space and character.islower():
            paths += _join(last, glyph)
        last, space = glyph, 0.0
        paths += glyph
    return tuple(paths)


def write_character(character: str, hand: Hand, random: np.random.Generator) -> Strokes:
    """Write one character of height 1 with its foot at y = 0; nothing if the alphabet lacks it."""
    if character in DIGITS:
        shape = hand.shapes[character][hand.preferred[character]]
    elif character in CHARACTERS:
        shape = parse_shape(CHARACTERS[character])
    else:
        return ()
    return write_shape(shape, hand, random)


def choose_words(count: int, random: np.random.Generator) -> str:
    """Choose words, with spaces between them."""
    return " ".join(WORDS[index] for index in random.integers(0, len(WORDS), count))


def place(paths: Strokes, height_mm: float, x: float, y: float) -> Strokes:
    """Scale paths in heights to mm, and move them to (x, y)."""
    return tuple(height_mm * path + np.array([x, y]) for path in paths)


def line(x0: float, y0: float, x1: float, y1: float) -> Path:
    """Make a straight line, mm."""
    return np.array([[x0, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x1, y1]])


def box_lines(left: float, top: float, right: float, bottom: float) -> Strokes:
    """Make the four lines of a box, mm."""
    return (
        line(left, top, right, top), line(right, top, right, bottom),
        line(right, bottom, left, bottom), line(left, bottom, left, top),
    )  # fmt: skip


def draw_by_hand(path: Path, sway_mm: float, random: np.random.Generator) -> Path:
    """Bend a straight line as a hand without a ruler does: it sways slowly, and ends a little off."""
    points = resample(path, step=2.0)
    along = np.linspace(0, 1, len(points))
    length = float(np.hypot(*(points[-1] - points[0])))
    across = np.array([-1.0, 1.0]) * (points[-1] - points[0])[::-1] / max(length, 1e-6)
    waves = max(1.0, length / random.uniform(25, 60))
    sway = np.sin(2 * np.pi * (waves * along + random.random())) + random.normal(0, 0.5) * np.sin(9 * along)
    return (
        points + (sway_mm * sway + sway_mm * random.normal(0, 1) * along)[:, None] * across + random.normal(0, 0.3, 2)
    )


def _follow(last: Strokes, glyph: Strokes, gap: float) -> float:
    """Compute how far to move a character to the right so that it follows the last one."""
    first = np.concatenate([resample(path, step=0.03) for path in glyph])
    if not last:
        return -float(first[:, 0].min())
    before = np.concatenate([resample(path, step=0.03) for path in last])
    least = float(before[:, 0].max() - first[:, 0].min()) - 0.05
    return max(clearance(before, first, reach=0.15) + gap, least)


def _join(last: Strokes, glyph: Strokes) -> list[Path]:
    """Draw the stroke from the end of a letter to the start of the next, if they are near."""
    start, end = max(last, key=len)[-1], glyph[0][0]
    if float(np.hypot(*(end - start))) > LONGEST_JOIN:
        return []
    return [np.array([start, (start + end) / 2 + [0.0, 0.05], end])]
