"""For picamera2, which imports this for writing raw pictures; the virtual camera has none."""
