"""Remove the lines of ruled and squared paper from a mask of ink and keep the strokes that cross them.

Lines are long, thin and nearly straight. Pieces of them show between the digits; a parabola through the pieces gives
the path of the line behind the digits, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import cv
from .effort import PIXELS_OF_FIT, PIXELS_OF_WINDOW, Effort
from .hand_lines import follow_line

Mask = NDArray[np.uint8]
# Rows and columns of pixels, int64 [N] each.
_Pixels = tuple[NDArray[np.int64], NDArray[np.int64]]

# Shares of the frame's side along the line: its shortest piece, the longest gap between two, and its whole length.
SHORTEST_PIECE = 1 / 40
LONGEST_GAP = 1 / 10
REACH = 0.4
# Share of a line's length that its pieces must cover; a line across almost the whole frame needs less.
COVERAGE = 0.65
ALL_ACROSS, COVERAGE_ALL_ACROSS = 0.8, 0.5
# A line from one edge of the frame to the other spans this share of it; no stroke does.
RIGHT_ACROSS = 0.95
# Ruled paper has at least this many lines.
FEWEST = 3
# Its lines cover less than this share of it; more is a pattern, in which anything can be seen.
MOST_COVERED = 0.4
# A piece of a line is this many times as long as thick.
LONG = 3.0
# The thickest line, as a share of the frame's long side; thicker is a stroke or a table's edge.
THICKEST = 1 / 60
# A piece may drift by the first number of pixels, and a stroke across it may interrupt it for the second.
DRIFT, CROSSING = 3, 7
# How far a line may bend and how far it may rise, as shares of its length.
MOST_BEND, MOST_SLOPE = 0.03, 0.2
# Ink this many times as dark as the lines belongs to a stroke.
DARKER = 1.4
# Strokes are bridged over the thickness of a line and this many pixels.
BRIDGE = 5
# Fewer columns do not determine a parabola.
FEWEST_COLUMNS = 8
# The largest distance of a line's pixels from its parabola, in pixels, for each fit.
TOLERANCES = (8.0, 4.0, 3.0)


def remove_lines(
    mask: Mask,
    faint: Mask,
    depth: Mask,
    right_across: float = RIGHT_ACROSS,
    by_hand: float | None = None,
    effort: Effort | None = None,
) -> Mask:
    """Remove long thin lines, level or upright, and bridge the strokes that they crossed.

    Args:
        mask: Mask of ink, uint8 [height, width] of 0 and 255.
        faint: Mask of ink and of everything fainter, in which lines are whole.
        depth: How much darker than the paper each pixel is, uint8 [height, width].
        right_across: Share of the frame that a line spans which goes from edge to edge.
        by_hand: Length in pixels from which a line may also be wavy, as if drawn by hand, and alone; None for none.
        effort: The effort that may be taken; None for that for one frame.

    Returns:
        The ink without lines; the same array if there are none.
    """
    effort = effort or Effort.for_frame(faint)
    level_lines = find_level_lines(faint, right_across, by_hand, effort)
    upright_lines = find_level_lines(np.ascontiguousarray(faint.T), right_across, by_hand, effort)
    if not level_lines and not upright_lines:
        return mask
    level = _draw_bands(level_lines, faint.shape)
    upright = _draw_bands(upright_lines, faint.T.shape).T
    lines = level | upright
    strokes = mask & ~lines
    thickness = max(line.thickness for line in (*level_lines, *upright_lines))
    # A little more than a line is thick: strokes of the row above and of the row below must not be joined.
    reach = thickness + BRIDGE
    # Where a stroke crosses a line, its darkness may distinguish it from the line.
    darkness = DARKER * float(np.percentile(depth[(lines & faint) > 0], 75))
    dark = cv.compare(depth, darkness, cv.CMP_GT)
    near = 2 * _thickest(mask) + 1
    strokes |= mask & dark & cv.dilate(strokes, np.ones((near, near), np.uint8))
    above_and_below = cv.morphologyEx(strokes, cv.MORPH_CLOSE, np.ones((reach, 1), np.uint8))
    left_and_right = cv.morphologyEx(strokes, cv.MORPH_CLOSE, np.ones((1, reach), np.uint8))
    strokes |= (mask & above_and_below & level) | (mask & left_and_right & upright)
    return _erase_fragments(strokes, dark, thickness, (bool(level_lines), bool(upright_lines)))


def _erase_fragments(strokes: Mask, dark: Mask, thickness: int, directions: tuple[bool, bool]) -> Mask:
    """Erase ink that runs like lines, is as thin and no darker: pieces of lines that were not found."""
    _, labels, stats, _ = cv.connectedComponentsWithStats(strokes, connectivity=8)
    width, height = stats[:, cv.CC_STAT_WIDTH], stats[:, cv.CC_STAT_HEIGHT]
    level = (height <= thickness) & (width > LONG * height) & directions[0]
    upright = (width <= thickness) & (height > LONG * width) & directions[1]
    fragments = level | upright
    fragments[0] = False
    if not fragments.any():
        return strokes
    fragments &= np.bincount(labels[dark > 0], minlength=len(stats)) < 0.5 * stats[:, cv.CC_STAT_AREA]
    return np.where(fragments[labels], 0, strokes).astype(np.uint8)


@dataclass(frozen=True)
class Line:
    """A ruled line.

    Attributes:
        curve: Rows over columns, a parabola.
        path: Row of the line in each of its columns, float64 [right - left].
        left: First column of the line.
        right: Column after the last.
        thickness: Thickness in pixels.
        across: Whether the line goes from one edge of the frame to the other.
    """

    curve: np.polynomial.Polynomial
    path: NDArray[np.float64]
    left: int
    right: int
    thickness: int
    across: bool


def find_level_lines(
    faint: Mask, right_across: float = RIGHT_ACROSS, by_hand: float | None = None, effort: Effort | None = None
) -> list[Line]:
    """Find the level lines of ruled paper: several, or lines that run across the whole frame.

    A long stroke of a large digit is a line, too, but the only one. If the effort is not enough, there are none. The
    arguments are those of `remove_lines`.
    """
    width = faint.shape[1]
    effort = effort or Effort.for_frame(faint)
    found: list[Line] = []
    tangled: list[_Pixels] = []
    if width < 2 * FEWEST_COLUMNS or effort.is_short:
        return []
    for rows, columns in _group_pieces(_thin_pieces(faint), effort):
        line = _fit_line(rows, columns, width, right_across)
        if by_hand is not None and (line is None or not line.across):
            line = _follow(faint, rows, columns, by_hand) or line
        if line:
            found.append(line)
            if _cover_too_much(found, faint):
                return []
            # Strokes may hold several lines together.
            rest = np.abs(rows - line.curve(columns)) > TOLERANCES[0]
            tangled.append((rows[rest], columns[rest]))
        else:
            tangled.append((rows, columns))
    tangled = [pixels for pixels in tangled if len(_distinct(pixels[1])) > REACH * width]
    for pixels in tangled if found else ():
        for part in _untangle(pixels, found):
            if not effort.spend(1 + (len(part[0]) + len(pixels[0]) / 8) / PIXELS_OF_FIT):
                break
            if line := _fit_line(*part, width, right_across):
                found.append(line)
        if effort.is_short or _cover_too_much(found, faint):
            return []
    if len(found) >= FEWEST and not effort.is_short:
        return found
    return [line for line in found if line.across and not effort.is_short]


def _cover_too_much(lines: list[Line], faint: Mask) -> bool:
    """Whether the lines are a pattern and not ruled paper; then the search ends."""
    return sum(line.thickness for line in lines) > MOST_COVERED * faint.shape[0]


def _draw_bands(lines: list[Line], shape: tuple[int, ...]) -> Mask:
    """Draw bands along lines, uint8 [height, width] of 0 and 255, through everything written over them."""
    bands = np.zeros(shape, np.uint8)
    for line in lines:
        path = np.stack([np.arange(line.left, line.right), np.round(line.path)], axis=1).astype(np.int32)
        cv.polylines(bands, [path], isClosed=False, color=255, thickness=line.thickness)
    return bands


def keep_thin(mask: Mask) -> Mask:
    """Keep the parts of a mask that are no thicker than lines; bars and blots are removed."""
    thick = np.ones(((_thickest(mask) + 1) | 1,) * 2, np.uint8)
    return cv.subtract(mask, cv.dilate(cv.morphologyEx(mask, cv.MORPH_OPEN, thick), np.ones((3, 3), np.uint8)))


def _fit_line(rows: NDArray[np.int64], columns: NDArray[np.int64], width: int, right_across: float) -> Line | None:
    """Fit a line through most of these pixels of a frame this wide; None if they do not form one."""
    if int(columns.max()) + 1 - int(columns.min()) < REACH * width:
        return None
    curve, close = _fit_curve(rows, columns)
    covered = _distinct(columns[close])
    if not len(covered):
        return None
    left, right = int(covered[0]), int(covered[-1]) + 1
    share = (right - left) / width
    least = COVERAGE if share < ALL_ACROSS else COVERAGE_ALL_ACROSS
    bend = abs(curve((left + right) / 2) - (curve(left) + curve(right)) / 2)
    rise = abs(curve(left) - curve(right))
    if share < REACH or len(covered) < least * (right - left):
        return None
    if bend > MOST_BEND * (right - left) or rise > MOST_SLOPE * (right - left):
        return None
    gap = int(LONGEST_GAP * width)
    thickness = round(np.count_nonzero(close) / len(covered)) + 1
    first, last = max(0, left - gap), min(width, right + gap)
    return Line(curve, curve(np.arange(first, last)), first, last, thickness, share > right_across)


def _follow(faint: Mask, rows: NDArray[np.int64], columns: NDArray[np.int64], least: float) -> Line | None:
    """Follow a line drawn by hand; None if these pixels do not form one of at least this length."""
    followed = follow_line(faint, rows, columns, least)
    if followed is None:
        return None
    left, path, thickness = followed
    return Line(np.polynomial.Polynomial([path.mean()]), path, left, left + len(path), thickness, True)


def _untangle(pixels: _Pixels, found: list[Line]) -> Iterator[_Pixels]:
    """Separate the pixels of lines that strokes connect, line by line; such lines run parallel to the nearest found."""
    rows, columns = pixels
    middle = float(np.mean(columns))
    nearest = min(found, key=lambda line: abs(line.curve(middle) - rows.mean()))
    offsets = rows - np.round(nearest.curve(columns)).astype(np.int64)
    first = int(offsets.min())
    counts = np.convolve(np.bincount(offsets - first), np.ones(3), "same")
    least = 0.3 * len(_distinct(columns))
    while counts.max() > least:
        peak = int(counts.argmax())
        near = np.abs(offsets - first - peak) <= DRIFT + 2
        yield rows[near], columns[near]
        counts[max(0, peak - DRIFT - 2) : peak + DRIFT + 3] = 0


def _fit_curve(
    rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[np.polynomial.Polynomial, NDArray[np.bool_]]:
    """Fit a parabola through most of the pixels, and mark those; pixels of strokes among them are left out."""
    low, high = int(columns.min()), int(columns.max())
    at = columns - low
    powers = np.linspace(-1, 1, high - low + 1)[None] ** np.arange(3)[:, None]
    close = np.ones(len(rows), np.bool_)
    coefficients = _fit_polynomial(rows, at, powers[:2])
    for tolerance in TOLERANCES:
        close = np.abs(rows - (coefficients @ powers[: len(coefficients)])[at]) < tolerance
        if len(_distinct(at[close])) < FEWEST_COLUMNS:
            break
        coefficients = _fit_polynomial(rows[close], at[close], powers)
    return np.polynomial.Polynomial(coefficients, domain=(low, high)), close


def _fit_polynomial(rows: NDArray[np.int64], at: NDArray[np.int64], powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit by least squares, from sums over columns, of which there are more than powers: their coefficients."""
    counts = np.bincount(at, minlength=powers.shape[1])
    sums = np.bincount(at, weights=rows, minlength=powers.shape[1])
    return np.linalg.solve((powers * counts) @ powers.T, powers @ sums).astype(np.float64, copy=False)


