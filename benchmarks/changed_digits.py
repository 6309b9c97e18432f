"""The contact sheet: every image that float reads right and a file does not, and the other way round, to look at."""

import base64
from collections.abc import Sequence

from ..edge.mnist import Images
from ..edge.opencv import cv
from .findings import Group
from .page_parts import Html, join, paragraph, to_html
from .wording import name_row

# A file that changes more digits is broken, and shows it with these.
MOST_SHOWN = 60

STYLE = """
.sheet { display: flex; flex-wrap: wrap; gap: .8rem; } .sheet figure { margin: 0; width: 5.6rem; font-size: .8rem; }
.sheet img { width: 5.25rem; height: 5.25rem; image-rendering: pixelated; border: 2px solid var(--line); }
.sheet .lost img { border-color: var(--bad); } .sheet .gained img { border-color: var(--third); }
"""


def draw_changed(groups: Sequence[Group], images: Images | None) -> Html:
    """A sheet for each file that changes an image; a sentence where none does, or where pictures are not at hand.

    Args:
        groups: Of rows that read every image alike.
        images: What they were evaluated on.
    """
    changed = [group for group in groups if group.accuracy.lost or group.accuracy.gained]
    parts = [Html('<h3 id="changed">Changed digits</h3>')]
    if not changed:
        return join(
            [*parts, paragraph("No file reads an image otherwise than float32 does, where both were compared.")]
        )
    if images is None:
        parts.append(paragraph("The images were not at hand when this page was made, so only their places are here."))
    return join([*parts, *(_draw_sheet(group, images) for group in changed)])


def _draw_sheet(group: Group, images: Images | None) -> Html:
    accuracy, name = group.accuracy, name_row(group.rows[0])
    title = (
        f"{name}: {len(accuracy.lost)} lost (read right by float32 and not by this file), {len(accuracy.gained)} "
        "gained."
    )
    if images is None:
        return paragraph(f"{title} Lost: {_list(accuracy.lost)}. Gained: {_list(accuracy.gained)}.")
    named = dict(accuracy.misread)
    tiles = [_draw_tile(images, place, "lost", f"read as {named.get(place, '?')}") for place in accuracy.lost]
    tiles += [_draw_tile(images, place, "gained", "now right") for place in accuracy.gained]
    shown = f" The first {MOST_SHOWN} are shown." if len(tiles) > MOST_SHOWN else ""
    return Html(f"{paragraph(title + shown)}<div class='sheet'>{join(tiles[:MOST_SHOWN])}</div>")


def _draw_tile(images: Images, place: int, kind: str, words: str) -> Html:
    encoded = cv.imencode(".png", 255 - images.pixels[place, :, :, 0])[1]
    source = base64.b64encode(encoded.tobytes()).decode("ascii")
    label = int(images.labels[place])
    return Html(
        f'<figure class="{kind}"><img alt="image {place}, a {label}, {kind}" src="data:image/png;base64,{source}">'
        f"<figcaption>a {label}, {to_html(words)} <small>image {place}</small></figcaption></figure>"
    )


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:MOST_SHOWN])) + (", …" if len(places) > MOST_SHOWN else "") or "none"
