"""Photo-like pictures of handwritten digits that the project draws itself, one kind for each difficulty.

They contain no real handwriting and no photograph, so they can be shipped, and their truth is certain. A picture is
made like a photograph: a hand writes on a surface in millimetres, light falls, a camera looks at it, and the file is
compressed.
"""

import io
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .camera_model import View, encode_jpeg, expose_frame, place_camera, project_canvas
from .conditions import CONDITIONS, Condition
from .contents import PageContent
from .lighting import apply_light
from .marks import paint_mark
from .pens import paint_layer
from .surfaces import Canvas, paint_card, paint_paper, paint_table


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    Attributes:
        picture: The decoded picture of `content`, uint8 [height, width, 3].
        rows: The digits of each row, top to bottom; empty without digits.
        content: The picture as a JPEG file.
    """

    picture: NDArray[np.uint8]
    rows: tuple[str, ...]
    content: bytes


def draw_scene(condition: str, seed: int, most_megapixels: float = np.inf) -> Scene:
    """Draw a picture; equal arguments give equal pictures.

    Args:
        condition: A name in `CONDITIONS`.
        seed: Random seed, >= 0.
        most_megapixels: Largest frame, unless the condition's smallest one is larger.

    Raises:
        ValueError: There is no such condition.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"expected a condition out of {', '.join(CONDITIONS)}, got {condition!r}.")
    chosen = CONDITIONS[condition]
    # Each condition has its own sequence, so that adding one does not change the others.
    random = np.random.default_rng([seed, zlib.crc32(condition.encode())])
    draft = chosen.draft(chosen.layout, chosen.pens, random)
    view = place_camera(draft.extent(), chosen.camera.limited(most_megapixels), random)
    frame = project_canvas(_paint(draft, view, chosen, random), view)
    apply_light(frame, chosen.light, random)
    picture = expose_frame(frame, chosen.camera, draft.height_mm * view.px_per_mm, random)
    low, high = chosen.camera.quality
    content = encode_jpeg(picture, int(random.integers(low, high + 1)))
    return Scene(np.asarray(Image.open(io.BytesIO(content))), draft.rows, content)


def _paint(draft: PageContent, view: View, condition: Condition, random: np.random.Generator) -> Canvas:
    """Paint the part of the surface that the camera sees, with everything on it."""
    corners = view.to_surface()
    low, high = corners.min(axis=0), corners.max(axis=0)
    width, height = np.ceil((high - low) * view.px_per_mm).astype(int) + 2
    canvas = Canvas(np.empty((height, width, 3), np.float32), (float(low[0]), float(low[1])), view.px_per_mm)
    paint_paper(canvas, condition.papers[random.integers(len(condition.papers))], random)
    if draft.page:
        paint_table(canvas, draft.page, random)
    if draft.card:
        paint_card(canvas, draft.card, random)
    for mark in draft.marks:
        paint_mark(canvas, mark, random)
    for layer in draft.layers:
        paint_layer(canvas, layer, random)
    return canvas
