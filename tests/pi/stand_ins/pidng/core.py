"""Only what picamera2 imports."""


class PICAM2DNG:
    """Never made."""
