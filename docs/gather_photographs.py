"""Gather pictures without digits or text into a folder of JPEGs: grounds and non-digits for two fits of the reader.

    # Debian 12. For the confidence in the shipped cards:
    apt-get download gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers lomiri-wallpapers
    for package in *.deb; do dpkg -x $package unpacked; done
    python docs/gather_photographs.py unpacked photographs
    edge-mnist measure confidence photographs/ --write

    # For the context network these too; then unpack and gather all of them in the same way:
    apt-get download sway-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers opencv-doc
    apt-get download mypaint-data-extras budgie-desktop kdegames-mahjongg-data-kf5 debian-edu-artwork-buster
    apt-get download debian-edu-artwork-emerald debian-edu-artwork-homeworld debian-edu-artwork-softwaves
    apt-get download debian-edu-artwork-spacefun
    # Its fonts:
    apt-get download fonts-breip fonts-bwht fonts-dancingscript fonts-dejavu-core fonts-dkg-handwriting
    apt-get download fonts-ecolier-court fonts-femkeklaver fonts-gnutypewriter fonts-havana fonts-humor-sans fonts-jura
    apt-get download fonts-kaushanscript fonts-klee fonts-kristi fonts-lato fonts-liberation2 fonts-roboto-unhinted
    apt-get download fonts-rufscript
    edge-mnist measure context photographs/ --fonts unpacked/ --out context.npz

It takes the largest picture of each name, light and dark versions of a wallpaper separately, with a long side of at
most 2,000 pixels, and the two photographs in scikit-learn (pip install scikit-learn). It leaves out pictures that show
digits or text, see TEXT.
"""

import re
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

LONGEST_SIDE = 2000
# Less is an icon.
SMALLEST_BYTES = 20_000
# Less, of OpenCV's examples, is one of many views of a chessboard.
SMALLEST_EXAMPLE_BYTES = 60_000
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# Beginnings of the names of pictures with digits or text, most of them OpenCV's examples; and logos.
TEXT = re.compile(
    r"(digits|sudoku|scenetext|imageText|cards|messi5|ml$|basketball|board|Sway_Wallpaper)|.*(?<!no-)logo",
    re.IGNORECASE,
)


def find_largest(unpacked: Path) -> dict[str, Path]:
    """Find the largest picture of each wallpaper, by its name."""
    largest: dict[str, Path] = {}
    for path in sorted((unpacked / "usr" / "share").rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.stat().st_size < SMALLEST_BYTES or path.stem == "screenshot":
            continue
        if "opencv-doc" in path.parts and (path.stat().st_size < SMALLEST_EXAMPLE_BYTES or "html" in path.parts):
            continue
        if TEXT.match(path.stem):
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
