"""Augmentation as a layer: new digits from old ones on the accelerator, on any Keras backend.

A digit before a camera is turned, slanted, stretched, shifted, in another handwriting and by another pen. One
resampling pass does the first five (so pixels are blurred once, not five times); a blend with the neighbourhood's
maximum or minimum imitates the pen. Paper that is not quite white, and a camera's noise, come last.

Sources: affine and elastic distortions after Simard, Steinkraus and Platt, "Best practices for convolutional neural
networks applied to visual document analysis" (ICDAR 2003); the displacement field is drawn on a coarse grid and
interpolated by Gaussians, which costs two small matrix products instead of a convolution.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .distortion import Distortion

# Keras annotates every operation as possibly None, so its tensors and operations go unchecked here.
KerasTensor = Any
ops: Any = keras.ops

SIZE = 28
ELASTIC_GRID = 7
# Width of the Gaussians between coarse points, in pixels: about the paper's sigma of 4.
ELASTIC_SIGMA_PX = 4.0


class Augment(keras.layers.Layer):
    """A layer that distorts raw pixels: uint8 [N, 28, 28, 1] in and out; the identity unless `training`.

    Attributes:
        share: Strength of the distortion, a variable in [0, 1] that may change between epochs without recompiling.
    """

    def __init__(self, distortion: Distortion, seed: int) -> None:
        super().__init__()
        self.share = self.add_weight(name="share", shape=(), initializer="ones", trainable=False)
        self.distortion = distortion
        self.random = keras.random.SeedGenerator(seed)
        self.elastic_basis = elastic_basis()

    def call(self, pixels: KerasTensor, training: bool = False) -> KerasTensor:
        """Distort a batch. Sources: see the module. Sampling is bilinear; pixels outside of the image are paper."""
        if not training:
            return pixels
        images = ops.cast(pixels, "float32")[..., 0]
        images = self._change_thickness(images)
        rows, columns = self._sampling_grid(ops.shape(images)[0])
        images = self._add_noise(self._lay_on_paper(self._blur(sample_bilinear(images, rows, columns))))
        return ops.cast(ops.round(ops.clip(images, 0, 255)), "uint8")[..., None]

    def _change_thickness(self, images: KerasTensor) -> KerasTensor:
        amount = self._uniform((ops.shape(images)[0], 1, 1), self.distortion.thickness)
        planes = images[..., None]
        thicker = ops.max_pool(planes, 3, strides=1, padding="same")[..., 0]
        thinner = -ops.max_pool(-planes, 3, strides=1, padding="same")[..., 0]
        target = ops.where(amount > 0, thicker, thinner)
        return images + ops.abs(amount) * (target - images)

    def _blur(self, images: KerasTensor) -> KerasTensor:
        amount = ops.maximum(0.0, self._uniform((ops.shape(images)[0], 1, 1), self.distortion.blur))
        mean = ops.average_pool(images[..., None], 3, strides=1, padding="same")[..., 0]
        return images + amount * (mean - images)

    def _lay_on_paper(self, images: KerasTensor) -> KerasTensor:
        """Add paper that is lit from one side; ink does not change, since nothing is brighter."""
        if not self.distortion.paper:
            return images
        shape = (ops.shape(images)[0], 1, 1)
        level = ops.maximum(0.0, self._uniform(shape, self.distortion.paper))
        # The darkest corner has at least half of the brightest corner's light.
        down, right = self._uniform(shape, 0.25), self._uniform(shape, 0.25)
        offsets = ops.arange(SIZE, dtype="float32") / (SIZE - 1) - 0.5
        light = 0.75 + down * offsets[None, :, None] + right * offsets[None, None, :]
        return images + level * light * (255 - images)

    def _add_noise(self, images: KerasTensor) -> KerasTensor:
        if not self.distortion.noise:
            return images
        amount = ops.maximum(0.0, self._uniform((ops.shape(images)[0], 1, 1), self.distortion.noise))
        return images + 255 * amount * keras.random.normal(ops.shape(images), seed=self.random)

    def _sampling_grid(self, count: int) -> tuple[KerasTensor, KerasTensor]:
        """Compute where in the source each output pixel comes from: rows and columns, float32 [N, 28, 28] each."""
        limits = self.distortion
        shape = (count, 1, 1)
        angle = self._uniform(shape, float(np.radians(limits.rotation_degrees)))
        shear = self._uniform(shape, limits.shear)
        row_scale = ops.exp(self._uniform(shape, limits.log_scale))
        column_scale = ops.exp(self._uniform(shape, limits.log_scale))
        offsets = ops.arange(SIZE, dtype="float32") - (SIZE - 1) / 2
        row, column = offsets[None, :, None], offsets[None, None, :]
        slanted = column + shear * row
        rows = row_scale * (ops.cos(angle) * row - ops.sin(angle) * slanted)
        columns = column_scale * (ops.sin(angle) * row + ops.cos(angle) * slanted)
        centre = (SIZE - 1) / 2
        return (
            rows + centre + self._uniform(shape, limits.shift_px) + self._elastic(count),
            columns + centre + self._uniform(shape, limits.shift_px) + self._elastic(count),
        )

    def _elastic(self, count: int) -> KerasTensor:
        coarse = keras.random.normal(
            (count, ELASTIC_GRID, ELASTIC_GRID), stddev=self.distortion.elastic_px, seed=self.random
        )
        return self.share * ops.matmul(ops.matmul(self.elastic_basis, coarse), np.transpose(self.elastic_basis))

    def _uniform(self, shape: tuple[int, ...], limit: float) -> KerasTensor:
        return self.share * keras.random.uniform(shape, -limit, limit, seed=self.random)


def elastic_basis() -> NDArray[np.float32]:
    """Compute the Gaussian interpolation from the coarse grid to pixels, float32 [28, 7]; each row has unit length.

    Unit length (not unit sum) keeps the displacement's variance equal at every pixel.
    """
    pixels = np.arange(SIZE)[:, None]
    points = np.linspace(0, SIZE - 1, ELASTIC_GRID)[None, :]
    weights = np.exp(-0.5 * ((pixels - points) / ELASTIC_SIGMA_PX) ** 2)
    return (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)


def sample_bilinear(images: KerasTensor, rows: KerasTensor, columns: KerasTensor) -> KerasTensor:
    """Sample images [N, 28, 28] at fractional rows and columns [N, 28, 28]; outside is 0."""
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = rows - top, columns - left
    return (
        (1 - down) * (1 - right) * _pixel(images, top, left)
        + (1 - down) * right * _pixel(images, top, left + 1)
        + down * (1 - right) * _pixel(images, top + 1, left)
        + down * right * _pixel(images, top + 1, left + 1)
    )


def _pixel(images: KerasTensor, rows: KerasTensor, columns: KerasTensor) -> KerasTensor:
    inside = (rows >= 0) & (rows < SIZE) & (columns >= 0) & (columns < SIZE)
    flat = ops.reshape(images, (-1, SIZE * SIZE))
    index = ops.clip(rows, 0, SIZE - 1) * SIZE + ops.clip(columns, 0, SIZE - 1)
    index = ops.reshape(ops.cast(index, "int32"), (-1, SIZE * SIZE))
    values = ops.reshape(ops.take_along_axis(flat, index, axis=1), (-1, SIZE, SIZE))
    return ops.where(inside, values, 0.0)
