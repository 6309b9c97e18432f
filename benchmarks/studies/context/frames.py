"""Frames with the box of every digit known: photographs, pages, forms, pages on photographs, and text.

Each is drawn from its number and the seed alone. Sheets are seen at an angle, in uneven light, with shadows and noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ....edge.data.images import Images
from .layouts import Plan, fill_page, fill_text, plan_sheet
from .sheet import UNSURE, DigitBox, Ink, Sheet
from .writing import Gray, Typeface

# Kinds of frames and the share of each.
KINDS = {"photograph": 0.26, "page": 0.39, "form": 0.15, "page on photograph": 0.1, "text": 0.1}
SINGLE = 0.12
WIDTHS, ASPECTS = (420, 1280), (0.6, 1.1)
# Turns: the standard deviation of most in degrees, and the range of the others.
TURN, MOST_TURNED, TURNED_LITTLE = 4, (-18, 18), 0.7
TILTED, TILT = 0.4, 0.06
# Paper: gray levels, and as shares of them: a gradient's deviation, shadows, and a photograph as texture.
PAPER, GRADIENT = (110, 245), 0.12
SHADED, SHADE, SHADOW_BLUR = 0.3, (0.15, 0.55), (2, 40)
TEXTURED, TEXTURE, LEAST_DEVIATION = 0.35, (0.03, 0.15), 8
INK = (0.35, 0.9)
LIGHT_INK = 0.22
# Blur in pixels, of sheets with large and with small digits.
LARGE_DIGITS, BLUR_LARGE, BLUR_SMALL = 30, (0.4, 1.6), (0.4, 0.8)
NOISE = (0.3, 5)
COMPRESSED, QUALITY = 0.5, (50, 94)
# The smallest crop of a photograph as a share of its width.
SMALLEST_CROP, SMALLEST_SIDE = 0.15, 8
# A page on a photograph: shift of its middle and half its size, in sizes of the frame, and turn in degrees.
SHIFT, HALF_SIZE, PAGE_TURN = 0.1, (0.25, 0.47), 8
# The share of a digit's box that must be on the page.
ON_PAGE = 0.98

Levels = NDArray[np.float32]


@dataclass(frozen=True)
class Sources:
    """The material of frames: photographs, uint8 [height, width] each, images of digits, and fonts."""

    photographs: Sequence[Gray]
    digits: Images
    typefaces: tuple[Typeface, ...]


class ComposedFrame(NamedTuple):
    """A frame: uint8 [height, width], one of KINDS, and its digits; digits of photographs are unknown and rare."""

    pixels: Gray
    kind: str
    boxes: tuple[DigitBox, ...]


def compose_frame(sources: Sources, random: np.random.Generator) -> ComposedFrame:
    """Compose a random frame."""
    width = int(random.integers(WIDTHS[0], WIDTHS[1] + 1))
    height = int(width * random.uniform(*ASPECTS))
    kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "photograph":
        levels, boxes = crop_photograph(sources, (height, width), random), ()
    else:
        levels, boxes = _photograph_sheet(sources, (height, width), kind, random)
    levels = levels + random.normal(0, random.uniform(*NOISE), levels.shape)
    pixels = np.clip(levels, 0, 255).astype(np.uint8)
    if random.random() < COMPRESSED:
        quality = int(random.integers(QUALITY[0], QUALITY[1] + 1))
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8)
    return ComposedFrame(pixels, kind, boxes)


def crop_photograph(sources: Sources, shape: tuple[int, int], random: np.random.Generator) -> Levels:
    """Crop a random part of a random photograph, and scale it to [height, width]: float32, gray levels."""
    photograph = sources.photographs[int(random.integers(len(sources.photographs)))]
    (high, wide), (height, width) = photograph.shape, shape
    share = float(np.exp(random.uniform(np.log(SMALLEST_CROP), 0)))
    rows = max(SMALLEST_SIDE, min(high, int(wide * share * height / width)))
    columns = max(SMALLEST_SIDE, min(int(wide * share), int(rows * width / height)))
    y, x = random.integers(0, (max(0, high - rows) + 1, max(0, wide - columns) + 1)).tolist()
    crop = photograph[y : y + rows, x : x + columns]
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    interpolation = cv2.INTER_AREA if columns > width else cv2.INTER_CUBIC
    return cv2.resize(crop, (width, height), interpolation=interpolation).astype(np.float32)


def _photograph_sheet(
    sources: Sources, shape: tuple[int, int], kind: str, random: np.random.Generator
) -> tuple[Levels, tuple[DigitBox, ...]]:
    """Fill a sheet and photograph it: its gray levels, float32 [height, width], and its digits."""
    sheet = Sheet(*shape)
    is_single = kind in {"page", "page on photograph"} and random.random() < SINGLE
    plan = plan_sheet(sheet, sources.digits, sources.typefaces, random, kind == "form", is_single)
    if kind == "text":
        fill_text(sheet, plan.words, random)
    else:
        fill_page(sheet, plan, random)
    ink, boxes = _turn(sheet, random)
    levels = _light_paper(sources, shape, random) * (1 - random.uniform(*INK) * ink)
    if kind == "page on photograph":
        levels, boxes = _put_on_photograph(levels.astype(np.float32, copy=False), boxes, sources, random)
    if random.random() < LIGHT_INK:
        levels = 255 - levels
    return _blur(levels.astype(np.float32, copy=False), plan, random), boxes


def _turn(sheet: Sheet, random: np.random.Generator) -> tuple[Ink, tuple[DigitBox, ...]]:
    """See a sheet turned and tilted."""
    height, width = sheet.ink.shape
    degrees = random.normal(0, TURN) if random.random() < TURNED_LITTLE else random.uniform(*MOST_TURNED)
    view = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), [0, 0, 1]])
    if random.random() < TILTED:
        tilt, middle = np.eye(3), np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
        tilt[2, :2] = random.normal(0, TILT, 2) / width
        view = np.linalg.inv(middle) @ tilt @ middle @ view
    ink = cv2.warpPerspective(sheet.ink, view, (width, height)).astype(np.float32, copy=False)
    return ink, tuple(_turn_box(box, view) for box in sheet.boxes)


def _turn_box(box: DigitBox, view: NDArray[np.float64]) -> DigitBox:
    """Turn a box: the mean of the boxes around its turned corners and around its turned edges' middles.

    Ink rarely fills the corners of its box, so that the first is too large; the second is too small.
    """
    corners = np.array(
        [[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]], np.float32
    )
    turned = cv2.perspectiveTransform(corners[None], view)[0]
    middles = (turned + np.roll(turned, -1, axis=0)) / 2
    left, top = ((turned.min(axis=0) + middles.min(axis=0)) / 2).tolist()
    right, bottom = ((turned.max(axis=0) + middles.max(axis=0)) / 2).tolist()
    return DigitBox(left, top, right, bottom, box.digit)


def _light_paper(sources: Sources, shape: tuple[int, int], random: np.random.Generator) -> Levels:
    """Draw paper in uneven light, some with a shadow or texture: float32 [height, width], gray levels."""
    height, width = shape
    across, down = random.normal(0, GRADIENT, 2)
    light = 1 + across * np.linspace(-1, 1, width) + down * np.linspace(-1, 1, height)[:, None]
    paper = (random.uniform(*PAPER) * light).astype(np.float32)
    if random.random() < SHADED:
        shadow = np.zeros(shape, np.float32)
        corners = (random.uniform(-0.2, 1.2, (4, 2)) * (width, height)).astype(np.int32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(corners), 1)
        paper *= 1 - random.uniform(*SHADE) * cv2.GaussianBlur(shadow, (0, 0), random.uniform(*SHADOW_BLUR))
    if random.random() < TEXTURED:
        texture = crop_photograph(sources, shape, random)
        deviation = max(LEAST_DEVIATION, float(texture.std()))
        paper *= 1 + random.uniform(*TEXTURE) * (texture - texture.mean()) / deviation
    return paper


def _put_on_photograph(
    levels: Levels, boxes: Sequence[DigitBox], sources: Sources, random: np.random.Generator
) -> tuple[Levels, tuple[DigitBox, ...]]:
    """Keep a rectangle of a page, with a photograph around it, and the digits on it; those on its edge are unsure."""
    height, width = levels.shape
    ground = crop_photograph(sources, (height, width), random)
    middle = (np.array([0.5, 0.5]) + random.normal(0, SHIFT, 2)) * (width, height)
    size = 2 * random.uniform(*HALF_SIZE, 2) * (width, height)
    page = np.zeros((height, width), np.float32)
    corners = cv2.boxPoints((tuple(middle.tolist()), tuple(size.tolist()), float(random.normal(0, PAGE_TURN))))
    cv2.fillConvexPoly(page, corners.astype(np.int32), 1)
    kept = []
    for box in boxes:
        x, y = int((box.left + box.right) / 2), int((box.top + box.bottom) / 2)
        if page[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]:
            part = page[int(max(0, box.top)) : int(box.bottom) + 1, int(max(0, box.left)) : int(box.right) + 1]
            kept.append(box if part.mean() > ON_PAGE else replace(box, digit=UNSURE))
    soft = cv2.GaussianBlur(page, (0, 0), 1)
    return (levels * soft + ground * (1 - soft)).astype(np.float32, copy=False), tuple(kept)


def _blur(levels: Levels, plan: Plan, random: np.random.Generator) -> Levels:
    """Blur a frame, no more than its digits stay legible."""
    deviation = random.uniform(*(BLUR_LARGE if plan.height > LARGE_DIGITS else BLUR_SMALL))
    return cv2.GaussianBlur(levels, (0, 0), deviation).astype(np.float32, copy=False)
