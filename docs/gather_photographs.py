"""Gather the pictures without digits that the shipped cards' confidence was fitted on, into a folder of JPEGs.

    apt-get download gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers lomiri-wallpapers   # Debian 12
    for package in *.deb; do dpkg -x $package unpacked; done
    python docs/gather_photographs.py unpacked photographs
    edge-mnist measure confidence photographs/ --write

It takes the largest picture of each wallpaper, light and dark versions separately, with a long side of at most 2,000
pixels, and the two photographs in scikit-learn (pip install scikit-learn).
"""

import re
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

LONGEST_SIDE = 2000
# Less is an icon.
SMALLEST_BYTES = 20_000
SUFFIXES = {".jpg", ".png", ".webp"}


def find_largest(unpacked: Path) -> dict[str, Path]:
    """Find the largest picture of each wallpaper, by its name."""
    largest: dict[str, Path] = {}
    for path in sorted((unpacked / "usr" / "share").rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.stat().st_size < SMALLEST_BYTES or path.stem == "screenshot":
            continue
        package = re.search(r"wallpapers/([^/]+)/contents/images(_dark)?", str(path))
        name = package[1] + ("-dark" if package[2] else "") if package else path.stem
        if name not in largest or path.stat().st_size > largest[name].stat().st_size:
            largest[name] = path
    return largest


def main(unpacked: Path, folder: Path) -> None:
    """Write them all."""
    folder.mkdir()
    for name, path in find_largest(unpacked).items():
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        picture.save(folder / f"{name}.jpg", quality=92)
    for name, pixels in zip(("china", "flower"), load_sample_images().images, strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
