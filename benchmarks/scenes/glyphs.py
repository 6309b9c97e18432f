"""The common shapes of digits and letters: several for each, as strokes of a few corner points.

A shape is written as text, in hundredths of a box that is as high as the digit: `x,y` are corners, x to the right and
y down; `|` lifts the pen. Corners are rounded when drawn, except those marked with `!`.
"""

import numpy as np
from numpy.typing import NDArray

# The number of copies of a corner that survive rounding.
SHARP = 3

DIGITS: dict[str, tuple[str, ...]] = {
    "0": (
        "30,0 8,8 0,50 8,94 30,100 52,94 60,50 52,8 30,0",
        "36,3 12,-4 -2,40 2,92 26,104 54,96 62,48 50,4 30,-2 20,8",  # overlaps where it closes
        "38,2 16,-6 0,30 0,80 22,104 50,98 64,56 60,16 46,4",  # stays open at the top
        "24,6 6,14 0,60 14,100 36,98 58,80 60,30 44,2 22,2 20,8",
    ),
    "1": (
        "6,0 5,50 4,100",
        "8,0 3,60 6,100",
        "-4,12 9,0! 6,100",  # a tick
        "0,24 22,2! 20,100",
        "0,22 24,0! 23,100 | -2,101 20,99 48,100",  # flag and foot
    ),
    "2": (
        "2,26 10,0 46,-4 60,26 30,70 0,100! 62,98",
        "4,22 14,-4 52,-2 58,34 20,84 2,100! 24,94 62,102",
        "4,20 20,-6 56,0 56,40 30,84 8,104 -4,92 10,80 34,98 64,98",  # a loop at the foot
        "2,16 12,-6 60,-2 54,36 0,98! 60,95",  # a sharp corner at the foot
    ),
    "3": (
        "4,10 30,-6 58,8 50,42 24,47! 60,48 66,88 32,108 0,90",
        "4,2 54,0! 26,40! 58,42 66,86 34,108 0,92",  # flat top
        "4,14 22,-8 62,4 50,42 24,52 20,44 34,42 64,54 60,96 24,106 -2,88",  # a small loop in the middle
        "2,8 40,-10 60,22 30,46! 70,54 56,104 16,104 0,92",
    ),
    "4": (
        "36,0 0,62! 62,60 | 44,32 42,100",  # closed by the crossing stroke, open on top
        "6,4 2,56! 60,54 | 42,6 40,100",  # open, upright
        "42,100 44,0! 0,68! 62,66",  # closed, in one stroke
        "14,0 2,58! 34,60 64,54 | 52,-2 46,50 40,100",
        "44,2 0,64! 64,62 | 45,0 43,100",  # closed, in two
    ),
    "5": (
        "54,1 10,2! 6,44! 30,34 62,54 58,98 20,108 0,90",
        "10,6 6,46! 30,34 64,60 50,104 0,96 | 8,4 56,0",
        "12,12 8,46! 36,38 62,62 48,106 0,94 | 18,0 58,-4",  # the bar stands apart
        "56,-2 14,4! 10,40! 50,48 60,84 34,108 -2,96",
    ),
    "6": (
        "48,0 18,18 0,68 16,106 54,98 58,60 26,48 4,74",
        "40,-2 10,30 0,80 22,108 56,94 50,58 20,58 4,80",
        "54,8 36,-6 4,22 0,80 20,106 58,98 58,58 28,48 3,72",  # hooked on top
        "30,0 2,48 2,90 24,104 50,98 48,66 22,62 4,84",
    ),
    "7": (
        "0,4 58,0! 26,100",
        "0,4 58,0! 34,50 22,100 | 14,50 54,46",  # crossed
        "2,16 3,3! 56,1! 40,40 24,100",  # a tick at its left
        "0,2 30,8 60,0! 30,56 28,100 | 12,54 52,50",
        "0,2 60,2! 50,20 26,50 24,100",
    ),
    "8": (
        "30,48 4,34 8,0 50,0 56,32 30,48 0,68 4,102 54,102 60,70 30,48",
        "52,14 36,-6 6,2 4,34 30,48 62,62 58,102 6,104 0,70 30,50 54,30 54,12",
        "30,46 8,40 8,0 52,0 52,40 30,46 | 30,47 0,56 2,102 58,102 60,56 30,47",  # two rings
        "54,8 28,-8 0,14 14,42 56,60 56,100 10,106 0,76 40,42 60,16",  # stays open at the top
    ),
    "9": (
        "54,26 38,52 2,44 4,4 44,-8 56,20 54,60 52,100",
        "54,22 30,54 0,38 8,0 46,-4 56,24 56,70 44,104 8,102",  # a curled tail
        "52,20 34,52 0,40 4,4 46,-6 54,10 | 54,4 52,50 48,100",  # ring, then stem
        "54,12 26,-8 -2,20 10,52 48,46 54,14! 46,60 34,100",
    ),
}

# Letters that do not look like digits.
LETTERS: dict[str, str] = {
    "A": "0,100 32,0! 64,100 | 12,62 52,60",
    "E": "54,0 4,2! 4,100! 58,98 | 4,50 46,48",
    "F": "56,0 4,2! 4,100 | 4,50 44,48",
    "H": "2,0 0,100 | 60,0 58,100 | 0,52 60,48",
    "K": "4,0 2,100 | 56,0 6,54! 60,100",
    "M": "0,100 6,0! 36,60! 66,0! 74,100",
    "N": "0,100 4,0! 56,98! 60,0",
    "R": "4,100 4,0! 54,2 54,46 6,48! 60,100",
    "T": "0,2 66,0 | 34,0 32,100",
    "W": "0,0 16,100! 36,40! 56,100! 76,0",
    "X": "2,0 58,100 | 58,0 0,100",
    "h": "6,0 4,100! 4,60 30,40 46,56 46,100",
    "k": "6,0 4,100 | 44,44 6,72! 48,100",
    "m": "2,100 2,50! 4,60 24,36 34,60 34,100! 34,64 54,36 66,60 66,100",
    "w": "0,46 14,100! 30,60! 46,100! 62,44",
    "x": "4,46 50,100 | 50,46 2,100",
}


def parse_shape(text: str) -> tuple[NDArray[np.float64], ...]:
    """Parse the strokes of a shape as corner points, each float64 [N, 2], in heights of the digit.

    Sharp corners are repeated; a stroke with two corners gets a third between them, so that it can bend.
    """
    return tuple(_parse_stroke(stroke) for stroke in text.split("|"))


def _parse_stroke(text: str) -> NDArray[np.float64]:
    corners: list[tuple[float, float]] = []
    for word in text.split():
        x, y = word.rstrip("!").split(",")
        corners += [(int(x) / 100, int(y) / 100)] * (SHARP if word.endswith("!") else 1)
    if len(corners) == 2:
        (x0, y0), (x1, y1) = corners
        corners.insert(1, ((x0 + x1) / 2, (y0 + y1) / 2))
    return np.array(corners)
