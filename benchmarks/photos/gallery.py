"""The gallery of misread pictures: each with its boxes, its reading and its label.

One HTML file without scripts or external resources.
"""

import base64
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from ...edge.common.pages.page import render_page
from ...edge.common.terminal.formatting import format_confidence
from ...edge.media.pictures import read_gray
from .photos import PhotoResult, PhotoResults, ReadDigit
from .scores import find_misread

# Pixels of a picture's longer side, and the number of pictures: at 60 kB each, a browser still opens the page at once.
SHOWN_SIDE = 900
MOST_SHOWN = 200
QUALITY = 75
# Lines of the first table.
MOST_FIRST = 7


@dataclass(frozen=True)
class BoxedDigit:
    """A digit's box in the picture, and its label above: the place and the size of its letters."""

    digit: ReadDigit
    is_wrong: bool
    baseline: float
    size: float
    confidence: str


@dataclass(frozen=True)
class MisreadPicture:
    """A picture as the reader saw it, gray and upright, with the boxes in its own pixels."""

    result: PhotoResult
    width: int
    height: int
    source: str
    boxes: list[BoxedDigit]
    facts: dict[str, str]


def format_gallery(results: PhotoResults, folder: Path) -> str:
    """Render the gallery: the pictures with errors, those with the most errors first.

    Args:
        results: The run to show.
        folder: The folder with its pictures.

    Raises:
        PictureError: A picture can no longer be read.
    """
    failures = sorted(
        (one for one in results.images if not one.score.exact), key=lambda one: one.score.distance, reverse=True
    )
    return render_page(
        "photos.html",
        title=f"{results.name}: what was misread in {results.photos}",
        total=results.total,
        conditions=[*results.conditions.items(), ("all", results.total)]
        if len(results.conditions) <= MOST_FIRST
        else [],
        count=len(failures),
        most_shown=MOST_SHOWN,
        pictures=[_draw(one, folder) for one in failures[:MOST_SHOWN]],
    )


def _draw(image: PhotoResult, folder: Path) -> MisreadPicture:
    picture = Image.fromarray(read_gray(folder / image.file))
    width, height = picture.size
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    misread = find_misread(image.truth, image.reading)
    smallest_px, usual_px = max(width, height) / 45, median([digit.box[3] for digit in image.digits] or [0])
    boxes: list[BoxedDigit] = []
    for i, digit in enumerate(image.digits):
        # Limited, so that a tall box's label does not hide its neighbours.
        size = max(smallest_px, 0.4 * min(usual_px, digit.box[3]))
        baseline = max(size, digit.box[1] - 0.15 * size)
        boxes.append(BoxedDigit(digit, i in misread, baseline, size, format_confidence(digit.confidence)))
    source = base64.b64encode(content.getvalue()).decode("ascii")
    return MisreadPicture(image, width, height, f"data:image/jpeg;base64,{source}", boxes, _list_facts(image))


def _list_facts(image: PhotoResult) -> dict[str, str]:
    written, read = Counter("".join(image.truth)), Counter("".join(image.reading))
    facts = {
        "truth": "\n".join(image.truth) or "nothing",
        "read": "\n".join(image.reading) or "nothing",
        "missing": " ".join(sorted((written - read).elements())),
        "too many": " ".join(sorted((read - written).elements())),
    }
    return {term: fact for term, fact in facts.items() if fact}
