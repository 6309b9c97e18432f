"""The sheet of an explanation: each digit as the model sees it, the heat over it, and its reading."""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .gradcam import Explanation

# Pixels. A digit of 28 pixels is shown twice, six times as large.
ZOOM, GAP, MARGIN, HEADING, CAPTION = 6, 6, 14, 58, 30
SIDE = 28 * ZOOM
TILE_WIDTH, TILE_HEIGHT = 2 * SIDE + GAP + 2 * MARGIN, SIDE + CAPTION + MARGIN
LETTER_SIZES = range(17, 8, -1)
MOST_COLUMNS = 3
# From dark blue to yellow, perceptually uniform, also for the colour-blind.
COLOUR_MAP = "cividis"
PAPER, INK, SOFT = "#ffffff", "#1c2530", "#5b6875"
# Weight of the heat in the overlay, so that the ink stays visible.
HEAT_SHARE = 0.65
BAR = (120, 10)


def draw_sheet(pixels: NDArray[np.uint8], explanation: Explanation, captions: Sequence[str]) -> bytes:
    """Draw all digits as a PNG.

    Args:
        pixels: Images, uint8 [N, 28, 28, 1].
        explanation: The explanation of these images.
        captions: N captions with the readings.
    """
    columns = min(MOST_COLUMNS, len(pixels))
    size = (columns * TILE_WIDTH, HEADING + TILE_HEIGHT * -(-len(pixels) // columns))
    sheet = Image.new("RGB", size, PAPER)
    _draw_heading(sheet, explanation.layer)
    draw = ImageDraw.Draw(sheet)
    for i, (image, heat, caption) in enumerate(zip(pixels, explanation.heat, captions, strict=True)):
        left, top = (i % columns) * TILE_WIDTH + MARGIN, HEADING + (i // columns) * TILE_HEIGHT
        sheet.paste(_enlarge(np.repeat(255 - image, 3, axis=2)), (left, top))
        sheet.paste(_enlarge(lay_over(image[..., 0], heat)), (left + SIDE + GAP, top))
        for x in (left, left + SIDE + GAP):
            draw.rectangle((x - 1, top - 1, x + SIDE, top + SIDE), outline="#b8c1ca")
        draw.text((left, top + SIDE + 6), caption, INK, _fit_font(caption))
    content = io.BytesIO()
    sheet.save(content, "PNG", optimize=True)
    return content.getvalue()


def lay_over(ink: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blend heat [28, 28] in [0, 1] over ink, uint8 [28, 28]: RGB, uint8 [28, 28, 3]."""
    coloured = matplotlib.colormaps[COLOUR_MAP](heat)[..., :3] * 255
    gray = 255.0 - ink[..., None]
    return np.round(HEAT_SHARE * coloured + (1 - HEAT_SHARE) * gray).astype(np.uint8)


def _draw_heading(sheet: Image.Image, layer: str) -> None:
    """Draw the legend of the colours, those of heat on paper, on two lines that fit above a single digit."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    draw.text((MARGIN, 8), f"Grad-CAM of {layer}, each digit on its own scale", SOFT, font)
    heat = np.linspace(0, 1, BAR[0], dtype=np.float32)[None].repeat(BAR[1], axis=0)
    draw.text((MARGIN, 30), "0", SOFT, font)
    sheet.paste(Image.fromarray(lay_over(np.zeros_like(heat, np.uint8), heat)), (MARGIN + 14, 35))
    draw.text((MARGIN + 20 + BAR[0], 30), "most: supports the digit", SOFT, font)


def _fit_font(caption: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Choose the largest font in which a caption fits below its pictures: class names may be long."""
    fonts = [ImageFont.load_default(size) for size in LETTER_SIZES]
    return next((font for font in fonts if font.getbbox(caption)[2] <= 2 * SIDE + GAP), fonts[-1])


def _enlarge(picture: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)
