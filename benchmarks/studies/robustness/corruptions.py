"""Fifteen corruptions of 28x28 digits after MNIST-C, in five severities: inputs that MNIST does not contain.

Definitions and severities are MNIST-C's, written again for whole batches with numpy and OpenCV alone; MNIST-C took
noise, blur, fog and spatter from ImageNet-C. Four corruptions have one severity there. Here that is the fifth, and the
others are milder: lines and zigzags in fainter ink, narrower stripes, edges mixed with their image. The effect of
MNIST-C's severities of spatter does not grow steadily, so ours are their 1, 4, 2, 5 and 3.

Known differences: one map of fog serves 64 images, each with its own part, where MNIST-C draws one for each; blurs and
rotations are OpenCV's, edges its Canny's; random numbers are numpy's Generator's. So images are alike, not identical.

Sources: N. Mu, J. Gilmer, "MNIST-C: A robustness benchmark for computer vision" (ICML workshop on uncertainty and
robustness in deep learning, 2019); D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations" (ICLR 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....edge.common.opencv import cv
from .plasma import PLASMA_SIDE, draw_plasma
from .scratches import SIDE, draw_dotted_lines, draw_zigzags

SEVERITIES = (1, 2, 3, 4, 5)
# Rows and columns are rotated, scaled and sheared around this point.
MIDDLE = (SIDE - 1) / 2
# Images corrupted at once: limits memory, and a map of clouds has room for 64.
BATCH = 1024
# Parts of a map start this many pixels apart, where its coarser steps have points.
FOG_STEP = 32

# [N, 28, 28], 0 = paper, 1 = ink; results may exceed this range and are clipped.
Pixels = NDArray[np.floating]
Parameters = tuple[float, ...]


@dataclass(frozen=True)
class Corruption:
    """A corruption of digits.

    Attributes:
        apply: Makes the corrupted images from images, a severity's parameters, and random numbers.
        meaning: Meaning of the parameters, in their order.
        parameters: Parameters of each severity, the mildest first.
        published: The severity that equals MNIST-C's.
    """

    name: str
    apply: Callable[[Pixels, Parameters, np.random.Generator], Pixels]
    meaning: str
    parameters: tuple[Parameters, Parameters, Parameters, Parameters, Parameters]
    published: int


def corrupt(images: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """Corrupt digits. Directions and places are the same at each severity, as far as the corruption allows.

    Args:
        images: Digits, uint8 [N, 28, 28, 1], 0 = paper, 255 = ink.
        name: A key of `CORRUPTIONS`.
        severity: Severity, 1 to 5.
        seed: Random seed; equal seeds give equal images.

    Returns:
        Corrupted digits of the same shape.

    Raises:
        ValueError: There is no such corruption or severity, or the images have another shape or type.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"expected one of the corruptions {', '.join(CORRUPTIONS)}, got {name!r}.")
    if severity not in SEVERITIES:
        raise ValueError(f"expected a severity from 1 to 5, got {severity}.")
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(f"expected uint8 [N, 28, 28, 1], got {images.dtype} {list(images.shape)}.")
    corruption, place = CORRUPTIONS[name], list(CORRUPTIONS).index(name)
    corrupted = np.empty_like(images)
    for start in range(0, len(images), BATCH):
        pixels = images[start : start + BATCH, ..., 0].astype(np.float32) / 255
        random = np.random.default_rng((seed, place, start))
        changed = corruption.apply(pixels, corruption.parameters[severity - 1], random)
        corrupted[start : start + BATCH, ..., 0] = np.rint(255 * changed.clip(0, 1))
    return corrupted


