"""Outlines of things as polygons, float64 [N, 2], mm: rods, ellipses, leaves, turned boxes."""

import numpy as np

from ..handwriting import Path
from ..marks import Mark, Patch
from ..pages import round_corners
from ..surfaces import Colour, Rectangle

# The part of a room or a desk in view, mm.
WIDE, HIGH = 300.0, 220.0
VIEW = Rectangle(0, 0, WIDE, HIGH).corners()
COLOURS: tuple[Colour, ...] = (
    (0.10, 0.10, 0.11), (0.85, 0.84, 0.80), (0.20, 0.30, 0.50), (0.60, 0.15, 0.12), (0.20, 0.42, 0.25),
    (0.75, 0.60, 0.20), (0.45, 0.45, 0.47), (0.50, 0.33, 0.20), (0.93, 0.93, 0.92), (0.30, 0.20, 0.35),
)  # fmt: skip


def rod(start: Path, end: Path, width: float) -> Path:
    """Make a straight bar of this width."""
    way = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
    across = width / 2 * np.array([-way[1], way[0]])
    return np.array([start + across, end + across, end - across, start - across])


def ellipse(x: float, y: float, across: float, down: float) -> Path:
    """Make an ellipse with its middle at (x, y)."""
    turn = np.linspace(0, 2 * np.pi, 72)
    return np.stack([x + across * np.cos(turn), y + down * np.sin(turn)], axis=1)


def turned_box(x: float, y: float, wide: float, high: float, angle: float) -> Path:
    """Make a box with its middle at (x, y), turned by an angle in radians."""
    corners = Rectangle(-wide / 2, -high / 2, wide / 2, high / 2).corners()
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return corners @ turn + [x, y]


def leaf(foot: Path, angle: float, length: float, width: float) -> Path:
    """Make a pointed leaf that grows from its foot."""
    along = np.linspace(0, 1, 12)
    half = width / 2 * np.sin(np.pi * along) ** 0.8
    outline = np.concatenate(
        [np.stack([length * along, half], axis=1), np.stack([length * along, -half], axis=1)[::-1]]
    )
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return outline @ turn + foot


def shadowed(outline: Path, colour: Colour, reach: float = 2.0) -> list[Mark]:
    """Make a thing that lies on the ground, with its soft shadow."""
    return [Patch(outline + 0.6 * reach, (0.02, 0.02, 0.02), 0.0, 0.45, reach), Patch(outline, colour, 0.03)]


def curve(start: Path, end: Path, sway: float, random: np.random.Generator) -> Path:
    """Make a smooth curve that wanders from start to end."""
    along = np.linspace(0, 1, 7)[:, None]
    points = start + along * (end - start) + random.normal(0, sway, (7, 2)) * np.sin(np.pi * along)
    return round_corners(points, 4)


def choose_colour(random: np.random.Generator) -> Colour:
    """Choose the colour of a thing."""
    return COLOURS[random.integers(len(COLOURS))]


def anywhere(random: np.random.Generator, share: float = 1.0) -> Path:
    """Choose a place in view; with a share above 1 also around it."""
    return np.array([WIDE, HIGH]) * (0.5 + share * random.uniform(-0.5, 0.5, 2))
