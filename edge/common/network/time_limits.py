"""How long cameras and brokers may take, in one place. Only what the user asks of a camera makes a limit longer."""

# For a camera to open and give its first frame: drivers load, and some streams only begin when somebody asks for them.
OPEN_S = 30.0
# Of that, and for a broker: for a connection.
CONNECT_S = 10.0
# For each further frame, unless the camera is asked for slower ones.
FRAME_S = 3.0
# A slower camera may miss two frames, too.
FRAMES = 3
# Files are played by their own clock, which may be slow, and no cable is pulled out of them.
FILE_FRAME_S = 60.0
# A longer time between two frames of a file is shortened to this: it would be taken for one that hangs.
LONGEST_PERIOD_S = 30.0
# For somebody to write into a pipe that is named as a file.
PIPE_S = 10.0
# What the live loop adds: a camera that can tell why no frame came shall do so first.
GRACE_S = 0.5


def frame_limit_s(fps: float | None, exposure_us: int | None = None) -> float:
    """How long a frame may take after the one before.

    Args:
        fps: Frames per second that were asked for; None or 0 for as many as there are.
        exposure_us: Exposure time that was asked for, microseconds.
    """
    frame_s = max(1 / fps if fps else 0.0, (exposure_us or 0) / 1e6)
    return max(FRAME_S, FRAMES * frame_s)
