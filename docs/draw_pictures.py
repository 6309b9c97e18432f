"""Draw the pictures of the pages about reading from the shipped scenes with the shipped model.

python docs/draw_pictures.py

`scenes.jpg`: nine shipped scenes as `edge-mnist run --annotate` draws them.
`steps.png`: how the reader processes squared paper: the frame, its ink, the ink without lines, the framed digits.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_mnist.benchmarks.photos.labels import SHIPPED_PHOTOS
from edge_mnist.edge.media.pictures import read_gray, read_rgb
from edge_mnist.edge.reading.finding import find_candidates, show_ink
from edge_mnist.edge.reading.framing import frame_digit
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.reading.rows import group_into_rows
from edge_mnist.edge.sinks.annotate import annotate

FOLDER = Path(__file__).parent / "pictures"
SHOWN = (
    "plain",
    "thin-pencil",
    "squared",
    "shadow-edge",
    "mixed-polarity",
    "blackboard",
    "touching",
    "letters",
    "drawings",
)
STEPS = "squared"
TILE = 420, 320
GAP = 8


def draw_scenes() -> None:
    """Nine scenes, with what was read."""
    reader = Reader()
    tiles = []
    for name in SHOWN:
        path = next(SHIPPED_PHOTOS.glob(f"{name}-*.jpg"))
        tiles.append(fit(annotate(read_rgb(path), reader.read(read_gray(path)))))
    rows = [np.hstack(tiles[i : i + 3]) for i in range(0, len(tiles), 3)]
    Image.fromarray(np.vstack(rows)).save(FOLDER / "scenes.jpg", quality=80)


def draw_steps() -> None:
    """One scene on its way."""
    frame = read_gray(next(SHIPPED_PHOTOS.glob(f"{STEPS}-*.jpg")))
    with_lines, without = (255 - cv2.resize(mask, frame.shape[::-1]) for mask in show_ink(frame))
    finding = find_candidates(frame)
    rows = group_into_rows(finding.shapes, lambda shape: shape.box)
    framed = [np.hstack([255 - frame_digit(finding.ink(shape))[..., 0] for shape in row]) for row in rows]
    width = max(row.shape[1] for row in framed)
    digits = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=255) for row in framed])
    tiles = [fit(np.dstack([picture] * 3)) for picture in (frame, with_lines, without, digits)]
    Image.fromarray(np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])).save(FOLDER / "steps.png", optimize=True)


def fit(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Onto a white tile, as large as it goes."""
    width, height = TILE
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    tile = np.full((height + GAP, width + GAP, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return tile


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_scenes()
    draw_steps()
