"""Grounds that fill the frame with fine structure: gravel, grass, bricks, weave, hatching, dots."""

import numpy as np

from ..contents import USUAL_HEIGHT_MM, PageContent
from ..handwriting import Path, WritingLayout
from ..marks import Mark, Patch, box_patch
from ..pens import BALL_BLACK, Layer, Pen
from ..surfaces import Colour, Rectangle
from .figures import ellipse, leaf, rod

# The part in view, mm; the texture reaches beyond it.
WIDE, HIGH, BEYOND = 90.0, 70.0, 25.0
VIEW = Rectangle(0, 0, WIDE, HIGH).corners()


def draft_texture(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft one texture."""
    kinds = (_gravel, _grass, _bricks, _weave, _dots, _stripes)
    kind = int(random.integers(len(kinds) + 1))
    if kind == len(kinds):
        hatching = Layer(BALL_BLACK, tuple(_hatching(random)), 1.0)
        return PageContent((), (hatching,), USUAL_HEIGHT_MM, view=VIEW)
    return PageContent((), (), USUAL_HEIGHT_MM, marks=tuple(kinds[kind](random)), view=VIEW)


def _gravel(random: np.random.Generator) -> list[Mark]:
    """Scatter stones of similar size over dark ground."""
    size = random.uniform(2.0, 5.0)
    marks: list[Mark] = [_ground((0.15, 0.14, 0.13))]
    for _ in range(int(min(2500, 1.4 * (WIDE + 2 * BEYOND) * (HIGH + 2 * BEYOND) / size**2))):
        turn = np.sort(random.uniform(0, 2 * np.pi, 7))
        reach = size * random.uniform(0.35, 0.75, 7)
        stone = np.stack([reach * np.cos(turn), reach * np.sin(turn)], axis=1) + _anywhere(random)
        marks.append(Patch(stone, _gray(random.uniform(0.25, 0.75), random), 0.08))
    return marks


def _grass(random: np.random.Generator) -> list[Mark]:
    """Grow blades of grass, over one another."""
    marks: list[Mark] = [_ground((0.08, 0.12, 0.06))]
    for _ in range(1800):
        light = random.uniform(0.15, 0.65)
        colour: Colour = (0.7 * light, light, 0.4 * light)
        angle = -np.pi / 2 + random.normal(0, 0.9)
        marks.append(
            Patch(leaf(_anywhere(random), angle, random.uniform(6, 22), random.uniform(0.5, 1.6)), colour, 0.0)
        )
    return marks


def _bricks(random: np.random.Generator) -> list[Mark]:
    """Lay bricks in mortar, upright or across."""
    wide, high = random.uniform(14, 24), random.uniform(5, 9)
    joint = random.uniform(0.6, 1.4)
    dark = random.random() < 0.5
    marks: list[Mark] = [_ground((0.75, 0.73, 0.70) if dark else (0.25, 0.24, 0.23))]
    for row, y in enumerate(np.arange(-BEYOND, HIGH + BEYOND, high)):
        for x in np.arange(-BEYOND - (row % 2) * wide / 2, WIDE + BEYOND, wide):
            shade = random.uniform(0.8, 1.1) * (0.35 if dark else 0.65)
            marks.append(box_patch(x, y, x + wide - joint, y + high - joint, (shade, 0.6 * shade, 0.5 * shade), 0.1))
    return marks


def _weave(random: np.random.Generator) -> list[Mark]:
    """Weave strips over and under one another."""
    pitch = random.uniform(2.5, 6)
    light, marks = random.uniform(0.5, 0.8), list[Mark]()
    for row, y in enumerate(np.arange(-BEYOND, HIGH + BEYOND, pitch)):
        for column, x in enumerate(np.arange(-BEYOND, WIDE + BEYOND, pitch)):
            shade = light * random.uniform(0.9, 1.05) * (1.0 if (row + column) % 2 else 0.55)
            inset = 0.12 * pitch
            across = (row + column) % 2
            left, top = (x, y + inset) if across else (x + inset, y)
            right, bottom = (x + pitch, y + pitch - inset) if across else (x + pitch - inset, y + pitch)
            marks.append(box_patch(left, top, right, bottom, (shade, 0.85 * shade, 0.6 * shade), 0.05))
    return [_ground((0.12, 0.10, 0.07)), *marks]


def _dots(random: np.random.Generator) -> list[Mark]:
    """Print dots at equal distances."""
    pitch = random.uniform(3, 7)
    size = random.uniform(0.12, 0.4) * pitch
    light, dark = (0.9, 0.89, 0.86), _gray(random.uniform(0.05, 0.4), random)
    ground, dot = (light, dark) if random.random() < 0.7 else (dark, light)
    dots = [
        Patch(ellipse(x + (row % 2) * pitch / 2, y, size, size)[::6], dot, 0.0)
        for row, y in enumerate(np.arange(-BEYOND, HIGH + BEYOND, pitch))
        for x in np.arange(-BEYOND, WIDE + BEYOND, pitch)
    ]
    return [_ground(ground), *dots]


def _stripes(random: np.random.Generator) -> list[Mark]:
    """Print stripes of changing width, or lay boards with gaps between them."""
    marks: list[Mark] = [_ground(_gray(random.uniform(0.5, 0.9), random))]
    dark, along, angle = _gray(random.uniform(0.05, 0.4), random), -3 * BEYOND, random.normal(0, 0.15)
    upright = random.random() < 0.5
    way = np.array([np.sin(angle), np.cos(angle)]) if upright else np.array([np.cos(angle), np.sin(angle)])
    while along < WIDE + 3 * BEYOND:
        start = np.array([along, -BEYOND]) if upright else np.array([-BEYOND, along])
        marks.append(Patch(rod(start, start + 200 * way, random.uniform(0.5, 3)), dark, 0.05))
        along += random.uniform(3, 12)
    return marks


def _hatching(random: np.random.Generator) -> list[Path]:
    """Hatch with a pen, here and there crosswise."""
    paths: list[Path] = []
    for _ in range(int(random.integers(3, 9))):
        corner, angle = random.uniform((0, 0), (WIDE - 20, HIGH - 15)), random.uniform(0, np.pi)
        pitch, length = random.uniform(1.0, 3.0), random.uniform(6, 18)
        way = np.array([np.cos(angle), np.sin(angle)])
        for index in range(int(random.integers(6, 20))):
            start = corner + index * pitch * np.array([-way[1], way[0]]) + random.normal(0, 0.3, 2)
            end = start + length * way * random.normal(1, 0.06)
            paths.append(np.array([start, (start + end) / 2 + random.normal(0, 0.2, 2), end]))
    return paths


def _ground(colour: Colour) -> Patch:
    return box_patch(-BEYOND, -BEYOND, WIDE + BEYOND, HIGH + BEYOND, colour, 0.06)


def _gray(light: float, random: np.random.Generator) -> Colour:
    tint = random.normal(0, 0.02, 3)
    return (light + tint[0], light + tint[1], light + tint[2])


def _anywhere(random: np.random.Generator) -> Path:
    return random.uniform((-BEYOND, -BEYOND), (WIDE + BEYOND, HIGH + BEYOND))
