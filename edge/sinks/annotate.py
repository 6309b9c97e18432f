"""Draw a reading on its picture: boxes, and at each a tag with the digit. For files, windows and live views.

Uncertain digits have another colour and a question mark, so that the difference does not depend on colour alone. White
text on either colour has a contrast of 5 to 1 or more.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..common.arrays import check_picture
from ..common.opencv import cv
from ..live.events import Sighting
from ..reading.fates import InkFate
from ..reading.ink.shapes import Box
from ..reading.reader import Digit, Reading

# Below this confidence a digit deserves a second look: more than one in ten is wrong.
UNSURE_BELOW = 0.9
SURE_COLOUR = (0, 96, 160)
UNSURE_COLOUR = (190, 70, 0)
HALO_COLOUR = (255, 255, 255)
LEFT_OUT_COLOUR = (150, 0, 110)
# A picture whose long side is smaller is enlarged: no text is legible within an MNIST image of 28 x 28 pixels.
SMALLEST_LONG_SIDE = 320
# Height of a tag: this share of the median digit's, but legible, and not much larger than text needs to be.
TAG_SHARE = 0.4
SMALLEST_TAG = 16
LARGEST_TAG_SHARE = 1 / 12


class DigitMark(NamedTuple):
    """A digit in pixels of the annotated picture; right and bottom are the first pixels beyond its ink."""

    left: int
    top: int
    right: int
    bottom: int
    text: str
    colour: tuple[int, int, int]


def annotate(frame: NDArray[np.uint8], reading: Reading) -> NDArray[np.uint8]:
    """Draw a reading on its frame.

    Args:
        frame: Gray, uint8 [height, width], or RGB, uint8 [height, width, 3]. It is not changed.
        reading: Reading with boxes in pixels of the frame.

    Returns:
        uint8 [height, width, 3], RGB, of the frame's size; small frames are enlarged by a whole factor.

    Raises:
        ValueError: The frame is neither gray nor RGB.
    """
    check_picture(frame)
    # Already a copy; another one of 50 megapixels would be 200 MB.
    picture = Image.fromarray(frame)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    factor = -(-SMALLEST_LONG_SIDE // max(picture.size))
    if factor > 1:
        picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    marks = [_mark(digit, factor) for digit in reading.digits]
    draw = ImageDraw.Draw(picture)
    _draw_left_out(draw, reading.candidates, factor)
    if marks:
        tag_height = _choose_tag_height(marks, max(picture.size))
        for mark in marks:
            _draw_box(draw, mark, _line_width(tag_height))
        # After all boxes, so that no tag is covered by a neighbour's box.
        for mark in marks:
            _draw_tag(draw, mark, tag_height, picture.size)
    return np.asarray(picture)


def _mark(digit: Digit, factor: int) -> DigitMark:
    box, unsure = digit.box, digit.confidence < UNSURE_BELOW
    left, top, right, bottom = (factor * side for side in (box.x, box.y, box.x + box.width, box.y + box.height))
    text = f"{digit.digit}?" if unsure else str(digit.digit)
    return DigitMark(left, top, right, bottom, text, UNSURE_COLOUR if unsure else SURE_COLOUR)


def _draw_left_out(draw: ImageDraw.ImageDraw, candidates: tuple[InkFate, ...], factor: int) -> None:
    """Draw a thin box around each piece of ink that was left out, and the reason in one word below it."""
    font = _load_font(SMALLEST_TAG)
    for candidate in candidates:
        if candidate.fate == "digit":
            continue
        x, y, right, bottom = (factor * side for side in (candidate.box.x, candidate.box.y, *candidate.box[2:]))
        right, bottom = x + right, y + bottom
        draw.rectangle((x - 1, y - 1, right, bottom), outline=LEFT_OUT_COLOUR)
        if candidate.fate != "small":
            draw.text((x, bottom + 1), candidate.fate, LEFT_OUT_COLOUR, font, stroke_width=2, stroke_fill=HALO_COLOUR)


def _choose_tag_height(marks: list[DigitMark], long_side: int) -> int:
    """Choose one height in pixels for all tags of a picture."""
    wanted = TAG_SHARE * float(np.median([mark.bottom - mark.top for mark in marks]))
    return round(max(SMALLEST_TAG, min(wanted, LARGEST_TAG_SHARE * long_side)))


def _line_width(tag_height: int) -> int:
    return max(2, round(tag_height / 10))


def _draw_box(draw: ImageDraw.ImageDraw, mark: DigitMark, line: int) -> None:
    """Draw a coloured frame around the ink with a thin white one around that: visible on paper and on blackboards."""
    halo = max(1, line // 2)
    for distance, width, colour in ((line + halo, halo, HALO_COLOUR), (line, line, mark.colour)):
        corner = (mark.right - 1 + distance, mark.bottom - 1 + distance)
        draw.rectangle((mark.left - distance, mark.top - distance, *corner), outline=colour, width=width)


def _draw_tag(draw: ImageDraw.ImageDraw, mark: DigitMark, height: int, picture_size: tuple[int, int]) -> None:
    """Draw the digit in white on its colour: above the box, below it if there is no room, else within."""
    line, font = _line_width(height), _load_font(height)
    width = max(round(0.75 * height), round(draw.textlength(mark.text, font) + 0.4 * height))
    places = (mark.top - 2 * line - height, mark.bottom + 2 * line, mark.top)
    top = next((place for place in places if 0 <= place <= picture_size[1] - height), max(0, mark.top))
    left = max(0, min(mark.left - line, picture_size[0] - width))
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=mark.colour)
    centre = (left + width / 2, top + height / 2)
    draw.text(centre, mark.text, fill="white", font=font, anchor="mm", stroke_width=round(height / 60))


@cache
def _load_font(tag_height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load the font inside Pillow, as large as fits into a tag of this height."""
    return ImageFont.load_default(size=0.95 * tag_height)


