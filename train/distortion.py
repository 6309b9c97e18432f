"""How far augmentation distorts images: the limits of `augment.py`, which needs Keras to do it."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Distortion:
    """How far each image may move; every amount is drawn anew per image, uniformly in ± the limit.

    Paper and noise are off: the reader takes both away before the model sees a digit, so only who classifies pictures
    of another origin has a use for them.

    Attributes:
        rotation_degrees: Turn about the centre.
        log_scale: Natural log of the zoom, drawn for each axis apart.
        shear: Horizontal slant, pixels per pixel.
        shift_px: Along each axis.
        elastic_px: Standard deviation of the displacement at the coarse grid's points.
        thickness: Largest share of the 3x3 maximum (thicker) or minimum (thinner) blended in.
        blur: Largest share of the 3x3 mean blended in, as by a lens out of focus; half of the images get none.
        paper: Largest level of the background, as a share of the ink's, in the corner where it is brightest; half of
            the images get none.
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
        """All limits times a factor; a share is at most 1."""
        limits = {name: factor * limit for name, limit in dataclasses.asdict(self).items()}
        return Distortion(**limits | {name: min(1.0, limits[name]) for name in SHARES})

    def on_paper(self, factor: float) -> "Distortion":
        """With paper and noise, too, times a factor: 1 is as a telephone's camera sees a page in a room."""
        return dataclasses.replace(self, paper=min(1.0, 0.4 * factor), noise=min(1.0, 0.1 * factor))


SHARES = ("thickness", "blur", "paper", "noise")
