"""For picamera2, which looks up names of pixel formats here when it is imported; a display is never opened."""


class _Names:
    def __getattr__(self, name: str) -> str:
        return name


PixelFormat = _Names()