# Light on a dark edge: visible on paper and on blackboards.
CORNER_COLOURS = ((40, 40, 40), (255, 210, 0))
# Length of a corner, as a share of the shorter side of the box.
CORNER_SHARE = 0.3


def draw_sighting(sighting: Sighting) -> NDArray[np.uint8] | None:
    """Draw the followed, smoothed digits of a sighting.

    Stable ones, which are announced, have a frame and a tag with the digit, as in `annotate`. Those that are not yet
    stable have only yellow corners.

    Returns:
        uint8 [height, width, 3], RGB, of the picture's size; pictures smaller than 320 pixels are enlarged by a whole
        factor. None if the sighting came without a picture.
    """
    if sighting.picture is None:
        return None
    picture, scale = sighting.picture, _scale(sighting, sighting.picture)
    unstable = [track for track in sighting.tracks if not track.stable]
    if unstable:
        # Other sinks draw on the same picture.
        picture = picture.copy()
        for track in unstable:
            _draw_corners(picture, _scale_box(track.digit.box, scale))
    stable = tuple(
        replace(track.digit, box=_scale_box(track.digit.box, scale)) for track in sighting.tracks if track.stable
    )
    return annotate(picture, Reading(rows=(), digits=stable, timing_ms={}))


def _scale(sighting: Sighting, picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the pixels of the picture for each pixel of the frame, across and down."""
    return picture.shape[1] / sighting.frame_size[0], picture.shape[0] / sighting.frame_size[1]


def _scale_box(box: Box, scale: tuple[float, float]) -> Box:
    x, y = round(box.x * scale[0]), round(box.y * scale[1])
    return Box(x, y, max(1, round(box.right * scale[0]) - x), max(1, round(box.bottom * scale[1]) - y))


def _draw_corners(picture: NDArray[np.uint8], box: Box) -> None:
    """Draw an angle at each corner of the box."""
    line = max(1, max(picture.shape) // 400)
    length = max(3, round(CORNER_SHARE * min(box.width, box.height)))
    for colour, thickness in zip(CORNER_COLOURS, (3 * line, line), strict=True):
        for x, inwards in ((box.x - 2 * line, length), (box.right + 2 * line, -length)):
            for y, down in ((box.y - 2 * line, length), (box.bottom + 2 * line, -length)):
                cv.line(picture, (x, y), (x + inwards, y), colour, thickness)
                cv.line(picture, (x, y), (x, y + down), colour, thickness)
