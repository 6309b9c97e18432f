"""The contents of a surface before it is photographed: rows of digits, on a page or a card, or no digits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .distractors import make_drawing, scatter_specks, write_letters
from .handwriting import Path, Writing, WritingLayout, write_rows
from .marks import Mark
from .pens import LIGHT_PEN, Layer, Pen
from .surfaces import Rectangle

# As a share of a digit's height; with a broader stroke, an 8 has no holes and neighbours touch.
WIDEST_STROKE = 0.14
# The part in view if nothing is written, mm.
EMPTY_VIEW = np.array([[0.0, 0.0], [90.0, 60.0]])
# The height by which blur is measured if there is no digit, mm.
USUAL_HEIGHT_MM = 8.0


@dataclass(frozen=True)
class PageContent:
    """The content to paint.

    Attributes:
        rows: The written rows.
        layers: Strokes, pen by pen.
        height_mm: Height of a digit, at least approximately.
        page: The page's edges, if they are in sight.
        card: A dark card on the page, if there is one.
        marks: Print and filled shapes below the strokes.
        view: Points that the camera has to see, float64 [N, 2], mm; None for all that is drawn.
    """

    rows: tuple[str, ...]
    layers: tuple[Layer, ...]
    height_mm: float
    page: Rectangle | None = None
    card: Rectangle | None = None
    marks: tuple[Mark, ...] = ()
    view: Path | None = None

    def extent(self) -> Path:
        """Return the points that the camera has to see, float64 [N, 2], mm: by default all that is drawn."""
        if self.view is not None:
            return self.view
        points = [path for layer in self.layers for path in layer.paths]
        points += [box.corners() for box in (self.page, self.card) if box]
        points += [mark.extent() for mark in self.marks]
        return np.concatenate(points) if points else EMPTY_VIEW


ContentMaker = Callable[[WritingLayout, tuple[Pen, ...], np.random.Generator], PageContent]


def draft_rows(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows of digits on a surface whose edges are out of sight."""
    writing = write_rows(layout, random)
    return PageContent(writing.rows, (ink(writing, choose_pen(pens, random)),), writing.height_mm)


def draft_page(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows of digits on a page whose edges are in sight."""
    draft = draft_rows(layout, pens, random)
    margins = random.uniform(0.8, 3.0, 4) * draft.height_mm
    return replace(draft, page=surround(draft.extent(), margins))


def draft_specks(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows of digits, and between them dots, dashes and smudges of the same pen."""
    writing, pen = write_rows(layout, random), choose_pen(pens, random)
    specks = Layer(pen, scatter_specks(writing, random), WIDEST_STROKE * writing.height_mm)
    return PageContent(writing.rows, (ink(writing, pen), specks), writing.height_mm)


def draft_card(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:
    """Draft rows in dark ink on the page, and below them rows in light ink on a dark card."""
    above, pen = write_rows(layout, random), choose_pen(pens, random)
    below = write_rows(replace(layout, height_mm=(above.height_mm, above.height_mm)), random)
    upper, lower = ink(above, pen), ink(below, LIGHT_PEN)
    gaps = random.uniform(0.6, 1.2, 4) * above.height_mm
    low, high = np.concatenate(upper.paths), np.concatenate(lower.paths)
    shift = np.array([0.0, low[:, 1].max() - high[:, 1].min() + gaps[1] + 0.6 * above.height_mm])
    lower = replace(lower, paths=tuple(path + shift for path in lower.paths))
    card = surround(np.concatenate(lower.paths), gaps)
    return PageContent((*above.rows, *below.rows), (upper, lower), above.height_mm, card=card)


def draft_letters(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft words without digits."""
    return _draft_no_digits(write_letters(random), choose_pen(pens, random))


def draft_drawing(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft a drawing without digits."""
    return _draft_no_digits(make_drawing(random), choose_pen(pens, random))


def draft_nothing(layout: WritingLayout, pens: tuple[Pen, ...], random: np.random.Generator) -> PageContent:  # noqa: ARG001 - a Drafter
    """Draft an empty surface."""
    return PageContent((), (), USUAL_HEIGHT_MM)


def _draft_no_digits(paths: tuple[Path, ...], pen: Pen) -> PageContent:
    return PageContent((), (Layer(pen, paths, WIDEST_STROKE * USUAL_HEIGHT_MM),), USUAL_HEIGHT_MM)


def ink(writing: Writing, pen: Pen) -> Layer:
    """Write with a pen, its strokes no broader than the digits allow."""
    paths = tuple(path for glyph in writing.glyphs for path in glyph)
    return Layer(pen, paths, WIDEST_STROKE * writing.height_mm)


def choose_pen(pens: tuple[Pen, ...], random: np.random.Generator) -> Pen:
    """Choose one of several pens."""
    return pens[random.integers(len(pens))]


def surround(points: Path, margins: np.ndarray) -> Rectangle:
    """Return the points' bounding box with margins left, above, right, below."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Rectangle(left - margins[0], top - margins[1], right + margins[2], bottom + margins[3])
