"""Judge a candidate by its surroundings: a piece of a line, a letter of a word or a branch is no digit.

A tiny network sees a window around the candidate, SPAN times as large as its box: the ink in it, and which of it is the
candidate's own. Its one output is the log odds that the candidate is a digit. Weights are int8 and activations uint8,
each layer's sums are exact in float32, so that the result is the same on every machine and needs no runtime.

The network is trained by `edge-mnist measure context` on frames that the project draws, with photographs as grounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv, halve
from .finding import Candidates
from .ink.shapes import Shape

# Side of a window in pixels of the network, and as a multiple of the box's longer side.
SIDE = 32
SPAN = 2.6
# In the first channel, the candidate's own ink has about this level; in the second, pixels beyond the frame have this.
LEVEL, BEYOND = 200, 100
# Ink fainter than this, in gray levels, is not amplified further.
FAINTEST = 8
# A window with sides at least this long, in pixels, is halved first.
LARGE = 8 * SIDE
NETWORK = "context.npz"

Windows = NDArray[np.uint8]


@dataclass(frozen=True)
class ContextNetwork:
    """The quantized network: three convolutions of 3x3 with stride 2, a dense layer, and one output.

    Attributes:
        weights: Of each layer, integers from -127 to 127 as float32 [inputs, outputs].
        biases: Of each layer, whole numbers as float32 [outputs], in units of the layer's sums.
        multipliers: Of each layer, float32 [outputs]: from its sums to the levels of its outputs, 0 to 255; those of
            the last layer turn its sum into nats.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    multipliers: tuple[NDArray[np.float32], ...]

    def __call__(self, windows: Windows) -> NDArray[np.float32]:
        """Return the log odds, in nats, float32 [N], that each window [N, SIDE, SIDE, 2] has a digit in its middle."""
        values = windows.astype(np.float32)
        *hidden, last = zip(self.weights, self.biases, self.multipliers, strict=True)
        for weights, bias, multiplier in hidden:
            inputs = (
                _gather_patches(values) if weights.shape[0] == 9 * values.shape[-1] else values.reshape(len(values), -1)
            )
            values = np.clip(np.rint((inputs @ weights + bias) * multiplier), 0, 255)
        weights, bias, multiplier = last
        return ((values @ weights + bias) * multiplier)[:, 0]


def _gather_patches(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gather the 3x3 patches around every other pixel: from [N, S, S, C] to [N, S / 2, S / 2, 9 C], zeros beyond."""
    padded = np.pad(values, ((0, 0), (0, 1), (0, 1), (0, 0)))
    side = values.shape[1]
    return np.concatenate(
        [padded[:, dy : dy + side : 2, dx : dx + side : 2] for dy in range(3) for dx in range(3)], axis=-1
    )


@cache
def load_context_network() -> ContextNetwork:
    """Load the shipped network."""
    with np.load(Path(__file__).parent / NETWORK, allow_pickle=False) as arrays:
        count = len(arrays.files) // 3
        return ContextNetwork(
            *(
                tuple(arrays[f"{name}_{i}"].astype(np.float32) for i in range(count))
                for name in ("weights", "biases", "multipliers")
            )
        )


def cut_windows(finding: Candidates, shapes: Sequence[Shape]) -> Windows:
    """Cut the window around each shape: uint8 [N, SIDE, SIDE, 2], the ink of all shapes and the shape itself."""
    windows = np.empty((len(shapes), SIDE, SIDE, 2), np.uint8)
    for window, shape in zip(windows, shapes, strict=True):
        window[...] = _cut_window(finding, shape)
    return windows


def _cut_window(finding: Candidates, shape: Shape) -> Windows:
    """Cut one window; pixels beyond the frame have no ink, and BEYOND in the second channel."""
    box, depth = shape.box, finding.depth
    side = max(FAINTEST, round(SPAN * max(box.width, box.height)))
    left, top = round(box.x + (box.width - side) / 2), round(box.y + (box.height - side) / 2)
    height, width = depth.shape
    x, y, right, bottom = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
    ink = depth[y:bottom, x:right]
    own = np.zeros(ink.shape, np.uint8)
    own[box.y - y : box.bottom - y, box.x - x : box.right - x] = shape.mask
    edges = (y - top, top + side - bottom, x - left, left + side - right)
    if any(edges):
        ink = cv.copyMakeBorder(ink, *edges, cv.BORDER_CONSTANT, value=0)
        own = cv.copyMakeBorder(own, *edges, cv.BORDER_CONSTANT, value=BEYOND)
    # Halving is several times as fast as the interpolation after it.
    while min(ink.shape) >= LARGE:
        ink, own = halve(ink), halve(own)
    interpolation = cv.INTER_AREA if side > SIDE else cv.INTER_LINEAR
    small = cv.resize(ink, (SIDE, SIDE), interpolation=interpolation)
    mask = cv.resize(own, (SIDE, SIDE), interpolation=interpolation)
    level = max(FAINTEST, cv.minMaxLoc(small, mask)[1])
    return np.dstack([cv.convertScaleAbs(small, alpha=LEVEL / level), mask])
