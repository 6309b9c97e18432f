"""What the live loop announces where there is no digit: `python -m tests.long.quiet FOLDER --minutes 30`.

A camera of 640x480 moves over each picture of a folder in turn, as if held in a hand: it pans, zooms and shakes, and
its sensor has noise. Every frame is read and tracked as the live loop does it, and each announcement is printed. The
pictures must be without digits.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_mnist.edge.common.terminal.output import echo
from edge_mnist.edge.live.tracking import Tracker
from edge_mnist.edge.media.pictures import read_gray
from edge_mnist.edge.reading.reader import Reader

WIDTH, HEIGHT = 640, 480
# Seconds for which the camera looks at one picture before it moves on.
LOOK_S = 10.0
# How far it moves meanwhile, as a share of the view; by how much it zooms; and by how many pixels it shakes.
PAN, ZOOM, SHAKE = 0.5, 1.6, 1.0
NOISE = 2.0


def film(picture: NDArray[np.uint8], frames: int, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Film a gray picture: frames of uint8 [480, 640] from a moving camera."""
    height, width = picture.shape
    fitting = max(WIDTH / width, HEIGHT / height)
    zooms = fitting * random.uniform(1, ZOOM, 2)
    begin, end = random.uniform(0.5 - PAN / 2, 0.5 + PAN / 2, (2, 2)) * (width, height)
    angles = random.uniform(-5, 5, 2)
    for share in np.linspace(0, 1, frames):
        zoom, angle = np.interp(share, (0, 1), zooms), np.interp(share, (0, 1), angles)
        x, y = begin + share * (end - begin)
        turn = cv2.getRotationMatrix2D((x, y), angle, zoom)
        turn[:, 2] += random.normal((WIDTH / 2 - x, HEIGHT / 2 - y), SHAKE)
        view = cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
        yield np.clip(view + random.normal(0, NOISE, view.shape), 0, 255).astype(np.uint8)


def watch(folder: Path, minutes: float, fps: float, seed: int = 0) -> tuple[int, list[tuple[str, tuple[str, ...]]]]:
    """Watch the pictures of a folder; return the number of frames, and each announcement with its picture's name."""
    random, reader = np.random.default_rng(seed), Reader(threads=1)
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".jpeg", ".png"))
    tracker, announced, count = Tracker(), [], 0
    looks = max(1, round(minutes * 60 / LOOK_S))
    for look in range(looks):
        path = paths[look % len(paths)]
        for frame in film(read_gray(path), round(LOOK_S * fps), random):
            state = tracker.update(reader.read(frame))
            count += 1
            if state.is_new and state.rows:
                announced.append((path.name, state.rows))
                echo(f"{path.name}: {' '.join(state.rows)}")
    return count, announced


def main() -> int:
    """Watch, and report the announcements; the exit code is 1 if there were any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    count, announced = watch(options.folder, options.minutes, options.fps, options.seed)
    echo(f"{len(announced)} announcements in {count} frames, {options.minutes:g} minutes.")
    return 1 if announced else 0


if __name__ == "__main__":
    sys.exit(main())
