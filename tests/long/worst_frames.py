"""What do the worst frames cost? `python -m tests.long.worst_frames` prints processor time by content and size.

Processor time depends on the machine and on what else runs. Each frame is therefore timed between readings of a plain
page of 640x480 with ten digits, and the table shows how many plain pages it costs.
"""

import time
from collections.abc import Callable, Iterable

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.common.terminal.tables import format_table
from edge_mnist.edge.reading.reader import Reader

Gray = NDArray[np.uint8]

# Height and width by megapixels.
SIZES = {"0.3": (480, 640), "2": (1224, 1632), "12": (3000, 4000)}
PAPER, INK = 225, 60
# Patterns are drawn at most this large, and enlarged: a frame is searched on a copy of this size.
FINEST = 1280


def draw_worst_frames(size: tuple[int, int], names: Iterable[str] | None = None) -> dict[str, Gray]:
    """Draw contents by their names, uint8 [height, width]; always the same frames.

    Args:
        size: Height and width in pixels.
        names: The contents; None for all.
    """
    scale = min(1.0, FINEST / max(size))
    shape = round(size[0] * scale), round(size[1] * scale)
    return {name: cv2.resize(_DRAWN[name](shape), size[::-1]).astype(np.uint8) for name in names or _DRAWN}


def draw_plain_page(shape: tuple[int, int] = SIZES["0.3"]) -> Gray:
    """Draw a page with ten digits, uint8 [height, width]."""
    page = draw_page(("3141", "592", "653"), seed=1, pen=PagePen(height_px=60, width_px=6))
    return cv2.resize(page, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)


def time_in_pages(reader: Reader, frame: Gray, page: Gray, repeats: int = 3) -> float:
    """Return the processor time of a frame as a multiple of a page's, the least of some readings of each.

    Both are read in turns, so that other work on the machine slows down both.
    """
    times = [(_time(reader, frame), min(_time(reader, page) for _ in range(4))) for _ in range(repeats)]
    return min(own for own, _ in times) / min(other for _, other in times)


def _time(reader: Reader, frame: Gray) -> float:
    began = time.thread_time()
    reader.read(frame)
    return time.thread_time() - began


def _stripe(every: int, width: int, slope: float, crossed: bool) -> Callable[[tuple[int, int]], Gray]:
    def draw(shape: tuple[int, int]) -> Gray:
        y, x = np.mgrid[: shape[0], : shape[1]]
        lines = (y + slope * x) % every < width
        if crossed:
            lines |= (x - slope * y) % every < width
        return np.where(lines, INK, PAPER).astype(np.uint8)

    return draw


