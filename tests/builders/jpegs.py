"""JPEG pictures, and parts of a stream that carry them."""

import cv2
import numpy as np


def make_picture(level: int, size: tuple[int, int] = (64, 48)) -> bytes:
    return cv2.imencode(".jpg", np.full(size[::-1], level, np.uint8))[1].tobytes()


def make_noise(size: tuple[int, int]) -> bytes:
    return cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, size[::-1], np.uint8))[1].tobytes()


def make_part(picture: bytes, boundary: bytes = b"--frame") -> bytes:
    return b"%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (boundary, len(picture), picture)
