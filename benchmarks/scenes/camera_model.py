"""From the writing surface to a photograph: the camera's position, and the effects of its lens and sensor."""

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .surfaces import Canvas

# Strongest sharpening of a phone: the factor of the difference from a blurred copy.
SHARPENING = 0.6


@dataclass(frozen=True)
class CameraModel:
    """The camera's range of positions, and its quality.

    Attributes:
        megapixels: Smallest and largest frame.
        aspects: Possible ratios of width to height; none for that of the writing.
        fill: Least and most of the frame's width or height that the writing fills.
        turn_deg: Largest rotation to either side, in degrees.
        least_turn_deg: Smallest rotation.
        inset: Smallest distance of the writing from the frame's edge, as a share of the frame.
        tilt: Largest change of scale from one side of the frame to the other, as a share.
        blur: Least and most defocus, standard deviation in heights of a digit.
        noise: Least and most noise, standard deviation as a share of full scale.
        quality: Lowest and highest JPEG quality.
    """

    megapixels: tuple[float, float] = (0.2, 1.6)
    aspects: tuple[float, ...] = (4 / 3, 4 / 3, 3 / 4, 16 / 9, 3 / 2, 1.0)
    fill: tuple[float, float] = (0.45, 0.9)
    turn_deg: float = 2.5
    least_turn_deg: float = 0.0
    inset: float = 0.03
    tilt: float = 0.04
    blur: tuple[float, float] = (0.002, 0.008)
    noise: tuple[float, float] = (0.004, 0.012)
    quality: tuple[int, int] = (70, 95)

    def limited(self, most_megapixels: float) -> "CameraModel":
        """Limit the frames to this size, or to the smallest ones of the camera if those are larger."""
        least, most = self.megapixels
        return replace(self, megapixels=(least, max(least, min(most, most_megapixels))))


@dataclass(frozen=True)
class View:
    """The camera's view of the surface.

    Attributes:
        matrix: Homography from millimetres on the surface to pixels of the frame, float64 [3, 3].
        shape: The frame's (height, width).
        px_per_mm: Pixels per millimetre in the middle of the frame.
    """

    matrix: NDArray[np.float64]
    shape: tuple[int, int]
    px_per_mm: float

    def to_surface(self) -> NDArray[np.float64]:
        """Return the frame's corners on the surface, float64 [4, 2], mm."""
        height, width = self.shape
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        return transform_points(np.asarray(np.linalg.inv(self.matrix), np.float64), corners)


def transform_points(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points [N, 2] by a homography [3, 3]."""
    mapped = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def place_camera(points_mm: NDArray[np.float64], camera: CameraModel, random: np.random.Generator) -> View:
    """Choose a frame and a view of the surface in which all points [N, 2] are well within the frame."""
    shape = _choose_shape(points_mm, camera, random)
    fill = float(random.uniform(*camera.fill))
    turned = _turn_and_tilt(points_mm, camera, fill, random)
    seen = transform_points(turned, points_mm)
    size = np.maximum(np.ptp(seen, axis=0), 1e-6)
    frame = np.array([shape[1], shape[0]])
    room = (1 - 2 * camera.inset) * frame
    scale = float((room / size).min() * fill)
    corner = camera.inset * frame + random.uniform(0, 1, 2) * (room - scale * size) - scale * seen.min(axis=0)
    fit = np.array([[scale, 0.0, corner[0]], [0.0, scale, corner[1]], [0.0, 0.0, 1.0]])
    return View(fit @ turned, shape, scale)


def _choose_shape(points_mm: NDArray[np.float64], camera: CameraModel, random: np.random.Generator) -> tuple[int, int]:
    """Choose a frame's (height, width); small ones are as likely as large ones."""
    area = 1e6 * float(np.exp(random.uniform(*np.log(camera.megapixels))))
    if camera.aspects:
        aspect = camera.aspects[random.integers(len(camera.aspects))]
    else:
        wide, high = np.maximum(np.ptp(points_mm, axis=0), 1e-6)
        aspect = float(wide / high)
    return round((area / aspect) ** 0.5), round((area * aspect) ** 0.5)


def _turn_and_tilt(
    points_mm: NDArray[np.float64], camera: CameraModel, fill: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Make the homography [3, 3] that moves the points' middle to the origin, and turns and tilts them there.

    The tilt is measured over the frame, which is larger than the points by 1 / `fill`.
    """
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    x, y = (low + high) / 2
    reach = max(float(np.hypot(*(high - low))) / 2 / fill, 1e-6)
    turn_deg = random.uniform(-camera.turn_deg, camera.turn_deg)
    if camera.least_turn_deg:
        share = abs(turn_deg) / camera.turn_deg
        turn_deg = np.copysign(camera.least_turn_deg + share * (camera.turn_deg - camera.least_turn_deg), turn_deg)
    turn = np.radians(turn_deg)
    tilt = random.uniform(-camera.tilt, camera.tilt, 2) / reach
    turned = [[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [tilt[0], tilt[1], 1.0]]
    return np.array(turned) @ np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])


def project_canvas(canvas: Canvas, view: View) -> NDArray[np.float32]:
    """Project the part of the canvas that the camera sees, float32 [height, width, 3]."""
    height, width = view.shape
    scale, (x, y) = 1 / canvas.px_per_mm, canvas.origin_mm
    to_mm = np.array([[scale, 0.0, x], [0.0, scale, y], [0.0, 0.0, 1.0]])
    seen = cv2.warpPerspective(canvas.pixels, view.matrix @ to_mm, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def expose_frame(
    frame: NDArray[np.float32], camera: CameraModel, digit_px: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Simulate lens and sensor: blur, noise that grows in the dark, sharpening as in phones.

    Args:
        frame: Light in [0, 1], float32 [height, width, 3].
        camera: The camera with this lens and sensor.
        digit_px: Height of a digit in pixels, the unit of blur.
        random: Random generator.

    Returns:
        The picture, uint8 [height, width, 3].
    """
    sigma = max(0.4, random.uniform(*camera.blur) * digit_px)
    light = np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.float32)
    _add_noise(light, float(random.uniform(*camera.noise)), random)
    amount = float(random.uniform(0, SHARPENING))
    cv2.addWeighted(light, 1 + amount, cv2.GaussianBlur(light, (0, 0), 1.5), -amount, 0, dst=light)
    np.clip(light, 0, 1, out=light)
    return np.asarray(cv2.convertScaleAbs(light, alpha=255), np.uint8)


def _add_noise(light: NDArray[np.float32], deviation: float, random: np.random.Generator) -> None:
    """Add a sensor's noise in place: more in bright parts, as photons are counted, and some in every colour alone."""
    height, width = light.shape[:2]
    gray = random.standard_normal((height, width), np.float32)
    strength = deviation * (0.4 + 0.6 * np.sqrt(np.clip(light[:, :, 1], 0, 1)))
    for channel in range(3):
        # Coarser than the gray noise, since every pixel measures one colour only.
        coarse = random.standard_normal((height // 2 + 1, width // 2 + 1), np.float32)
        colour = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        light[:, :, channel] += strength * (gray + 0.5 * colour)


def encode_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Encode a picture, uint8 [height, width, 3], as a JPEG file of this quality; the same bytes each time."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=quality)
    return content.getvalue()