def _check(side: int) -> Callable[[tuple[int, int]], Gray]:
    return lambda shape: (PAPER - (np.indices(shape) // side).sum(axis=0) % 2 * (PAPER - INK)).astype(np.uint8)


def _dot(every: int, radius: int) -> Callable[[tuple[int, int]], Gray]:
    def draw(shape: tuple[int, int]) -> Gray:
        y, x = np.mgrid[: shape[0], : shape[1]] % every - every // 2
        return np.where(x * x + y * y <= radius * radius, INK, PAPER).astype(np.uint8)

    return draw


def _speckle(share: float) -> Callable[[tuple[int, int]], Gray]:
    return lambda shape: np.where(np.random.default_rng(1).random(shape) < share, INK, PAPER).astype(np.uint8)


def _blur_noise(shape: tuple[int, int]) -> Gray:
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, shape), (0, 0), 1.4)
    return (200 + 24 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def _guilloche(every: int) -> Callable[[tuple[int, int]], Gray]:
    """Draw waves over waves, as on security paper."""

    def draw(shape: tuple[int, int]) -> Gray:
        y, x = np.mgrid[: shape[0], : shape[1]]
        waves = [(y + 10 * np.sin(x / length + phase)) % every < 2 for length, phase in ((17, 0), (13, 2))]
        return np.where(waves[0] | waves[1], 120, 235).astype(np.uint8)

    return draw


def _ring(shape: tuple[int, int]) -> Gray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.where(np.hypot(x - shape[1] / 2, y - shape[0] / 2) % 6 < 2, INK, PAPER).astype(np.uint8)


def _strew(count: int, length: float) -> Callable[[tuple[int, int]], Gray]:
    """Draw this many strokes of this length per 640x480 pixels, in all directions."""

    def draw(shape: tuple[int, int]) -> Gray:
        frame, random = np.full(shape, PAPER, np.uint8), np.random.default_rng(1)
        for _ in range(count * shape[0] * shape[1] // (640 * 480)):
            start = random.integers((0, 0), shape[::-1])
            angle = random.uniform(0, 2 * np.pi)
            end = start + length * random.uniform(0.5, 1.5) * np.array([np.cos(angle), np.sin(angle)])
            cv2.line(frame, start.tolist(), end.astype(int).tolist(), INK, 2)
        return frame

    return draw


def _maze(shape: tuple[int, int]) -> Gray:
    frame, random = np.full(shape, PAPER, np.uint8), np.random.default_rng(1)
    for y in range(0, shape[0], 8):
        for x in range(0, shape[1], 8):
            left, right = (x, x + 8) if random.random() < 0.5 else (x + 8, x)
            cv2.line(frame, (left, y), (right, y + 8), INK, 2)
    return frame


def _print(letters: str, boxed: bool = False) -> Callable[[tuple[int, int]], Gray]:
    """Draw a page full of letters, each in a box of its own if asked."""

    def draw(shape: tuple[int, int]) -> Gray:
        frame, random = np.full(shape, PAPER, np.uint8), np.random.default_rng(1)
        for y in range(24, shape[0], 26):
            for x in range(4, shape[1] - 20, 26 if boxed else 18):
                letter = letters[random.integers(len(letters))]
                cv2.putText(frame, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, INK, 2, cv2.LINE_AA)
                if boxed:
                    cv2.rectangle(frame, (x - 3, y - 18), (x + 19, y + 5), INK, 1)
        return frame

    return draw


def _border(shape: tuple[int, int]) -> Gray:
    """Draw a page with black bars and their grain."""
    page, random = draw_plain_page(shape), np.random.default_rng(1)
    down, across = shape[0] // 10, shape[1] // 10
    inside = page[down:-down, across:-across].copy()
    frame = np.abs(random.normal(0, 15, shape))
    frame[down:-down, across:-across] = inside
    return frame.clip(0, 255).astype(np.uint8)


def _seam(shape: tuple[int, int]) -> Gray:
    page, middle, width = draw_plain_page(shape).astype(float), shape[1] // 2, shape[1] // 60
    page[:, middle : middle + width] = np.linspace(150, 10, width)
    page += np.random.default_rng(1).normal(0, 4, shape)
    return page.clip(0, 255).astype(np.uint8)


_DRAWN: dict[str, Callable[[tuple[int, int]], Gray]] = {
    "plain page": draw_plain_page,
    "page with black bars": _border,
    "page with a seam": _seam,
    "dots every 6 pixels": _dot(6, 1),
    "dots every 16 pixels": _dot(16, 4),
    "squares of 2 pixels": _check(2),
    "squares of 8 pixels": _check(8),
    "specks": _speckle(0.3),
    "blurred noise": _blur_noise,
    "bars": _stripe(20, 10, 0, crossed=False),
    "grid of 8 pixels": _stripe(8, 1, 0, crossed=True),
    "hatching": _stripe(12, 3, 1, crossed=False),
    "cross-hatching": _stripe(12, 3, 1, crossed=True),
    "security paper": _guilloche(16),
    "rings": _ring,
    "maze": _maze,
    "short strokes": _strew(1000, 14),
    "long strokes": _strew(500, 30),
    "text": _print("etaoinshrdlucmfwypvbgkjqxz"),
    "round text": _print("mwMWOQ@&%# "),
    "digits in boxes": _print("0123456789", boxed=True),
}


@click.command()
@click.option("--repeats", default=3, help="Readings of each frame; the fastest counts.")
@click.option("--plain-ms", default=1.45, help="Time of the plain page on an idle machine.", show_default=True)
def measure(repeats: int, plain_ms: float) -> None:
    """Print the cost of each content at each size, in plain pages and in milliseconds if a page takes `--plain-ms`."""
    cv2.setNumThreads(1)
    reader, page = Reader(threads=1), draw_plain_page()
    reader.read(page)
    lines: dict[str, list[str]] = {name: [name] for name in _DRAWN}
    for size in SIZES.values():
        for name, frame in draw_worst_frames(size).items():
            reading = reader.read(frame)
            pages = time_in_pages(reader, frame, page, repeats)
            mark = "*" if reading.truncated else ""
            lines[name] += [str(len(reading.digits)) + mark, f"{pages:.0f}", f"{pages * plain_ms:.0f}"]
    headers = ["frame", *(f"{size} MP: {what}" for size in SIZES for what in ("digits", "pages", "ms"))]
    click.echo(format_table(list(lines.values()), headers, "github", ["left"] + ["right"] * 9))


if __name__ == "__main__":
    measure()
