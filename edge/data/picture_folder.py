"""A user's own pictures to train on: a folder with one subfolder for each of ten classes.

The subfolders' names, sorted, are classes 0 to 9. Each picture becomes gray and 28 x 28: scaled so that its longer side
fits, centred, black around it; one of 28 x 28 stays as it is. Nothing is inverted: as in MNIST, ink is light on dark.

The split depends on the pixels alone, not on names or the order of files: within a class, pictures are ordered by their
SHA-256, which is as good as random; the first tenth is validation, the second test, the rest train.
"""

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle.contract import IMAGE_SHAPE, NUM_CLASSES
from ..common.opencv import cv
from ..common.terminal.output import echo
from ..common.terminal.progress import ProgressBar
from ..media.pictures import read_gray
from .download import DataError
from .images import Images, Splits

# Prefix of the name of such a data set in a card.
PREFIX = "folder:"
SIDE = IMAGE_SHAPE[0]
# So that fifty of each class remain for calibration.
FEWEST_PER_CLASS = 64
HELD_OUT_SHARE = 0.1


def load_pictures(folder: Path, name: str | None = None) -> Splits:
    """Read the pictures and split them. Copies of a picture within its class count once.

    Args:
        folder: Folder with one subfolder for each of ten classes. Names that begin with a dot are ignored.
        name: Name in cards; None takes `folder:` and the folder's own name.

    Raises:
        DataError: Not ten subfolders; a class with too few pictures; or the same picture in two classes.
        PictureError: A file is not a picture.
    """
    classes = _list_classes(folder)
    name = name or PREFIX + (re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-") or "pictures")
    paths = [(label, path) for label, one in enumerate(classes) for path in _visible(one)]
    pixels = np.stack([_read_small(path) for _, path in ProgressBar(paths, label="pictures", unit="")])
    full = Images(name, name, pixels, np.array([label for label, _ in paths], np.uint8), np.arange(len(paths)))
    order = _order_by_content(full, [path for _, path in paths])
    _check_counts(full.labels[order], classes)
    _hint_at_polarity(pixels, folder)
    validation, test, train = _share_out(full.labels[order])
    return Splits(
        name,
        train=full.take(order[train], f"{name}-train"),
        validation=full.take(order[validation], f"{name}-validation"),
        test=full.take(order[test], f"{name}-test"),
        labels=tuple(one.name for one in classes),
    )


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _list_classes(folder: Path) -> list[Path]:
    classes = [path for path in _visible(folder) if path.is_dir()]
    if len(classes) != NUM_CLASSES:
        found = f"{len(classes)} ({', '.join(path.name for path in classes[:12])})" if classes else "none"
        raise DataError(f"{folder}: expected {NUM_CLASSES} subfolders, one for each class, got {found}.")
    empty = [path for path in classes if not _visible(path)]
    if empty:
        raise DataError(f"{empty[0]}: expected at least {FEWEST_PER_CLASS} pictures, got none.")
    return classes


def _read_small(path: Path) -> NDArray[np.uint8]:
    """Read a picture as uint8 [28, 28, 1]."""
    gray = read_gray(path)
    height, width = (max(1, round(length * SIDE / max(gray.shape))) for length in gray.shape)
    image = np.zeros(IMAGE_SHAPE, np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    small = gray if gray.shape == (SIDE, SIDE) else cv.resize(gray, (width, height), interpolation=cv.INTER_AREA)
    image[top : top + height, left : left + width, 0] = small
    return image


def _order_by_content(images: Images, paths: list[Path]) -> NDArray[np.int64]:
    """Return positions ordered by SHA-256 of the pixels, only the first of equal ones."""
    first: dict[bytes, int] = {}
    for place, image in enumerate(images.pixels):
        other = first.setdefault(hashlib.sha256(image.tobytes()).digest(), place)
        if images.labels[other] != images.labels[place]:
            raise DataError(
                f"{paths[place]}: the same {SIDE} x {SIDE} pixels as {paths[other]}, in another class. Remove one."
            )
    return np.array([place for _, place in sorted(first.items())])


def _check_counts(labels: NDArray[np.uint8], classes: list[Path]) -> None:
    for folder, count in zip(classes, np.bincount(labels, minlength=NUM_CLASSES), strict=True):
        if count < FEWEST_PER_CLASS:
            raise DataError(f"{folder}: expected at least {FEWEST_PER_CLASS} different pictures, got {count}.")


def _share_out(labels: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Return positions of validation, test and train; each class is split alike."""
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label in range(NUM_CLASSES):
        places = np.flatnonzero(labels == label)
        held_out = round(HELD_OUT_SHARE * len(places))
        for part, share in zip(parts, np.split(places, [held_out, 2 * held_out]), strict=True):
            part.append(share)
    return [np.concatenate(part) for part in parts]


def _hint_at_polarity(pixels: NDArray[np.uint8], folder: Path) -> None:
    """Warn if most pictures are light around the edge, as dark ink on paper is: the readers expect light on dark."""
    edges = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    if np.median(edges) > 127:
        echo(
            f"{folder}: most of these pictures are light at their edges. They are used unchanged. If they show "
            "dark ink on paper, invert them first: a reader gives its model light ink on black.",
            err=True,
        )
