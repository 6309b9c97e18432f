"""The light on a photographed surface: uneven, and with shadows."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Light:
    """The range of light on a surface.

    Attributes:
        exposure: Darkest and brightest white paper, as a share of full scale.
        gradient: Largest change from one side to the other, as a share.
        vignette: Largest darkening of the corners, as a share.
        warmth: Largest change of red against blue, as a share.
        shadow: Returns the shadow's share of each pixel for the frame's shape.
        depth: Least and most light that the shadow takes, as a share.
    """

    exposure: tuple[float, float] = (0.75, 0.98)
    gradient: float = 0.15
    vignette: float = 0.12
    warmth: float = 0.06
    shadow: Callable[[tuple[int, int], np.random.Generator], NDArray[np.float32]] | None = None
    depth: tuple[float, float] = (0.25, 0.5)


def apply_light(frame: NDArray[np.float32], light: Light, random: np.random.Generator) -> None:
    """Multiply a frame's reflectance, float32 [height, width, 3], by the light that falls on it, in place."""
    height, width = frame.shape[:2]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    slope = light.gradient * random.uniform(-0.5, 0.5, 2).astype(np.float32)
    strength = np.float32(random.uniform(*light.exposure)) * (1 + slope[0] * across + slope[1] * down)
    strength *= 1 - np.float32(random.uniform(0, light.vignette) / 2) * (across**2 + down**2)
    if light.shadow:
        strength *= 1 - np.float32(random.uniform(*light.depth)) * light.shadow((height, width), random)
    frame *= strength[:, :, None]
    warmth = random.uniform(-light.warmth, light.warmth)
    frame *= np.array([1 + warmth, 1, 1 - warmth], np.float32)


def cast_edge(shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Cast the shadow of something straight, a crisp edge across the frame: float32 [height, width], [0, 1]."""
    return _cut(shape, random.uniform(0.001, 0.006), random)


def cast_soft(shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Cast the shadow of a person leaning over: a soft edge, and a soft blob, as of a hand with a phone."""
    side = _cut(shape, random.uniform(0.06, 0.15), random)
    blob = np.zeros(shape, np.float32)
    centre = (random.uniform(0.0, 1.0, 2) * shape[::-1]).astype(int).tolist()
    axes = (random.uniform(0.2, 0.45, 2) * min(shape)).astype(int).tolist()
    cv2.ellipse(blob, centre, axes, random.uniform(0, 180), 0, 360, 1.0, -1)
    return np.maximum(side, 0.7 * _blur(blob, 0.06 * max(shape)))


def _cut(shape: tuple[int, int], softness: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw 1 on one side of a line through the frame's middle, 0 on the other; `softness` in shares of the frame."""
    height, width = shape
    side = max(shape)
    angle = random.uniform(0, 2 * np.pi)
    through = random.uniform(0.3, 0.7, 2) * (width, height)
    across = (np.arange(width, dtype=np.float32) - through[0])[None, :] * np.float32(np.cos(angle) / side)
    down = (np.arange(height, dtype=np.float32) - through[1])[:, None] * np.float32(np.sin(angle) / side)
    return 1 / (1 + np.exp(np.clip(-(across + down) / softness, -30, 30)))


def _blur(mask: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur by a Gaussian so broad that an eighth of the size is enough."""
    small = cv2.resize(mask, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), sigma / 8)
    return np.asarray(cv2.resize(smooth, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
