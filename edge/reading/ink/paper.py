"""Estimate the paper under the ink: its level all over a frame, the level below which is ink, and where ink is lighter.

Everything that needs a pass over the frame is done once and on bytes; the rest works on copies of 160 and 40 pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import Gray, cv, enlarge, halve, resize

# Paper and light are estimated on a copy of this size.
SMALL_LONG_SIDE = 160
# A closing with a window of this share of the long side leaves the paper: wider than a marker's stroke in a frame that
# one digit fills, narrower than most shadows.
PAPER_WINDOW = 1 / 6
# Ink is at least this much darker than its paper, as a share of the paper's level; fainter is grain on any camera.
FAINTEST_INK = 0.06
# Ink is also darker by this many standard deviations of the camera's noise.
NOISE_MARGIN = 4.5
# Beside strong ink, pixels that reach less than this share of it are blur, print-through or a ruled line.
SHARE_OF_STRONGEST = 0.36
# A dark table beside the page must not lift the threshold over a pencil's strokes.
STRONGEST_THRESHOLD = 0.3
INK_WINDOW = 1 / 5
# Where the paper's level changes by more than this share of itself, something else begins.
EDGE = 0.25
# A smaller frame shows a lone digit, such as MNIST's own, whose strokes are as wide as the paper between them: its
# paper is what lies along its edge.
LONE_LONG_SIDE = 64
# Polarity is judged on a copy of this share of the small one; the paper's level there is the median of a window of
# this many pixels.
TINY_SHARE = 1 / 4
MEDIAN_WINDOW = 7
# Below this share of the brightest paper's level, it is another paper; above, it may be a shadow.
TWO_PAPERS = 0.5
# Pixels of the tiny copy within which the two papers mix.
AROUND_BORDER = 5
# A sheet of paper covers this share of the box around it, even where it lies a little askew.
SHEET_FILLS = 0.75
# Strokes differ from their paper by this share of the difference between the two papers, in this share of its pixels.
STROKE_CONTRAST = 0.25
FEWEST_STROKES = 4
# Pixels of the small copy within which the border between the two papers is searched.
BORDER = 9


@dataclass(frozen=True)
class Copies:
    """Small copies of a frame, uint8 [small height, small width] each.

    Attributes:
        average: Mean of the pixels that each pixel of the copy covers.
        darkest: Darkest pixel that each pixel of the copy covers; thin strokes would fade in a mean.
        lightest: Lightest pixel that each pixel of the copy covers.
    """

    average: Gray
    darkest: Gray
    lightest: Gray

    def inverted(self) -> "Copies":
        """Return the copies of the inverted frame."""
        return Copies(cv.bitwise_not(self.average), cv.bitwise_not(self.lightest), cv.bitwise_not(self.darkest))

    def shrunk(self, scale: float) -> "Copies":
        """Shrink the copies further."""
        average = resize(self.average, scale)
        reach = max(1, round(1 / scale))
        return Copies(
            average, _pick(self.darkest, reach, average, cv.erode), _pick(self.lightest, reach, average, cv.dilate)
        )


def make_copies(gray: Gray) -> Copies:
    """Make copies at SMALL_LONG_SIDE, or at half the frame's size if that is smaller."""
    half = halve(gray) if min(gray.shape) > 1 else gray
    average = resize(half, min(1.0, SMALL_LONG_SIDE / max(half.shape)))
    reach = max(1, round(half.shape[1] / average.shape[1]))
    return Copies(average, _pick(half, reach, average, cv.erode), _pick(half, reach, average, cv.dilate))


def _pick(gray: Gray, reach: int, small: Gray, spread: Callable[..., Any]) -> Gray:
    """Pick the darkest (`cv2.erode`) or lightest (`cv2.dilate`) level around each pixel of a small copy."""
    extreme = spread(gray, np.ones((reach, reach), np.uint8))
    return cv.resize(extreme, small.shape[::-1], interpolation=cv.INTER_NEAREST)


@dataclass(frozen=True)
class Levels:
    """Gray levels all over the frame, on a small copy, uint8 [small height, small width] each.

    Attributes:
        paper: Level of the paper without ink.
        ink: Level below which a pixel is ink.
        faintest: Level below which a pixel is not grain or noise: ink, or lines and smudges fainter than ink.
    """

    paper: Gray
    ink: Gray
    faintest: Gray


