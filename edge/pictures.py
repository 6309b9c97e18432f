"""Picture files: which ones are meant by a path or pattern, and their gray pixels, read safely."""

import glob
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .errors import EdgeMnistError

# Twice what the largest phone cameras commonly store; four bytes a pixel of this are 200 MB.
MOST_MEGAPIXELS = 50
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class PictureError(EdgeMnistError):
    """A file is not a picture that can be read; the message names it and says why."""


def expand_pictures(arguments: tuple[str, ...]) -> list[Path]:
    """List the pictures that files, folders (not what lies deeper) and glob patterns stand for, in order.

    Raises:
        PictureError: Nothing is there, or a folder or pattern has no picture.
    """
    pictures: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES)
        elif path.exists() or not glob.has_magic(argument):
            found = [path]
        else:
            found = sorted(Path(name) for name in glob.glob(argument, recursive=True))  # noqa: PTH207 - as typed
        if not found:
            raise PictureError(f"{argument}: no pictures there. Expected {', '.join(sorted(SUFFIXES))}.")
        pictures.extend(found)
    return pictures


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Read a picture as gray, upright pixels, uint8 [height, width]; transparency is shown on white.

    Raises:
        PictureError: Missing, empty, too large, truncated, or not a picture.
    """
    too_large = PictureError(f"{path}: more than {MOST_MEGAPIXELS} megapixels. Scale it down.")
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise PictureError(f"{path}: the file is empty.")
        with warnings.catch_warnings():
            # Pillow warns of what is refused below, before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MOST_MEGAPIXELS * 1_000_000:
                    raise too_large
                image.draft("L", None)
                return np.asarray(_to_gray(ImageOps.exif_transpose(image)))
    except Image.DecompressionBombError as error:
        raise too_large from error
    except OSError as error:
        reason = error.strerror or "not a picture, or a damaged one"
        raise PictureError(f"{path}: cannot be read ({reason}).") from error
    except (SyntaxError, ValueError) as error:
        raise PictureError(f"{path}: not a picture, or a damaged one ({error}).") from error


def _to_gray(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, coloured)
    if image.mode.startswith(("I", "F")):
        # 16-bit and float pictures: Pillow would cut them off at 255.
        values = np.asarray(image, np.float32)
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    return image.convert("L")