def _distinct(columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each column once, in order: many times as fast as `numpy.unique`."""
    return np.flatnonzero(np.bincount(columns))


def _thin_pieces(faint: Mask) -> Mask:
    """Keep the pieces that are no higher than a line is thick, and longer than strokes usually are."""
    thickest = _thickest(faint)
    # An odd kernel: an even one would leave a row of anything thicker.
    thick = cv.morphologyEx(faint, cv.MORPH_OPEN, np.ones(((thickest + 1) | 1, 1), np.uint8))
    thin = cv.subtract(faint, thick)
    # Lines drift from row to row, and are interrupted by upright lines and strokes.
    whole = cv.morphologyEx(cv.dilate(thin, np.ones((DRIFT, 1), np.uint8)), cv.MORPH_CLOSE, np.ones((1, CROSSING)))
    shortest = max(8, int(faint.shape[1] * SHORTEST_PIECE))
    runs = cv.morphologyEx(whole, cv.MORPH_OPEN, np.ones((1, shortest), np.uint8))
    return cv.bitwise_and(thin, cv.dilate(runs, np.ones((3, 3), np.uint8)))


def _group_pieces(thin: Mask, effort: Effort) -> Iterator[_Pixels]:
    """Yield the rows and columns of the pixels of pieces that follow one another, as long as there is effort left."""
    gap = int(thin.shape[1] * LONGEST_GAP) | 1
    joined = cv.morphologyEx(cv.dilate(thin, np.ones((DRIFT, 1), np.uint8)), cv.MORPH_CLOSE, np.ones((1, gap)))
    _, labels, stats, _ = cv.connectedComponentsWithStats(joined, connectivity=8)
    for i in np.flatnonzero(stats[1:, cv.CC_STAT_WIDTH] > REACH * thin.shape[1] * 0.8) + 1:
        x, y, width, height = stats[i, :4].tolist()
        if not effort.spend(width * height / PIXELS_OF_WINDOW):
            return
        window = (slice(y, y + height), slice(x, x + width))
        rows, columns = np.nonzero((labels[window] == i) & (thin[window] > 0))
        if len(rows) and effort.spend(1 + len(rows) / PIXELS_OF_FIT):
            yield rows + y, columns + x


def _thickest(mask: Mask) -> int:
    return max(3, round(max(mask.shape) * THICKEST))