def estimate_levels(copies: Copies, noise: float) -> Levels:
    """Estimate the levels of a frame with dark ink and noise of this standard deviation, in gray levels."""
    small = copies.average
    rectangle = cv.getStructuringElement(cv.MORPH_RECT, _window(small, PAPER_WINDOW))
    paper = cv.blur(cv.morphologyEx(small, cv.MORPH_CLOSE, rectangle), (5, 5))
    depth = cv.subtract(paper, copies.darkest)
    window = _window(small, INK_WINDOW)
    strongest = cv.blur(cv.dilate(depth, cv.getStructuringElement(cv.MORPH_RECT, window)), window)
    faintest = cv.max(_times(paper, FAINTEST_INK), min(255.0, NOISE_MARGIN * noise))
    threshold = cv.max(cv.min(_times(strongest, SHARE_OF_STRONGEST), _times(paper, STRONGEST_THRESHOLD)), faintest)
    lowest, highest, _, _ = cv.minMaxLoc(paper)
    # In even light there is no such step, and most frames skip the search.
    if highest - lowest > EDGE * lowest:
        # At the edge of the paper, its level is known only to within the step between the two levels.
        step = cv.morphologyEx(paper, cv.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
        at_an_edge = cv.compare(step, _times(paper, EDGE), cv.CMP_GT)
        threshold = cv.max(threshold, cv.bitwise_and(step, at_an_edge))
    return Levels(paper, cv.subtract(paper, threshold), cv.subtract(paper, faintest))


def _times(gray: Gray, factor: float) -> Gray:
    """Multiply, round, and limit to 255."""
    return cv.convertScaleAbs(gray, alpha=factor)


def estimate_noise(gray: Gray) -> float:
    """Estimate the standard deviation of the camera's noise, in gray levels, from neighbours on a coarse grid.

    The estimate is a median: for a normal distribution the median of |a - b| is 0.954 standard deviations of either.
    """
    first, second = gray[::9, :-1:9].astype(np.int16), gray[::9, 1::9].astype(np.int16)
    difference = np.abs(first - second[:, : first.shape[1]]).ravel()
    if not len(difference):
        return 0.0
    middle = len(difference) // 2
    return float(np.partition(difference, middle)[middle]) / 0.954


def darken_ink(gray: Gray, frame_shape: tuple[int, ...]) -> tuple[Gray, Copies, Gray | None]:
    """Make light ink dark, in the whole frame or in parts of it.

    Args:
        gray: uint8 [height, width] at working size.
        frame_shape: Height and width of the frame that `gray` is a copy of.

    Returns:
        The frame, copies of it, and, if ink was light in places only, 255 for all but their border. That border is as
        wide as the places are uncertain, and shows as a line that is neither ink nor paper.
    """
    copies = make_copies(gray)
    light = find_light_ink(copies) if max(frame_shape) >= LONE_LONG_SIDE else np.array([[_has_dark_edge(gray)]])
    if not light.any():
        return gray, copies, None
    if light.all():
        return cv.bitwise_not(gray), copies.inverted(), None
    where = cv.compare(enlarge(light.astype(np.uint8) * 255, gray), 127, cv.CMP_GT)
    around = np.ones((1 + 3 * max(gray.shape) // SMALL_LONG_SIDE,) * 2, np.uint8)
    away = cv.bitwise_not(cv.morphologyEx(where, cv.MORPH_GRADIENT, around))
    gray = np.where(where > 0, cv.bitwise_not(gray), gray)
    return gray, make_copies(gray), away


def find_light_ink(copies: Copies) -> NDArray[np.bool_]:
    """Find where ink is lighter than paper, bool, on a small copy, or [1, 1] for the whole frame.

    Around each point of a tiny copy, how much darker is the darkest pixel than the paper, and how much lighter the
    lightest? Grain and edges show in both alike, strokes in one of them. The paper is the median, which keeps its
    edges. Where there is light paper and dark paper, each is judged for itself.
    """
    tiny = copies.shrunk(TINY_SHARE)
    paper = cv.medianBlur(tiny.average, MEDIAN_WINDOW)
    darker, lighter = cv.subtract(paper, tiny.darkest), cv.subtract(tiny.lightest, paper)
    papers = _separate_papers(paper)
    if papers is None:
        return np.full((1, 1), _sum_cubes(lighter) > _sum_cubes(darker))
    strong = STROKE_CONTRAST * papers.contrast
    strokes = (lighter > strong).astype(np.int8) - (darker > strong)
    on_dark, on_bright = (int(strokes[_core(side, AROUND_BORDER)].sum()) for side in (papers.dark, ~papers.dark))
    is_sheet = _is_sheet(papers.dark) or _is_sheet(~papers.dark)
    if is_sheet and min(abs(on_dark), abs(on_bright)) >= FEWEST_STROKES:
        return np.where(_find_dark_paper(copies.average, papers), on_dark > 0, on_bright > 0)
    # Nothing is written on one of the two: it is a table, or a marker's stroke. The other one is paper.
    dark_edge = _has_dark_edge(tiny.average)
    written = on_dark if dark_edge else on_bright
    if is_sheet and abs(written) < FEWEST_STROKES:
        written = max(on_dark, on_bright, key=abs)
    return np.full((1, 1), written > 0 if abs(written) >= FEWEST_STROKES else dark_edge)


def _sum_cubes(levels: Gray) -> float:
    """Sum the cubes of levels: cubed, a few strong strokes outweigh much faint grain."""
    return cv.sumElems(cv.LUT(levels, _CUBES))[0]


_CUBES = np.arange(256.0) ** 3


@dataclass(frozen=True)
class _Papers:
    """The two papers of a frame.

    Attributes:
        dark: Mask of the darker paper, bool on a tiny copy.
        level: Level above which it is the brighter paper.
        contrast: Difference between the two, in gray levels.
    """

    dark: NDArray[np.bool_]
    level: float
    contrast: float


def _separate_papers(paper: Gray) -> _Papers | None:
    """Separate two papers on a tiny map of the paper's level by Otsu's method; None if only the light differs."""
    if int(paper.min()) > TWO_PAPERS * int(paper.max()):
        return None
    level, dark = cv.threshold(paper, 0, 1, cv.THRESH_BINARY_INV | cv.THRESH_OTSU)
    if dark.all():
        return None
    darker, brighter = np.median(paper[dark == 1]), np.median(paper[dark == 0])
    return _Papers(dark == 1, level, float(brighter - darker)) if darker <= TWO_PAPERS * brighter else None


def _is_sheet(where: NDArray[np.bool_]) -> bool:
    """Whether the largest piece of a region fills its box, as a card or page does and a marker's digit does not."""
    _, _, stats, _ = cv.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    if len(stats) < 2:
        return False
    _, _, width, height, area = stats[1 + int(stats[1:, cv.CC_STAT_AREA].argmax())].tolist()
    all_over = width >= 0.95 * where.shape[1] and height >= 0.95 * where.shape[0]
    return not all_over and area >= SHEET_FILLS * width * height


def _has_dark_edge(gray: Gray) -> bool:
    """Whether the outermost pixels are darker than the mean of the darkest and the lightest."""
    edge = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return float(np.median(edge)) < (int(gray.min()) + int(gray.max())) / 2


def _core(where: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the part of a region that a square of this width fits into."""
    square = np.ones((width, width), np.uint8)
    return cv.erode(where.astype(np.uint8), square, borderType=cv.BORDER_REPLICATE) > 0


def _find_dark_paper(small: Gray, papers: _Papers) -> NDArray[np.bool_]:
    """Find dark paper, bool on a small copy: by the tiny map, and along the border by the levels of the small copy.

    The median has rounded the tiny map's corners.
    """
    roughly = enlarge(papers.dark.astype(np.uint8), small)
    around = np.ones((BORDER, BORDER), np.uint8)
    surely = cv.erode(roughly, around, borderType=cv.BORDER_REPLICATE)
    return (surely > 0) | ((cv.dilate(roughly, around) > 0) & (small <= papers.level))


def mask_darker_than(gray: Gray, small_levels: Gray) -> Gray:
    """Mask the pixels that are darker than a small map of levels, uint8 of 0 and 255."""
    return cv.compare(gray, enlarge(small_levels, gray), cv.CMP_LT)


def _window(small: Gray, share: float) -> tuple[int, int]:
    side = int(max(small.shape) * share) | 1
    return side, side