def _shot_noise(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    (photons,) = parameters
    return (random.poisson(images * photons) / photons).astype(np.float32)


def _impulse_noise(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    (share,) = parameters
    chance, value = random.random((2, *images.shape), np.float32)
    return np.where(chance < share, np.rint(value), images)


def _glass_blur(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    """Blur, swap random neighbouring pixels, blur again."""
    deviation, reach, rounds = parameters[0], int(parameters[1]), int(parameters[2])
    shuffled, every = _blur(images, deviation), np.arange(len(images))
    places = range(SIDE - reach, reach, -1)
    for row, column in [(row, column) for _ in range(rounds) for row in places for column in places]:
        down, right = random.integers(-reach, reach, (2, len(images))) * random.integers(0, 2, len(images))
        there = shuffled[every, row + down, column + right]
        shuffled[every, row + down, column + right] = shuffled[:, row, column]
        shuffled[:, row, column] = there
    return _blur(shuffled, deviation)


def _motion_blur(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    """Blur to one side like ImageMagick: the mean of pixels up to 2 * radius away, near ones weigh more."""
    radius, deviation = parameters
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    angle = np.deg2rad(random.uniform(-45, 45, (len(images), 1)))
    every, grid = np.arange(len(images))[:, None, None], np.arange(SIDE)
    blurred = np.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        rows, columns = (
            (grid + np.rint(step * way(angle)).astype(np.int64)).clip(0, SIDE - 1) for way in (np.sin, np.cos)
        )
        blurred += np.float32(weight) * images[every, rows[:, :, None], columns[:, None, :]]
    return blurred


def _shear(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    """Shear to the left or the right; rows are stretched as well, as in the scikit-image of MNIST-C's time."""
    angles = _either_way(parameters[0], len(images), random)
    one, none = np.ones_like(angles), np.zeros_like(angles)
    return _warp(images, np.array([[one, -np.sin(angles)], [none, np.cos(angles)]]))


def _scale(images: Pixels, parameters: Parameters, _: np.random.Generator) -> Pixels:
    return _warp(images, np.repeat(np.eye(2)[..., None] / parameters[0], len(images), axis=2))


def _rotate(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    angles = _either_way(parameters[0], len(images), random)
    return _warp(images, np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]))


def _brightness(images: Pixels, parameters: Parameters, _: np.random.Generator) -> Pixels:
    return images + np.float32(parameters[0])


def _translate(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    """Shift along both axes."""
    shifts = _either_way(parameters[0], 2 * len(images), random).reshape(-1, 2)
    return _warp(images, np.repeat(np.eye(2)[..., None], len(images), axis=2), shifts)


def _stripe(images: Pixels, parameters: Parameters, _: np.random.Generator) -> Pixels:
    """Swap ink and paper at the left and the right."""
    columns, width = np.arange(SIDE), parameters[0]
    return np.where((columns < width) | (columns >= SIDE - width), 1 - images, images)


def _fog(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    amount, decay = np.float32(parameters[0]), parameters[1]
    corners = [(y, x) for y in range(0, PLASMA_SIDE, FOG_STEP) for x in range(0, PLASMA_SIDE, FOG_STEP)]
    maps = [draw_plasma(decay, random) for _ in range(-(-len(images) // len(corners)))]
    parts = [map_[y : y + SIDE, x : x + SIDE] for map_ in maps for y, x in corners][: len(images)]
    most = images.max(axis=(1, 2), keepdims=True)
    return (images + amount * np.stack(parts)) * most / (most + amount)


def _spatter(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    """Add drops of mud where smoothed noise is high."""
    mean, deviation, size, threshold, softness = parameters
    wet = _blur((mean + deviation * random.standard_normal(images.shape)).astype(np.float32), size) > threshold
    drops = _blur(wet.astype(np.float32), softness)
    drops[drops < 0.8] = 0
    return images * (1 - drops) + np.float32(63 / 255) * drops


def _dotted_line(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    return images + np.float32(parameters[0]) * draw_dotted_lines(len(images), random)


def _zigzag(images: Pixels, parameters: Parameters, random: np.random.Generator) -> Pixels:
    return images + np.float32(parameters[0]) * draw_zigzags(len(images), random)


def _canny_edges(images: Pixels, parameters: Parameters, _: np.random.Generator) -> Pixels:
    """Mix edges with the images; edges as by scikit-image's defaults, 0.1 and 0.2 of Sobel's unscaled gradient."""
    share = np.float32(parameters[0])
    smooth = np.rint(255 * _blur(images, 1.0)).astype(np.uint8)
    edges = np.array([cv.Canny(image, 25.5, 51, L2gradient=True) for image in smooth], np.float32) / 255
    return (1 - share) * images + share * edges


# Example: at severity 1 of shot noise a white pixel gives 60 photons on average, at severity 5, MNIST-C's, 3.
CORRUPTIONS = {
    corruption.name: corruption
    for corruption in (
        Corruption("shot noise", _shot_noise, "photons of full ink", ((60,), (25,), (12,), (5,), (3,)), 5),
        Corruption("impulse noise", _impulse_noise, "share of pixels that turn to paper or ink",
                   ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)), 4),
        Corruption("glass blur", _glass_blur, "deviation of the blur, px; reach of swaps, px; rounds",
                   ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)), 1),
        Corruption("motion blur", _motion_blur, "half the length of the trail, px; deviation of its weights, px",
                   ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)), 1),
        Corruption("shear", _shear, "angle, rad", ((0.2,), (0.4,), (0.6,), (0.8,), (1,)), 2),
        Corruption("scale", _scale, "size that remains", ((0.9,), (0.8,), (0.7,), (0.6,), (0.5,)), 3),
        Corruption("rotate", _rotate, "angle, rad", ((0.2,), (0.4,), (0.6,), (0.8,), (1,)), 2),
        Corruption("brightness", _brightness, "added to all pixels, of full ink",
                   ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)), 5),
        Corruption("translate", _translate, "along both axes, px", ((1,), (2,), (3,), (4,), (5,)), 3),
        Corruption("stripe", _stripe, "width of each of two stripes, px", ((3,), (4,), (5,), (6,), (7,)), 5),
        Corruption("fog", _fog, "amount; decay of finer detail",
                   ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)), 5),
        Corruption("spatter", _spatter, "mean and deviation of noise; its blur, px; threshold; softness, px",
                   ((0.65, 0.3, 4, 0.69, 0.6), (0.65, 0.3, 1, 0.65, 1.5), (0.65, 0.3, 3, 0.68, 0.6),
                    (0.67, 0.4, 1, 0.65, 1.5), (0.65, 0.3, 2, 0.68, 0.5)), 2),
        Corruption("dotted line", _dotted_line, "ink of the line", ((0.2,), (0.4,), (0.6,), (0.8,), (1,)), 5),
        Corruption("zigzag", _zigzag, "ink of the line", ((0.2,), (0.4,), (0.6,), (0.8,), (1,)), 5),
        Corruption("canny edges", _canny_edges, "share of the edges", ((0.2,), (0.4,), (0.6,), (0.8,), (1,)), 5),
    )
}  # fmt: skip


def _blur(images: Pixels, deviation: float) -> Pixels:
    return np.array([cv.GaussianBlur(image, (0, 0), deviation, borderType=cv.BORDER_REPLICATE) for image in images])


def _either_way(amount: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    return amount * random.choice([-1.0, 1.0], count)


def _warp(images: Pixels, linear: NDArray[np.float64], shifts: NDArray[np.float64] | None = None) -> Pixels:
    """Resample by the source of each pixel: linear maps [2, 2, N] around the middle, shifts [N, 2] in pixels."""
    offsets = MIDDLE - MIDDLE * linear.sum(axis=1).T
    offsets = offsets if shifts is None else offsets + shifts
    maps = np.concatenate([linear.transpose(2, 0, 1), offsets[..., None]], axis=2)
    flags = cv.INTER_LINEAR | cv.WARP_INVERSE_MAP
    return np.array([cv.warpAffine(image, map_, (SIDE, SIDE), flags=flags) for image, map_ in zip(images, maps)])  # noqa: B905
