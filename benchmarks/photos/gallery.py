"""The page of a photo benchmark: what was read without error, and each misread picture with its boxes and label.

One HTML file without scripts or external resources.
"""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from ...edge.common.pages.page import PageTable, Svg, render_page
from ...edge.common.pages.row_charts import ChartRow, draw_rows
from ...edge.common.statistics import wilson_interval
from ...edge.common.terminal.formatting import format_confidence
from ...edge.media.pictures import read_gray
from .photos import PhotoResult, PhotoResults, ReadDigit
from .scores import Score, find_misread

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


def format_gallery(results: PhotoResults, folder: Path, verdict: str, table: PageTable, how: Sequence[str]) -> str:
    """Render the page: the verdict, the hardest kinds of pictures, and the pictures with the most errors first.

    Args:
        results: The run to show.
        folder: The folder with its pictures.
        verdict: How many pictures were read without any error, in Markdown.
        table: A line for each condition and one for all.
        how: The conditions of the measurement, as sentences in Markdown.

    Raises:
        PictureError: A picture can no longer be read.
    """
    failures = sorted(
        (one for one in results.images if not one.score.exact), key=lambda one: one.score.distance, reverse=True
    )
    hardest = sorted(results.conditions, key=lambda name: _rank(results.conditions[name]))[:MOST_FIRST]
    lines = [line for line in table.rows[:-1] if line[0] in hardest]
    return render_page(
        "photos.html",
        title=f"{results.name}: what was misread in {results.photos}",
        total=results.total,
        verdict=verdict,
        table=PageTable(table.head, [*lines, table.rows[-1]]),
        chart=_draw_conditions({name: results.conditions[name] for name in hardest} or {"all": results.total}),
        conditions=table,
        how=how,
        count=len(failures),
        most_shown=MOST_SHOWN,
        pictures=[_draw(one, folder) for one in failures[:MOST_SHOWN]],
    )


def _rank(score: Score) -> tuple[float, float]:
    """Rank conditions, the hardest first: by pictures without errors, then by edits a digit."""
    return score.exact / score.images, -score.distance / max(1, score.written)


def _draw_conditions(scores: Mapping[str, Score]) -> Svg:
    """Draw the share of pictures without any error for each condition, with Wilson's interval."""
    rows = []
    for name, score in scores.items():
        low, high = wilson_interval(score.exact, score.images)
        rows.append(
            ChartRow(
                name=name,
                note=f"n = {score.images}",
                value=f"{score.exact} of {score.images}",
                value_note=f"95 %: {100 * low:.0f} to {100 * high:.0f} %",
                bar=(100 * low, 100 * high),
                rings=(100 * score.exact / score.images,),
            )
        )
    return draw_rows("Pictures without any error", "% of pictures without any error", rows)


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
