"""The gallery of misread pictures: each with its boxes, its reading and its label.

One HTML file without scripts or external resources.
"""

import base64
import io
from collections import Counter
from pathlib import Path
from statistics import median

from PIL import Image

from ...edge.common.terminal.formatting import format_confidence
from ...edge.common.terminal.text import escape_html
from ...edge.media.pictures import read_gray
from .photos import PhotoResult, PhotoResults, ReadDigit
from .scores import find_misread

# Pixels of a picture's longer side, and the number of pictures: at 60 kB each, a browser still opens the page at once.
SHOWN_SIDE = 900
MOST_SHOWN = 200
QUALITY = 75

STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; --wrong: #b3362b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #38424d; --paper: #14191f;
  --wrong: #f08d63; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } .soft { color: var(--soft); } .wrong { color: var(--wrong); }
figure { display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 0; padding: 1.5rem 0; border-top: 1px solid var(--line); }
svg { flex: 2 1 24rem; min-width: 0; max-height: 32rem; } figcaption { flex: 1 1 14rem; }
h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
dt { color: var(--soft); margin-top: .5rem; } dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; font-family: ui-monospace, monospace; }
/* Over photographs, which look the same in light and dark. */
rect { fill: none; stroke: #1667d9; vector-effect: non-scaling-stroke; stroke-width: 1.5px; }
rect.wrong { stroke: #e0261b; }
text { fill: #1667d9; font-family: ui-monospace, monospace; font-weight: 700; paint-order: stroke; stroke: #fff; }
text.wrong { fill: #e0261b; }
@media print { figure { break-inside: avoid; } }
"""


def format_gallery(results: PhotoResults, folder: Path) -> str:
    """Render the gallery: the pictures with errors, those with the most errors first.

    Args:
        results: The run to show.
        folder: The folder with its pictures.

    Raises:
        PictureError: A picture can no longer be read.
    """
    failures = sorted((image for image in results.images if not image.score.exact), key=_errors, reverse=True)
    count, total = len(failures), results.total.images
    title = f"{results.name}: what was misread in {results.photos}"
    shown = f" The {MOST_SHOWN} with the most errors are shown." if count > MOST_SHOWN else ""
    figures = "\n".join(_figure(image, folder) for image in failures[:MOST_SHOWN])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n"
        f"<p>{count} of {total} pictures were not read exactly.{shown} A box is where a digit was read; "
        '<span class="wrong">red</span> are those that stand for another digit, or for none.</p>\n'
        f"{figures}\n</body></html>\n"
    )


def _errors(image: PhotoResult) -> int:
    return image.score.distance


def _figure(image: PhotoResult, folder: Path) -> str:
    written, read = Counter("".join(image.truth)), Counter("".join(image.reading))
    facts = {
        "truth": "\n".join(image.truth) or "nothing",
        "read": "\n".join(image.reading) or "nothing",
        "missing": " ".join(sorted((written - read).elements())),
        "too many": " ".join(sorted((read - written).elements())),
    }
    terms = "".join(f"<dt>{term}</dt><dd>{_text(fact)}</dd>" for term, fact in facts.items() if fact)
    condition = f' <span class="soft">{_text(image.condition)}</span>' if image.condition else ""
    return (
        f"<figure>{_draw(image, folder)}<figcaption><h2>{_text(image.file)}{condition}</h2>"
        f"<dl>{terms}</dl></figcaption></figure>"
    )


def _draw(image: PhotoResult, folder: Path) -> str:
    """Draw the picture as the reader saw it, gray and upright, with the boxes in its own pixels."""
    picture = Image.fromarray(read_gray(folder / image.file))
    width, height = picture.size
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    source = base64.b64encode(content.getvalue()).decode("ascii")
    misread = find_misread(image.truth, image.reading)
    smallest_px, usual_px = max(width, height) / 45, median([digit.box[3] for digit in image.digits] or [0])
    marks = "".join(
        # Limited, so that a tall box's label does not hide its neighbours.
        _mark(digit, i in misread, max(smallest_px, 0.4 * min(usual_px, digit.box[3])))
        for i, digit in enumerate(image.digits)
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_text(image.file)}">'
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{source}"/>{marks}</svg>'
    )


def _mark(digit: ReadDigit, is_misread: bool, size: float) -> str:
    x, y, width, height = digit.box
    style = ' class="wrong"' if is_misread else ""
    confidence = _text(format_confidence(digit.confidence))
    return (
        f'<rect{style} x="{x}" y="{y}" width="{width}" height="{height}"/>'
        f'<text{style} x="{x}" y="{max(size, y - 0.15 * size):.0f}" font-size="{size:.0f}" '
        f'stroke-width="{size / 8:.1f}">{digit.digit}<title>{confidence}</title></text>'
    )


def _text(text: str) -> str:
    return escape_html(text)
