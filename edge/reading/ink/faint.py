"""Find the faint ends of strokes: ink below the threshold that hangs together with ink above it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ...common.opencv import Gray, cv
from .shapes import Box, Shape

# A frame may have faint strokes if at least this number of pixels away from its ink are darker than its grain.
FEWEST_PIXELS = 12
# With its faint ends, a shape is longer on one side by this share of its longer side.
GROWTH = 0.12
# A digit is at most this many times as high as most of them, and as wide as high.
TALLEST, WIDEST = 1.5, 1.25


def find_faint_ends(mask: Gray, weak: Gray, shapes: Sequence[Shape]) -> Iterator[tuple[tuple[int, ...], Shape]]:
    """Find shapes that faint ink makes longer, or joins.

    Args:
        mask: Mask of ink, uint8 [height, width] of 0 and 255.
        weak: Mask of ink and of everything fainter that is not grain.
        shapes: At least one shape of the ink.

    Yields:
        The indices of the shapes that hang together, and one shape of them and their faint ink.
    """
    if cv.countNonZero(cv.subtract(weak, cv.dilate(mask, _AROUND))) < FEWEST_PIXELS:
        return
    _, labels, stats, _ = cv.connectedComponentsWithStats(weak, connectivity=8)
    parts: dict[int, list[int]] = defaultdict(list)
    for i, shape in enumerate(shapes):
        for label in {int(labels[outline[0, 0, 1], outline[0, 0, 0]]) for outline in shape.outlines}:
            parts[label].append(i)
    tallest = TALLEST * np.median(stats[list(parts), cv.CC_STAT_HEIGHT])
    for label, places in parts.items():
        box = Box(*stats[label, :4].tolist())
        is_digit = box.height <= tallest and box.width <= WIDEST * box.height
        if is_digit and (len(places) > 1 or _is_longer(box, shapes[places[0]].box)):
            whole = (labels[box.y : box.bottom, box.x : box.right] == label).astype(np.uint8)
            outlines = cv.findContours(whole, cv.RETR_EXTERNAL, cv.CHAIN_APPROX_SIMPLE, offset=(box.x, box.y))[0]
            yield tuple(places), Shape(box, tuple(outlines), faint=True)


def _is_longer(box: Box, before: Box) -> bool:
    growth = max(before.x - box.x, box.right - before.right, before.y - box.y, box.bottom - before.bottom)
    return growth > GROWTH * max(box.height, box.width)


_AROUND = np.ones((5, 5), np.uint8)
