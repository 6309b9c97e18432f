"""Find the faint ends of strokes that are darker elsewhere: ink below the threshold that hangs together with ink above."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ..common.opencv import cv
from .shapes import Box, Shape

# A frame has faint strokes if at least this many pixels around its ink are darker than its grain.
FEWEST_PIXELS = 12
# A shape with its faint ends is larger by at least this share of its height, and by at most that.
LEAST_GROWTH, MOST_GROWTH = 0.12, 1.2
# One digit with its faint ends is at most this many times as high as most shapes, and as wide as high.
TALLEST, WIDEST = 1.5, 1.25


def find_faint_ends(mask, weak, shapes: Sequence[Shape]) -> Iterator[tuple[tuple[int, ...], Shape]]:
    """Find shapes with the faint ink that hangs together with them.

    Args:
        mask: Mask of ink, uint8 [height, width] of 0 and 255.
        weak: Mask of ink and of everything fainter.
        shapes: The shapes of the mask.

    Yields:
        The indices of the shapes that hang together, and the shape that they are with their faint ink.
    """
    if cv.countNonZero(cv.subtract(weak, cv.dilate(mask, _AROUND))) < FEWEST_PIXELS:
        return
    _, labels, stats, _ = cv.connectedComponentsWithStats(weak, connectivity=8)
    parts: dict[int, list[int]] = defaultdict(list)
    for i, shape in enumerate(shapes):
        for label in {int(labels[outline[0, 0, 1], outline[0, 0, 0]]) for outline in shape.outlines}:
            parts[label].append(i)
    typical = np.median(stats[list(parts), cv.CC_STAT_HEIGHT])
    for label, places in parts.items():
        box = Box(*stats[label, :4].tolist())
        if box.height > TALLEST * typical or box.width > WIDEST * box.height:
            continue
        if len(places) == 1 and not _is_larger(box, shapes[places[0]].box):
            continue
        window = (labels[box.y : box.bottom, box.x : box.right] == label).astype(np.uint8) * 255
        outlines = cv.findContours(window, cv.RETR_EXTERNAL, cv.CHAIN_APPROX_SIMPLE, offset=(box.x, box.y))[0]
        yield tuple(places), Shape(box, tuple(outlines), faint=True)


def _is_larger(box: Box, before: Box) -> bool:
    growth = max(before.x - box.x, box.right - before.right, before.y - box.y, box.bottom - before.bottom)
    return growth > LEAST_GROWTH * max(box.height, box.width)


_AROUND = np.ones((5, 5), np.uint8)
