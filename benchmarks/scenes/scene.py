"""Photo-like pictures of handwritten digits that the project makes itself, one kind for each thing that goes wrong.

Nobody's handwriting and nobody's photograph is in them, so they can be shipped, and their truth is certain. A picture
comes about as a photograph does: a hand writes on a surface in millimetres, light falls, a camera looks at it, and the
file is compressed.
"""

import io
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .camera_model import View, encode_jpeg, expose, place_camera, project
from .conditions import CONDITIONS, Condition
from .contents import PageContent
from .lighting import apply_light
from .pens import paint_layer
from .surfaces import Canvas, paint_card, paint_paper, paint_table


@dataclass(frozen=True)
class Scene:
    """A picture and what it says.

    Attributes:
        picture: uint8 [height, width, 3], as it comes out of `content`.
        rows: The digits of each row, top to bottom; empty where there are none.
        content: The picture as a JPEG file.
    """

    picture: NDArray[np.uint8]
    rows: tuple[str, ...]
    content: bytes


def draw_scene(condition: str, seed: int, most_megapixels: float = np.inf) -> Scene:
    """Make a picture; the same one for the same arguments.

    Args:
        condition: A name in `CONDITIONS`.
        seed: >= 0.
        most_megapixels: Frames are no larger, unless the condition's smallest one is.

    Raises:
        ValueError: There is no such condition.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"expected a condition out of {', '.join(CONDITIONS)}, got {condition!r}.")
    chosen = CONDITIONS[condition]
    # Each condition has a sequence of its own, so that adding one changes no other.
    random = np.random.default_rng([seed, zlib.crc32(condition.encode())])
    draft = chosen.draft(chosen.layout, chosen.pens, random)
    view = place_camera(draft.extent(), chosen.camera.limited(most_megapixels), random)
    frame = project(_paint(draft, view, chosen, random), view)
    apply_light(frame, chosen.light, random)
    picture = expose(frame, chosen.camera, draft.height_mm * view.px_per_mm, random)
    low, high = chosen.camera.quality
    content = encode_jpeg(picture, int(random.integers(low, high + 1)))
    return Scene(np.asarray(Image.open(io.BytesIO(content))), draft.rows, content)


def _paint(draft: PageContent, view: View, condition: Condition, random: np.random.Generator) -> Canvas:
    """The part of the surface that the camera sees, with everything on it."""
    corners = view.to_surface()
    low, high = corners.min(axis=0), corners.max(axis=0)
    width, height = np.ceil((high - low) * view.px_per_mm).astype(int) + 2
    canvas = Canvas(np.empty((height, width, 3), np.float32), (float(low[0]), float(low[1])), view.px_per_mm)
    paint_paper(canvas, condition.papers[random.integers(len(condition.papers))], random)
    if draft.page:
        paint_table(canvas, draft.page, random)
    if draft.card:
        paint_card(canvas, draft.card, random)
    for layer in draft.layers:
        paint_layer(canvas, layer, random)
    return canvas
