"""Clouds for fog: a height map, rough at all scales, that continues at its opposite edge."""

import numpy as np
from numpy.typing import NDArray

# A power of two, since sides are halved.
PLASMA_SIDE = 256


def draw_plasma(decay: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a height map from 0 to 1, float32 [256, 256], by the diamond-square algorithm.

    Args:
        decay: Factor > 1; details half as large are rougher by its square.
        random: Random generator of the heights.

    Source: A. Fournier, D. Fussell, L. Carpenter, "Computer rendering of stochastic models", CACM 25 (1982).
    """
    heights = np.zeros((PLASMA_SIDE, PLASMA_SIDE))
    step, roughness = PLASMA_SIDE, 1.0
    while step >= 2:
        half = step // 2
        corners, middles = heights[::step, ::step], heights[half::step, half::step]
        across, down = (corners + np.roll(corners, -1, axis) for axis in (1, 0))
        middles[:] = across + np.roll(across, -1, 0)
        middles[:] = middles / 4 + roughness * random.uniform(-1, 1, middles.shape)
        for edges, sums in (
            (heights[::step, half::step], across + middles + np.roll(middles, 1, 0)),
            (heights[half::step, ::step], down + middles + np.roll(middles, 1, 1)),
        ):
            edges[:] = sums / 4 + roughness * random.uniform(-1, 1, sums.shape)
        # MNIST-C uses its decaying number twice, as a factor and as a bound.
        step, roughness = half, roughness / decay**2
    return ((heights - heights.min()) / np.ptp(heights)).astype(np.float32)
