"""Settings of the live loop."""

from dataclasses import dataclass

from ..common.network import time_limits
from ..common.network.time_limits import FRAMES, GRACE_S


@dataclass(frozen=True)
class LiveSettings:
    """How the loop behaves.

    Attributes:
        fps: Most frames to read per second, > 0; None reads as many as possible.
        silence_s: Seconds that a camera may take for a frame before it counts as lost; if `fps` is low, the time of
            three frames, if that is longer. See `time_limits.py`.
        first_open_s: Seconds that the first opening may take, in which drivers load.
        open_again_s: Seconds that later openings may take. A driver that took longer the first time may do so again.
        wait_for_camera: Whether to retry a camera that cannot be opened at first until it can.
        frames: Number of frames to read before the loop stops; None for no limit.
        seconds: Seconds after the start at which the loop stops; None for no limit.
    """

    fps: float | None = None
    silence_s: float = time_limits.FRAME_S + GRACE_S
    first_open_s: float = time_limits.OPEN_S + GRACE_S
    open_again_s: float = time_limits.FRAME_S + GRACE_S
    wait_for_camera: bool = False
    frames: int | None = None
    seconds: float | None = None

    @property
    def longest_silence_s(self) -> float:
        """Seconds without a frame after which a camera counts as lost."""
        return max(self.silence_s, FRAMES / self.fps + GRACE_S) if self.fps else self.silence_s
