"""The contact sheet: every digit that an exported file reads differently from the trained model."""

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..verify import FileOutputs, KerasReference

# Pixels. A digit of 28 pixels is shown three times as large.
ZOOM, TILE_WIDTH, TILE_HEIGHT, COLUMNS, HEADING = 3, 104, 140, 9, 34
TITLE_SIZE, TITLE_LEFT = 16, 4
# A file that changes more digits is broken, and shows it with these.
MOST_TILES = 90
PAPER, INK, SOFT, WRONG, RIGHT = "#ffffff", "#1c2530", "#5b6875", "#b3362b", "#1d7a46"


def draw_changed_digits(outcomes: Sequence[FileOutputs], reference: KerasReference) -> tuple[bytes | None, int]:
    """Draw the digits whose class changed, one block per file.

    Args:
        outcomes: The files' logits on the reference's images.
        reference: The Keras model's logits, with images and labels.

    Returns:
        A PNG (the same bytes for the same digits) and the number of changes; None for the PNG if there are none.
    """
    before = reference.logits.argmax(axis=1)
    changed = [(outcome, np.flatnonzero(outcome.logits.argmax(axis=1) != before)) for outcome in outcomes]
    blocks = [(outcome, places) for outcome, places in changed if len(places)]
    if not blocks:
        return None, 0
    heights = [HEADING + TILE_HEIGHT * -(-min(len(places), MOST_TILES) // COLUMNS) for _, places in blocks]
    # No wider than necessary: phone screens are narrow.
    tiles = TILE_WIDTH * min(COLUMNS, max(len(places) for _, places in blocks))
    titles = max(_measure(_name_block(outcome, places)) for outcome, places in blocks)
    sheet = Image.new("RGB", (max(tiles, titles), sum(heights)), PAPER)
    top = 0
    for (outcome, places), height in zip(blocks, heights, strict=True):
        _draw_block(sheet, top, outcome, places, reference)
        top += height
    content = io.BytesIO()
    sheet.quantize(64).save(content, "PNG", optimize=True)
    return content.getvalue(), sum(len(places) for _, places in changed)


def _name_block(outcome: FileOutputs, places: NDArray) -> str:
    note = f", the first {MOST_TILES}" if len(places) > MOST_TILES else ""
    return f"{outcome.file.record.name} on {outcome.runtime.name}: {len(places)} changed{note}"


def _measure(title: str) -> int:
    """Measure the width of a title in pixels, including the margin on both sides."""
    return 2 * TITLE_LEFT + math.ceil(ImageFont.load_default(TITLE_SIZE).getlength(title))


def _draw_block(sheet: Image.Image, top: int, outcome: FileOutputs, places: NDArray, reference: KerasReference) -> None:
    draw = ImageDraw.Draw(sheet)
    shown = places[:MOST_TILES]
    draw.text((TITLE_LEFT, top + 8), _name_block(outcome, places), INK, ImageFont.load_default(TITLE_SIZE))
    after, before = outcome.logits.argmax(axis=1), reference.logits.argmax(axis=1)
    for i, place in enumerate(shown):
        left = (i % COLUMNS) * TILE_WIDTH + 10
        upper = top + HEADING + (i // COLUMNS) * TILE_HEIGHT
        label = reference.images.labels[place]
        draw.text((left, upper), f"is {label}, model {before[place]}", SOFT, ImageFont.load_default(12))
        picture = Image.fromarray(255 - reference.images.pixels[place, :, :, 0])
        sheet.paste(picture.resize((28 * ZOOM, 28 * ZOOM), Image.Resampling.NEAREST), (left, upper + 16))
        color = RIGHT if after[place] == label else WRONG
        draw.text((left, upper + 18 + 28 * ZOOM), f"file {after[place]}", color, ImageFont.load_default(14))
