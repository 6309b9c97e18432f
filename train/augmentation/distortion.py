"""The limits of the distortion by `augment.py`, which needs Keras, in a file that does not."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Distortion:
    """The limits of augmentation; every amount is drawn for each image, uniformly within ± the limit.

    Paper and noise are off: the reader removes both before the model sees a digit, so only pictures of another origin
    need them.

    Attributes:
        rotation_degrees: Rotation about the centre, in degrees.
        log_scale: Natural logarithm of the zoom, drawn separately for each axis.
        shear: Horizontal slant, in pixels per pixel.
        shift_px: Shift along each axis, in pixels.
        elastic_px: Standard deviation of the displacement at the coarse grid's points, in pixels.
        thickness: Largest share of the 3x3 maximum (thicker) or minimum (thinner) blended in, in [0, 1].
        blur: Largest share of the 3x3 mean blended in, like a lens out of focus; half of the images get none.
        paper: Largest level of the background, as a share of the ink's, in its brightest corner; half of the images get
            none.
        noise: Largest standard deviation of the noise, as a share of the ink's level; half of the images get none.
    """

    rotation_degrees: float = 12.0
    log_scale: float = 0.14
    shear: float = 0.2
    shift_px: float = 2.0
    elastic_px: float = 0.9
    thickness: float = 0.4
    blur: float = 0.6
    paper: float = 0.0
    noise: float = 0.0

    def scaled(self, factor: float) -> "Distortion":
        """Scale all limits by a factor; shares are at most 1."""
        limits = {name: factor * limit for name, limit in dataclasses.asdict(self).items()}
        return Distortion(**limits | {name: min(1.0, limits[name]) for name in SHARES})

    def on_paper(self, factor: float) -> "Distortion":
        """Add paper and noise, scaled by a factor: 1 corresponds to a phone's picture of a page in a room."""
        return dataclasses.replace(self, paper=min(1.0, 0.4 * factor), noise=min(1.0, 0.1 * factor))


SHARES = ("thickness", "blur", "paper", "noise")
