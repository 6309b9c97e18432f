"""Rows of digits in awkward places: turned, climbing, close together, at the frame's edge, cropped tightly."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..contents import PageContent, choose_pen, ink
from ..handwriting import Path, Strokes, Writing, WritingLayout, clearance, resample, write_rows
from ..pens import PRESS, Layer, Pen
from .lines import draw_by_hand, line

# Steepest climb of digits that stay upright themselves, in degrees; steeper ones lean with their row.
STEEPEST_UPRIGHT = 20
# Smallest and largest distance of the ink of neighbouring rows, in heights.
CLOSE = (0.08, 0.2)
DOWN = np.array([0.0, 1.0])
# A digit stands at most this much above its row's baseline, in heights.
HIGHEST_LIFT = 0.25


def draft_hand_lines(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows on lines that were drawn by hand, at times with the digits' own pen."""
    writing, pen = write_rows(layout, random), choose_pen(pens, random)
    written = ink(writing, pen)
    low, high = _bounds(written.paths)
    height, spare = writing.height_mm, random.uniform(0.5, 3.0, 2) * writing.height_mm
    feet = [float(np.median([_bounds(glyph)[1][1] for glyph in row])) for row in split_rows(writing)]
    below = random.uniform(0.1, 0.3) * height
    lines = [line(low[0] - spare[0], foot + below, high[0] + spare[1], foot + below) for foot in feet]
    if random.random() < 0.5:
        top = low[1] - 0.3 * height
        lines.append(line(low[0] - spare[0], top, high[0] + spare[1], top))
    if random.random() < 0.4:
        x = low[0] - 0.5 * height
        lines.append(line(x, low[1] - height, x, high[1] + height))
    drawn = tuple(draw_by_hand(path, random.uniform(0.03, 0.12) * height, random) for path in lines)
    ruler = pen if random.random() < 0.5 else PRESS
    return PageContent(writing.rows, (written, Layer(ruler, drawn, written.widest_mm)), height)


def draft_climbing(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows that climb or fall; the digits lean with them or stay upright."""
    writing = write_rows(layout, random)
    angle = np.radians(random.uniform(10, 35) * random.choice([-1, 1]))
    if abs(angle) < np.radians(STEEPEST_UPRIGHT) and random.random() < 0.5:
        moved = [
            tuple(path + np.tan(angle) * np.concatenate(glyph)[:, 0].mean() * DOWN for path in glyph)
            for glyph in writing.glyphs
        ]
    else:
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        moved = [tuple(path @ turn for path in glyph) for glyph in writing.glyphs]
    written = ink(replace(writing, glyphs=tuple(moved)), choose_pen(pens, random))
    return PageContent(writing.rows, (written,), writing.height_mm)


def draft_close_rows(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows so close that their digits nearly touch those above and below."""
    writing, pen = write_rows(layout, random), choose_pen(pens, random)
    height = writing.height_mm
    rows = split_rows(writing)
    moved = list(rows[0])
    above = _points(rows[0], height)
    for below in rows[1:]:
        points = _points(below, height)
        gap = random.uniform(*CLOSE) * height + max(pen.width_mm)
        # Seen sideways, the row above is the digit before.
        down = clearance(above[:, ::-1], points[:, ::-1], reach=0.1 * height) + gap
        row = [_lift(glyph, above, down, gap, height) for glyph in below]
        moved += row
        above = _points(row, height)
    written = ink(replace(writing, glyphs=tuple(moved)), pen)
    return PageContent(writing.rows, (written,), height)


def _lift(glyph: Strokes, above: Path, down: float, gap: float, height: float) -> Strokes:
    """Move a digit down with its row, and then up again by a part of its own distance from the row above."""
    points = _points([glyph], height)
    spare = down - clearance(above[:, ::-1], points[:, ::-1], reach=0.1 * height) - gap
    shift = down - min(0.6 * max(spare, 0.0), HIGHEST_LIFT * height)
    return tuple(path + np.array([0.0, shift]) for path in glyph)


def draft_edge_crop(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows with the ink at one or two of the frame's edges, or cut there by up to 3 % of a digit's height."""
    writing, pen = write_rows(layout, random), choose_pen(pens, random)
    written, height = ink(writing, pen), writing.height_mm
    margins = random.uniform(0.4, 3.0, 4) * height
    for side in random.choice(4, random.integers(1, 3), replace=False):
        margins[side] = np.mean(pen.width_mm) / 2 + random.uniform(-0.03, 0.01) * height
    return PageContent(writing.rows, (written,), height, view=_crop(written.paths, margins))


def draft_tight_crop(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft a row or a digit that someone cropped to its ink."""
    writing, pen = write_rows(layout, random), choose_pen(pens, random)
    written, height = ink(writing, pen), writing.height_mm
    margins = random.uniform(-0.01, 0.12, 4) * height + min(pen.width_mm) / 2
    return PageContent(writing.rows, (written,), height, view=_crop(written.paths, margins))


def split_rows(writing: Writing) -> list[tuple[Strokes, ...]]:
    """Split a writing's digits into its rows."""
    ends = np.cumsum([0, *map(len, writing.rows)]).tolist()
    return [writing.glyphs[start:end] for start, end in pairwise(ends)]


def _crop(paths: tuple[Path, ...], margins: np.ndarray) -> Path:
    """Return the corners of the box around paths with margins left, above, right, below, mm."""
    (left, top), (right, bottom) = _bounds(paths)
    left, top, right, bottom = left - margins[0], top - margins[1], right + margins[2], bottom + margins[3]
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _bounds(paths: tuple[Path, ...]) -> tuple[Path, Path]:
    points = np.concatenate(paths)
    return points.min(axis=0), points.max(axis=0)


def _points(row: Sequence[Strokes], height: float) -> Path:
    return np.concatenate([resample(path, step=0.03 * height) for glyph in row for path in glyph])
