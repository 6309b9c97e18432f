"""Time limits for cameras and brokers, in one place. Only the user's camera settings make a limit longer."""

# For a camera to open and return its first frame: drivers load, and some streams only begin on request.
OPEN_S = 30.0
# Of that, and for a broker: for a connection.
CONNECT_S = 10.0
# For each further frame, unless slower frames are requested of the camera.
FRAME_S = 3.0
# A slower camera may miss two frames, too.
FRAMES = 3
# Files are played by their own clock, which may be slow, and cannot be unplugged.
FILE_FRAME_S = 60.0
# A longer time between two frames of a file is shortened to this, because the file would seem to hang.
LONGEST_PERIOD_S = 30.0
# For another process to write into a pipe that is named as a file.
PIPE_S = 10.0
# Added by the live loop, so that a camera that can explain why no frame came does so first.
GRACE_S = 0.5


def frame_limit_s(fps: float | None, exposure_us: int | None = None) -> float:
    """Return how long a frame may take after the one before, in seconds.

    Args:
        fps: Requested frames per second; None or 0 for as many as possible.
        exposure_us: Requested exposure time in microseconds.
    """
    frame_s = max(1 / fps if fps else 0.0, (exposure_us or 0) / 1e6)
    return max(FRAME_S, FRAMES * frame_s)
